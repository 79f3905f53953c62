"""Telling other programs that a job has ended: signed as Standard Webhooks, repeated until they answer."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from secrets import SystemRandom

import httpx
import structlog
from standardwebhooks.webhooks import Webhook

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.deliveries import Delivery
from cluster.ledger.ledger import Ledger
from cluster.public_addresses import is_public, resolve

MAX_ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 10.0
PAUSE_FACTOR = 3.0
"""Ten attempts over a little more than a day."""
_JITTER = 0.2

TIMEOUT_SECONDS = 10.0
_AT_ONCE = 20
_HOLD_SECONDS = 120.0
"""How long a message stays in hand: an attempt, and half a minute of patience with the database."""
_MAX_URL_LENGTH = 2048
_PASSING = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended: an HTTP status, or none and what went wrong."""

    text: str
    status: int | None = None
    final: bool = False


def require_webhook_url(url: str, *, allow_private: bool) -> str:
    """Return the URL if messages may be sent to it, as far as that can be told without looking up its host.

    Raises:
        DubflowError: `invalid_request`.
    """
    parsed = _parse(url)
    schemes = {"https", "http"} if allow_private else {"https"}
    if (
        parsed is None
        or parsed.scheme not in schemes
        or not parsed.host
        or parsed.userinfo
        or len(url) > _MAX_URL_LENGTH
    ):
        raise DubflowError(
            ErrorCode.INVALID_REQUEST, "the webhook's URL is none that can be called; give https://host/path"
        )
    if not allow_private and not _may_be_public(parsed.host):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "the webhook's host is not on the public internet")
    return url


def deliver_due(ledger: Ledger, *, allow_private: bool = False, tls: ssl.SSLContext | None = None) -> int:
    """Send what is due, at most twenty messages at once; returns how many there were.

    Blocks for as long as the slowest receiver takes, some ten seconds at most: call it in a loop, in a thread of its
    own. Any number of processes may do so over one ledger.

    Args:
        ledger: Whose messages.
        allow_private: Receivers may be on this machine or in private networks, and need no TLS.
        tls: Which certificates to trust; by default those of public authorities.
    """
    due = ledger.claim_deliveries(_AT_ONCE, _HOLD_SECONDS)
    if due:
        asyncio.run(_Sender(ledger, allow_private).send_all(due, tls or httpx.create_ssl_context()))
    return len(due)


def pause_after(attempts: int) -> float:
    """Seconds until the next attempt, after so many; jitter spreads what failed together."""
    return FIRST_PAUSE_SECONDS * PAUSE_FACTOR ** (attempts - 1) * SystemRandom().uniform(1 - _JITTER, 1 + _JITTER)


class _Sender:
    def __init__(self, ledger: Ledger, allow_private: bool) -> None:
        self._ledger = ledger
        self._allow_private = allow_private

    async def send_all(self, due: tuple[Delivery, ...], tls: ssl.SSLContext) -> None:
        # Connections are never used twice: two hosts may share an address, but one certificate speaks for one of them.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(verify=tls, trust_env=False, limits=limits, timeout=TIMEOUT_SECONDS) as http:
            await asyncio.gather(*(self._deliver(http, delivery) for delivery in due))

    async def _deliver(self, http: httpx.AsyncClient, delivery: Delivery) -> None:
        secrets = await asyncio.to_thread(self._ledger.webhook_secrets, delivery.tenant)
        answer = await self._attempt(http, delivery, secrets)
        await asyncio.to_thread(self._record, delivery, answer)

    async def _attempt(self, http: httpx.AsyncClient, delivery: Delivery, secrets: tuple[str, ...]) -> Answer:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):  # in all: a receiver that drips must not hold a sender
                return await self._post(http, delivery, secrets)
        except TimeoutError:
            return Answer(f"no answer within {TIMEOUT_SECONDS:.0f} s")
        except DubflowError as refused:
            return Answer(refused.message, final=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Answer(f"{type(error).__name__}: {error}")

    async def _post(self, http: httpx.AsyncClient, delivery: Delivery, secrets: tuple[str, ...]) -> Answer:
        url = httpx.URL(require_webhook_url(delivery.url, allow_private=self._allow_private))
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await resolve(url.host, port, allow_private=self._allow_private)
        for address in addresses[:-1]:
            try:
                return await _post_to(http, url, address, delivery, secrets)
            except httpx.ConnectError:  # a host of which one address of several is down, or of a kind not routed here
                continue
        return await _post_to(http, url, addresses[-1], delivery, secrets)

    def _record(self, delivery: Delivery, answer: Answer) -> None:
        if answer.status is not None and HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            self._ledger.delivered(delivery, answer.text)
            return
        if answer.status == HTTPStatus.GONE:
            self._ledger.give_up_receiver(delivery, answer.text)
        elif answer.final or delivery.attempts >= MAX_ATTEMPTS:
            self._ledger.give_up(delivery, answer.text)
        else:
            self._ledger.postpone(delivery, answer.text, pause_after(delivery.attempts))
            return
        # Never the URL: many carry a token.
        log.warning("webhook given up", job=delivery.job_id, tenant=delivery.tenant, id=delivery.id, answer=answer.text)


async def _post_to(
    http: httpx.AsyncClient, url: httpx.URL, address: str, delivery: Delivery, secrets: tuple[str, ...]
) -> Answer:
    now = datetime.now(UTC)
    signatures = [Webhook(secret).sign(delivery.id, now, delivery.body) for secret in secrets]
    request = http.build_request(
        "POST",
        url.copy_with(host=address),  # the very address that was checked, under the host's own name
        content=delivery.body.encode(),
        headers={
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": "dubflow-webhooks",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        },
        extensions={"sni_hostname": url.raw_host.decode("ascii")},
    )
    # Only the head of the answer is read: what a receiver has to say beyond its status does not matter.
    response = await http.send(request, stream=True, follow_redirects=False)
    await response.aclose()
    return _judged(response.status_code)


def _judged(status: int) -> Answer:
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
    return Answer(f"HTTP {status}", status, final=refused)


def _parse(url: str) -> httpx.URL | None:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return None


def _may_be_public(host: str) -> bool:
    try:
        return is_public(host)
    except ValueError:
        return host.rpartition(".")[2] not in {"localhost", "local", "internal"}
