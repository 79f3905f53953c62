"""`dubflow serve`: the service on this machine, or on the cluster of the settings, until it is told to end."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Event, Thread
from types import FrameType
from typing import Annotated

import httpx
import typer

from cluster.accounts.exposure import require_key_beyond_loopback
from cluster.cli.console import err, out, stray_output_into
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.schema import upgrade
from cluster.ray_runtime import ray_cluster
from cluster.scratch import RUN_PREFIX, sweep
from cluster.settings import Settings
from cluster.supervision import end_flow
from serve_apps.services import open_services

_READY_SECONDS = 120.0
_DRAIN_SECONDS = 10.0
"""How long parts in hand may take at the end: those who send signals lose patience after half a minute."""
_END_SECONDS = 25.0
_LOUD = frozenset({"debug", "info"})
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens on all addresses is asked on one


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve_command)


def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Start the Ray dashboard as well.")] = False,
) -> None:
    """Run the service until Ctrl-C. Its address is printed once it answers."""
    from serve_apps.files.door import open_doors  # noqa: PLC0415 - brings FastAPI, which other commands do without

    signal.signal(signal.SIGTERM, _end)
    settings = Settings(dashboard=True) if dashboard else Settings()
    upgrade(settings.database)
    with open_services(settings) as services:
        require_key_beyond_loopback(host, services.accounts)
    _require_free(host, port)
    open_doors(settings)
    try:
        with _quiet(settings), ray_cluster(settings), _served(settings, host, port):
            signal.signal(signal.SIGTERM, _end)  # Ray has put its own in the place of ours
            _await_answer(_url(_ANY.get(host, host), port))
            _await_languages(settings)
            out.print(_url(host, port))
            Event().wait()
    finally:
        sweep(settings.scratch_folder, RUN_PREFIX)  # a flow that had to be killed could not do it itself


@contextmanager
def _served(settings: Settings, host: str, port: int) -> Iterator[None]:
    # Serve takes seconds to import, and reads its environment as it does: not before its cluster is set up.
    from ray import serve  # noqa: PLC0415

    from serve_apps.deployment import NAME, build_application  # noqa: PLC0415

    try:
        serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port})
        serve.run(build_application(settings), name=NAME, route_prefix="/")
    except RuntimeError as error:
        raise DubflowError(
            ErrorCode.ENVIRONMENT, f"the service did not start: {error}; set DUBFLOW_LOG_LEVEL=info for more"
        ) from error
    try:
        yield
    finally:
        err.print("dubflow: ending; what is in work goes on when the service is started again")
        # A signal to the whole process group ends Ray at once, and then nobody answers here any more.
        ending = Thread(target=_end_service, args=(settings,), daemon=True)
        ending.start()
        ending.join(_END_SECONDS)


def _end_service(settings: Settings) -> None:
    """The supervisor first, which would start the flow again."""
    from ray import serve  # noqa: PLC0415 - as above

    from serve_apps.deployment import NAME  # noqa: PLC0415

    serve.delete(NAME)
    with open_services(settings) as services:
        end_flow(settings, services.ledger, _DRAIN_SECONDS)


@contextmanager
def _quiet(settings: Settings) -> Iterator[None]:
    """Keep what Ray says about its own doings off the terminal, unless somebody wants to see it."""
    settings.scratch_folder.mkdir(parents=True, exist_ok=True)
    log = settings.scratch_folder / "serve.log"
    with nullcontext() if settings.log_level in _LOUD else stray_output_into(log):
        yield


def _require_free(host: str, port: int) -> None:
    """Find out at once what Serve would take a minute to complain about."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise DubflowError(
            ErrorCode.ENVIRONMENT, f"{host}:{port} cannot be listened on: {error.strerror}; choose another --port"
        ) from error


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        while time.monotonic() < deadline:
            try:
                if client.get(f"{url}/livez").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    raise DubflowError(ErrorCode.ENVIRONMENT, f"the service does not answer at {url}; set DUBFLOW_LOG_LEVEL=info")


def _await_languages(settings: Settings) -> None:
    """The first flow tells them when it is up; a service that has them from before takes orders at once."""
    deadline = time.monotonic() + _READY_SECONDS
    with open_services(settings) as services:
        while not services.ledger.languages() and time.monotonic() < deadline:
            time.sleep(0.2)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
