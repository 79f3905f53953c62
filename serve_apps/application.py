"""The HTTP application, from the settings alone: any ASGI server can run it, and so can a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from cluster.settings import Settings
from serve_apps import problems
from serve_apps.answers import PROBLEMS
from serve_apps.authentication import guard
from serve_apps.body_limit import BodyLimit
from serve_apps.documentation import document
from serve_apps.files.desk import FileDesk
from serve_apps.health import Readiness
from serve_apps.idempotency import Idempotency
from serve_apps.progress import open_progress
from serve_apps.rate_headers import RateHeaders
from serve_apps.request_context import RequestContext
from serve_apps.routers import (
    files,
    health,
    jobs,
    offer,
    page,
    progress,
    script,
    sessions,
    tickets,
    trace,
    upload,
    uploads,
    voices,
    webhook_secret,
)
from serve_apps.security_headers import SecurityHeaders, security_headers
from serve_apps.services import open_services
from serve_apps.views import API

API_ROUTERS: tuple[APIRouter, ...] = (
    upload.router,
    uploads.router,
    jobs.router,
    script.router,
    voices.router,
    files.router,
    progress.router,
    trace.router,
    offer.router,
    tickets.router,
    webhook_secret.router,
)
"""Under `/api/v1`, for callers with a key."""

PUBLIC_API_ROUTERS: tuple[APIRouter, ...] = (sessions.router, files.public_router)
"""Under `/api/v1`, also for whoever has none yet."""

ROOT_ROUTERS: tuple[APIRouter, ...] = (health.router, page.router)
"""At the root."""


def create_app(settings: Settings) -> FastAPI:
    """The application; what it stands on is opened when it starts and closed when it ends.

    Starting raises DubflowError `environment` where the database has not this version's tables.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_services(settings) as services:
            app.state.services = services
            app.state.readiness = Readiness(services)
            app.state.file_desk = FileDesk(services)
            async with open_progress(services) as app.state.progress:
                yield

    app = FastAPI(
        title="dubflow",
        version=version("dubflow"),
        summary="Videos in, the same videos speaking other languages out.",
        lifespan=lifespan,
        docs_url=None,  # their scripts come from other people's servers
        redoc_url=None,
        responses=PROBLEMS,
        middleware=[
            Middleware(SecurityHeaders, headers=security_headers(settings)),
            Middleware(RequestContext, failed=problems.respond),
            Middleware(RateHeaders),
            Middleware(BodyLimit),
            Middleware(Idempotency, prefix=API),
        ],
    )
    problems.install(app)
    for router in ROOT_ROUTERS:
        app.include_router(router)
    for router in API_ROUTERS:
        app.include_router(router, prefix=API, dependencies=[Depends(guard)])
    for router in PUBLIC_API_ROUTERS:
        app.include_router(router, prefix=API)
    document(app)
    return app
