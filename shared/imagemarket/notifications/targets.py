"""Where a webhook may lead: to public addresses alone, decided on what the name resolves to now.

A contributor chooses the URL, so without this it could make us call what only we can reach (server-side request
forgery): the instance metadata service, a database, the machine itself.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from imagemarket.platform.errors import InvalidRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

# What is no address of one host on the public Internet, by IANA's registries of special-purpose addresses (RFC 6890)
# with multicast and what is reserved.
_SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared, of carriers and of some clouds' own services
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the clouds' metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 is a cloud's metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112-v4
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, given up
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # direct delegation AS112 service
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is assigned to hosts: neither unique local, link-local, site-local nor multicast addresses."""
_SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: a relay of somebody's decides where it ends
        "2620:4f:8000::/48",  # direct delegation AS112 service
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class TargetRefused(Exception):
    """The name leads somewhere we do not go."""


@dataclass(frozen=True)
class Target:
    """A URL taken apart."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host. Raises `OSError` when there is none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public Internet, looked at through every form that carries another.

    `ipaddress` is not asked: what it calls global differs between Python's releases.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    if address.scope_id is not None:
        return False
    carried = address.ipv4_mapped
    if address in _NAT64:
        carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if carried is not None:
        return is_public(carried)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_V6)


class TargetRules:
    """What a stage allows. `loopback` is for one machine alone: plain http to this machine."""

    def __init__(self, *, loopback: bool, resolve: Resolve = resolve) -> None:
        self._loopback = loopback
        self._resolve = resolve

    def parse(self, url: str) -> Target:
        """Raises `InvalidRequest` for a URL that can never be called."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host.encode("idna")
        except (ValueError, UnicodeError):
            raise _refused("is not a URL") from None
        if parts.scheme != "https" and not (self._loopback and parts.scheme == "http" and _names_loopback(host)):
            also = ", or with http:// and this machine's own address" if self._loopback else ""
            raise _refused(f"must begin with https://{also}")
        if not host or any(character.isspace() or ord(character) < 0x21 for character in url):
            raise _refused("names no host, or holds spaces")
        if parts.username is not None or parts.password is not None:
            raise _refused("must not hold a user name or a password; deliveries are signed instead")
        if parts.fragment:
            raise _refused("must not have a fragment")
        if port == 0 or not url.isascii():
            raise _refused("must be of ASCII characters, with a port from 1 to 65535 if any")
        target = Target(
            scheme=parts.scheme,
            host=host,
            port=port or {"https": 443, "http": 80}[parts.scheme],
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            return target
        if not self._is_allowed(literal):
            raise _refused("leads to an address that is not public")
        return target

    def pin(self, target: Target) -> str:
        """The address to connect to, whatever the name says a moment later.

        Raises `TargetRefused` when any of the name's addresses is not public, `OSError` when there is none.
        """
        addresses = [ipaddress.ip_address(found) for found in self._resolve(target.host, target.port)]
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            raise TargetRefused("the host's name leads to an address that is not public")
        if target.scheme == "http" and not all(address.is_loopback for address in addresses):
            raise TargetRefused("without TLS only this machine itself is called")
        return str(addresses[0])

    def _is_allowed(self, address: Address) -> bool:
        return is_public(address) or (self._loopback and address.is_loopback)


def _names_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"url: {why}.", errors=[{"in": "body", "field": "url", "detail": why}])
