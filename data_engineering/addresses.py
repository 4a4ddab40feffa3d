"""Which addresses may be asked at all: http(s) without a user name, and only on the open internet.

A name is resolved once and every address it has is checked; whoever connects must use one of the addresses returned
here, so that the name cannot answer differently the second time (DNS rebinding).
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urljoin, urlsplit

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class AddressRefusedError(Exception):
    """The address is one that is never asked."""


def parse(url: str) -> SplitResult:
    """Takes an address apart.

    Raises:
        AddressRefusedError: It is malformed, not http(s), or carries a user name.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise malformed(error) from None
    if parts.scheme not in ("http", "https") or not host:
        raise AddressRefusedError(f"not http(s): the scheme is {parts.scheme[:20]!r}")
    if parts.username or parts.password:
        raise AddressRefusedError("user name in the address: never sent")
    return parts


def follow(url: str, location: str) -> str:
    """Returns the address that a redirect of `url` leads to, as yet unchecked.

    Raises:
        AddressRefusedError: It is malformed.
    """
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise malformed(error) from None


def malformed(error: Exception) -> AddressRefusedError:
    """Returns what is said of an address that cannot be taken apart; whoever sent it may have made it long."""
    return AddressRefusedError(f"malformed address: {str(error)[:100]}")


def resolve(host: str, port: int, allow_hosts: Collection[str]) -> list[str]:
    """Returns the addresses of a host, all of them checked.

    Args:
        host: A name or a literal address.
        port: The port that will be asked.
        allow_hosts: Names or literal addresses, in lower case, that may lead anywhere.

    Raises:
        AddressRefusedError: One of its addresses is not public.
        OSError: The name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"no name: {host[:60]}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if host.lower() not in allow_hosts:
        for address in addresses:
            if not is_public(address):
                raise AddressRefusedError(f"not public: {host} leads to {address}; see download.allow_hosts")
    return addresses


def is_public(address: str) -> bool:
    """Returns whether an IP address is one of the open internet, also where it wraps an IPv4 address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
