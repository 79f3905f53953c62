"""Which addresses a service may connect to when a user names the host: those of the public internet, and no others."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from cluster.errors import DubflowError, ErrorCode

_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset({IPv4Address("168.63.129.16")})
"""Servers of cloud platforms that tell machines their secrets, on addresses that look public (Azure's)."""


async def resolve(host: str, port: int, *, allow_private: bool) -> tuple[str, ...]:
    """Look a host up, once; whoever connects to one of these very addresses cannot be led elsewhere by another answer.

    Args:
        host: A name, or an address in any notation that the system's resolver reads (`127.1`, `2130706433`).
        port: Where to connect.
        allow_private: Take every address.

    Raises:
        DubflowError: `invalid_request` where any of the addresses is not public: a name that has public and private
            ones is an attempt to get through.
        OSError: The name has no address now.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not (allow_private or is_public(address)):
            raise DubflowError(ErrorCode.INVALID_REQUEST, f"{host} is not on the public internet")
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an IP address is one host of the public internet, and so are all addresses that it carries inside.

    IPv6 has room for IPv4 addresses (mapped, 6to4, Teredo, NAT64): what is private there stays private in disguise.
    """
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and any(not _is_public(inside) for inside in _embedded(parsed)):
        return False
    return _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return True  # which Python versions call global or not; the address inside has been judged
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _METADATA


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    known = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ()), last if address in _NAT64 else None]
    return [inside for inside in known if inside is not None]
