"""The HTTP application as a Ray Serve application.

For `serve deploy` and RayService the import path is `serve_apps.deployment:build`; the settings come from the
environment of the cluster's machines.
"""

from typing import Any

from ray import serve
from ray.serve import Application, Deployment
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.logs import set_up_logs
from cluster.settings import Settings
from serve_apps.application import create_app
from serve_apps.request_context import HEADER
from serve_apps.supervisor import flow_supervisor

NAME = "dubflow"

MAX_ONGOING = 2000
"""Requests that one replica answers at a time; nearly all of them watch jobs and wait."""

MAX_QUEUED = 200
"""Requests that wait where all replicas have that many; further ones get a 503 and come again."""


@serve.ingress()
class _Doors:
    """One replica.

    Args:
        settings: Those of the service.
        beside: Other deployments of the application, which get no requests but live and end with it.
    """

    def __init__(self, settings: Settings, *beside: DeploymentHandle[Any]) -> None:
        set_up_logs(settings)
        self._settings = settings
        self._beside = beside

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return _unnumbered(create_app(self._settings))


Doors: Deployment = serve.deployment(
    name="Doors",
    max_ongoing_requests=MAX_ONGOING,
    max_queued_requests=MAX_QUEUED,
    ray_actor_options={"num_cpus": 0},  # they wait for the database and disks, and must find room beside the pools
    health_check_period_s=5,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=10,
    graceful_shutdown_wait_loop_s=1,
)(_Doors)


def _unnumbered(app: ASGIApp) -> ASGIApp:
    """Leave a request's id to Serve's proxy, which puts the same one into every answer: two would read as one list."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unnumbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(scope=message)[HEADER]
            await send(message)

        await app(scope, receive, send_unnumbered)

    return answer


def build_application(settings: Settings) -> Application:
    """The whole service: what answers requests, and what stands beside it."""
    logging = LoggingConfig(log_level=settings.log_level.upper(), enable_access_log=False)
    doors = Doors.options(num_replicas=settings.replicas, logging_config=logging)
    application: Application = doors.bind(settings, flow_supervisor(settings))
    return application


def build(_arguments: dict[str, Any]) -> Application:
    """What Serve calls; there is nothing to be told that the settings do not have."""
    return build_application(Settings())
