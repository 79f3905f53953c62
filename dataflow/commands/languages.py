from typing import Annotated

import typer

from cluster.cli.console import print_json, print_table
from cluster.settings import Settings
from dataflow.languages import offers
from dataflow.planning import make_plan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("languages")(languages)


def languages(*, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """List the languages that can be dubbed into, and from which."""
    found = offers(make_plan(Settings()))
    if as_json:
        for offer in found:
            print_json(
                {
                    "code": offer.code,
                    "name": offer.name,
                    "native_name": offer.native_name,
                    "sources": offer.sources,
                    "voices": offer.voices,
                    "speech": offer.speech,
                }
            )
        return
    rows = [
        [offer.code, offer.name, offer.native_name, ", ".join(offer.sources), str(offer.voices), offer.speech]
        for offer in found
    ]
    print_table(["code", "language", "own name", "from", "voices", "spoken by"], rows)
