"""Whom a service may be opened to."""

from ipaddress import ip_address

from cluster.accounts.api_keys import ApiKeys
from cluster.errors import DubflowError, ErrorCode


def is_loopback(host: str) -> bool:
    """Tell whether a name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_key_beyond_loopback(host: str, keys: ApiKeys) -> None:
    """Refuse to listen where other machines reach the service while nobody needs a key.

    Raises:
        DubflowError: `environment`.
    """
    if not is_loopback(host) and not keys.any_key():
        raise DubflowError(
            ErrorCode.ENVIRONMENT,
            f"listening on {host} lets other machines in, but no API key exists; run: dubflow keys create",
        )
