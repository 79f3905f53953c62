"""Where a request comes from: this machine or another, a page of ours or somebody else's."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from cluster.accounts.exposure import is_loopback

_OWN_SITES = frozenset({"same-origin", "none"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def is_own_page(connection: HTTPConnection, allowed: tuple[str, ...]) -> bool:
    """Tell whether the browser says that a page of this service, or of an allowed origin, makes the request."""
    origin = connection.headers.get("origin")
    return origin is not None and (_names_this_host(origin, connection) or origin in allowed)


def is_foreign_page(connection: HTTPConnection, allowed: tuple[str, ...]) -> bool:
    """Tell whether the browser says that somebody else's page makes the request; other programs say nothing."""
    if "origin" in connection.headers:
        return not is_own_page(connection, allowed)
    return connection.headers.get("sec-fetch-site", "none") not in _OWN_SITES


def is_local(connection: HTTPConnection) -> bool:
    """Tell whether the request was made on this machine, for this machine.

    The name that was asked for has to be this machine's too: a page of `evil.example` whose name has come to mean
    127.0.0.1 asks for `evil.example`. What a proxy passes on comes from elsewhere, wherever the proxy runs.
    """
    peer = connection.client.host if connection.client else ""
    passed_on = any(header in connection.headers for header in _FORWARDED)
    return not passed_on and is_loopback(peer) and is_loopback(_host_of(f"//{connection.headers.get('host', '')}"))


def network_of(connection: HTTPConnection) -> str:
    """Whom to hold responsible for wrong keys: an address, or the network that one subscriber has with IPv6."""
    peer = connection.client.host if connection.client else ""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    return address.exploded[:19] if isinstance(address, IPv6Address) else peer


def _names_this_host(origin: str, connection: HTTPConnection) -> bool:
    # The scheme is left out: behind a proxy that ends TLS it is not the one the browser sees.
    try:
        return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower() != ""
    except ValueError:
        return False


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
