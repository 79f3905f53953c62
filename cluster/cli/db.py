import typer

from cluster.cli.console import out
from cluster.ledger.schema import upgrade
from cluster.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The ledger's database.", no_args_is_help=True)
    group.command("upgrade")(upgrade_database)
    app.add_typer(group, name="db")


def upgrade_database() -> None:
    """Create the tables, or bring them to this version; safe to repeat."""
    upgrade(Settings().database)
    out.print("the database is up to date")
