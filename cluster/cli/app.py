import sys
from importlib.metadata import entry_points

import typer
from pydantic import ValidationError

from cluster.cli.console import err, report_error
from cluster.errors import DubflowError, ErrorCode
from cluster.logs import set_up_logs
from cluster.settings import Settings

COMMANDS = "dubflow.commands"
"""Entry points: functions that take the Typer app and add commands to it."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_INTERRUPTED = 130

_USAGE = frozenset({ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED_LANGUAGE, ErrorCode.CONFLICT, ErrorCode.NOT_FOUND})
_ENVIRONMENT = frozenset(
    {
        ErrorCode.MODEL_MISSING,
        ErrorCode.MODEL_LOAD_FAILED,
        ErrorCode.LICENCE_REFUSED,
        ErrorCode.ENVIRONMENT,
        ErrorCode.UNAUTHORIZED,
        ErrorCode.DATABASE_FAILED,
        ErrorCode.STORAGE_FAILED,
        ErrorCode.DISK_FULL,
    }
)


def build_app() -> typer.Typer:
    """The program with all commands that are installed."""
    app = typer.Typer(
        name="dubflow",
        help="Give videos back speaking other languages.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for point in sorted(entry_points(group=COMMANDS), key=lambda point: point.name):
        point.load()(app)
    return app


def main() -> None:
    """Run the program; every error that a person can act on is one line on stderr."""
    try:
        _set_up_logs()
        status = build_app()(standalone_mode=False)
    except DubflowError as error:
        report_error(error)
        sys.exit(exit_code(error))
    except typer.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except typer.TyperException as error:
        err.print(error.format_message())
        sys.exit(EXIT_USAGE)
    sys.exit(status if isinstance(status, int) else 0)


def _set_up_logs() -> None:
    try:
        set_up_logs(Settings())
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(map(str, wrong["loc"]))
        message = f"the setting {name} cannot be used: {wrong['msg']}; see DUBFLOW_{name.upper()} or dubflow.toml"
        raise DubflowError(ErrorCode.ENVIRONMENT, message) from error


def exit_code(error: DubflowError) -> int:
    """The promised exit code of an error that ends the whole command."""
    if error.code in _USAGE:
        return EXIT_USAGE
    return EXIT_ENVIRONMENT if error.code in _ENVIRONMENT else EXIT_FAILED
