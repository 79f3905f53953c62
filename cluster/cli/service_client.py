"""A running service, as the command line sees it: calls that survive a restart, and errors as one line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from secrets import SystemRandom, token_hex
from types import TracebackType
from typing import Any, Self

import httpx

from cluster.errors import DubflowError, ErrorCode
from cluster.settings import Settings

API = "/api/v1"

_FIRST_PATIENCE_SECONDS = 3.0
"""A service that never answered is most likely not there."""
_PATIENCE_SECONDS = 60.0
"""One that answered before is most likely being restarted."""
_LONGEST_PAUSE_SECONDS = 5.0
_REDIRECTS = 4
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_UNAVAILABLE = frozenset({500, 502, 503, 504})
_CODES = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.UNAUTHORIZED,
    404: ErrorCode.NOT_FOUND,
    409: ErrorCode.CONFLICT,
    413: ErrorCode.TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
    500: ErrorCode.INTERNAL,
}
"""What a status means where the answer is no problem of ours: a proxy's page, or another program on that port."""


class ServiceClient:
    """Calls of one service; to be used by one thread, as a context manager.

    Every call is repeated with growing pauses while the service is away, busy or broken: reading, replacing and
    deleting may be repeated by their nature, and everything posted carries an idempotency key, so that it happens once.

    All methods raise DubflowError: the service's own code and words where it answers with a problem; `environment`
    where nothing that can be talked to answers.

    Args:
        address: The service's URL, without `/api/v1`.
        key: API key, or empty.
        transport: Instead of the network.
        sleep: How pauses are spent.
    """

    def __init__(
        self,
        address: str,
        key: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self._sleep = sleep
        self._answered = False
        _require_address(address)
        here = ("127.0.0.1", "localhost", "[::1]")
        self._http = httpx.Client(
            base_url=address + API,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=_TIMEOUT,
            transport=transport,
            # This machine is not reached through a proxy, whatever the environment says.
            mounts={f"all://{host}": None for host in here} if transport is None else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Read a JSON object; parameters that are None are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return self._object(self.call("GET", path, params=given))

    def delete(self, path: str) -> None:
        """Remove something."""
        self.call("DELETE", path)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """Ask for something, once, however often the request has to be sent."""
        return self._object(self.call("POST", path, json=body, headers={"Idempotency-Key": token_hex(16)}))

    def patch(self, path: str, body: Any, **parameters: Any) -> dict[str, Any]:
        """Change what the body names a revision of: sent again, that is the same change."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return self._object(self.call("PATCH", path, json=body, params=given))

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request that may be repeated, with httpx's own arguments; bodies are bytes or JSON, never streams.

        A path that begins with `http` goes to another place, such as an object store, and gets no key.
        """
        with self._answer(method, path, request) as response:
            response.read()
            return response

    @contextmanager
    def stream(self, path: str, **request: Any) -> Iterator[httpx.Response]:
        """The answer to a GET, its head only; reading the body may break off with an httpx.TransportError.

        Where the service sends on to an object store, that one's answer, for which it gets no key.
        """
        for _ in range(_REDIRECTS):
            with self._answer("GET", path, request) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                path = str(response.url.join(response.headers["Location"]))
            request = {name: value for name, value in request.items() if name != "params"}
        raise DubflowError(ErrorCode.ENVIRONMENT, f"{self.address} sends in circles; check DUBFLOW_SERVICE_URL")

    def wait(self, tries: int, at_least: float = 0.0) -> None:
        """Pause before another try, longer each time; jitter keeps clients of one service apart."""
        longest = min(0.2 * 2.0**tries, _LONGEST_PAUSE_SECONDS)
        self._sleep(at_least + SystemRandom().uniform(longest / 2, longest))

    @contextmanager
    def _answer(self, method: str, path: str, request: dict[str, Any]) -> Iterator[httpx.Response]:
        response = self._send(self._request(method, path, request))
        try:
            if response.is_error:
                response.read()
                raise problem(response, self.address)
            yield response
        finally:
            response.close()

    def _request(self, method: str, path: str, request: dict[str, Any]) -> httpx.Request:
        # The service names its own places from its root: `/api/v1/uploads/...`.
        made = self._http.build_request(method, path.removeprefix(API), **request)
        if path.startswith("http"):
            made.headers.pop("Authorization", None)
        return made

    def _send(self, request: httpx.Request) -> httpx.Response:
        began, tries = time.monotonic(), 0
        while True:
            asked = 0.0
            left = began + (_PATIENCE_SECONDS if self._answered else _FIRST_PATIENCE_SECONDS) - time.monotonic()
            try:
                response = self._http.send(request, stream=True)
                if response.is_error:
                    response.read()
            except httpx.TransportError as error:
                if left < 0:
                    raise self._away(error) from error
            else:
                self._answered = self._answered or response.status_code not in _UNAVAILABLE
                asked = _pause_asked(response)
                if asked > left or not _may_pass(response):
                    return response
            self.wait(tries, asked)
            tries += 1

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        try:
            body = response.json() if response.content else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise DubflowError(
                ErrorCode.ENVIRONMENT,
                f"what answers at {self.address} is no dubflow service; check DUBFLOW_SERVICE_URL",
            )
        return body

    def _away(self, error: httpx.TransportError) -> DubflowError:
        reason = str(error) or type(error).__name__
        return DubflowError(
            ErrorCode.ENVIRONMENT,
            f"no service answers at {self.address} ({reason}); start `dubflow serve`, or set DUBFLOW_SERVICE_URL",
        )


def connect(server: str | None = None) -> ServiceClient:
    """The service of the settings, or the one at `server`."""
    settings = Settings(service_url=server) if server else Settings()
    return ServiceClient(settings.service, settings.api_key.get_secret_value())


def _require_address(address: str) -> None:
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        message = f"{address!r} is no URL of a service; write it as http://host:port"
        raise DubflowError(ErrorCode.INVALID_REQUEST, message)


def problem(response: httpx.Response, address: str) -> DubflowError:
    """The error that an answer tells: its own code and words where it is problem+json (RFC 9457)."""
    body = _problem_of(response)
    if body is None:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        code = _CODES.get(response.status_code, ErrorCode.ENVIRONMENT)
        return DubflowError(code, f"{address} answers {status}; look into its log, or check DUBFLOW_SERVICE_URL")
    known = body["code"] in set(ErrorCode)  # a newer service may have more of them
    code = ErrorCode(body["code"]) if known else _CODES.get(response.status_code, ErrorCode.INTERNAL)
    return DubflowError(code, _words(body, "" if known else f"{body['code']}: "))


def _words(body: dict[str, Any], prefix: str) -> str:
    words = prefix + str(body.get("detail") or body.get("title") or "the service refuses")
    if body.get("code") == ErrorCode.INTERNAL and body.get("request_id"):
        words += f" (request {body['request_id']})"
    return words


def _problem_of(response: httpx.Response) -> dict[str, Any] | None:
    """The body of problem+json that one of ours wrote."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and "code" in body else None


def _may_pass(response: httpx.Response) -> bool:
    """Tell whether the same request may be answered better later on."""
    if not response.is_error:
        return False
    if response.status_code == HTTPStatus.CONFLICT:  # its first sending is still being answered
        return "Retry-After" in response.headers
    known = _problem_of(response)
    return bool(known.get("retryable")) if known else response.status_code in _UNAVAILABLE | {429}


def _pause_asked(response: httpx.Response) -> float:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0
