"""The OpenAPI document, with what holds for all routes and FastAPI cannot know: problems, keys, repeated requests."""

from typing import Any

from fastapi import FastAPI

from serve_apps.authentication import COOKIE
from serve_apps.idempotency import HEADER
from serve_apps.problems import MEDIA_TYPE
from serve_apps.views import API

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer dub_...`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in another header"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What `POST /session` sets"},
}
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Names the request in the answer and in the log; one of more than 64 characters is replaced.",
    "schema": {"type": "string"},
}
_REPEATABLE = {
    "name": HEADER,
    "in": "header",
    "description": "The same key and request again within 24 hours gives the same answer and does nothing again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}


def document(app: FastAPI) -> None:
    """Have the application describe itself fully at `/openapi.json`."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend it


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    schema["components"]["securitySchemes"] = SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            parameters = operation.setdefault("parameters", [])
            parameters.append(_REQUEST_ID)
            if path.startswith(API):
                # The last, empty one: on its own machine, without any key.
                operation["security"] = [*({name: []} for name in SCHEMES), {}]
                parameters.extend([_REPEATABLE] if method == "post" else [])
            for status in ("4XX", "5XX"):
                content = operation["responses"][status]["content"]
                content[MEDIA_TYPE] = content.pop("application/json")
    return schema
