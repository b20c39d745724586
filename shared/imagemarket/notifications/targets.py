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

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


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
    """Whether the address belongs to the public Internet, looked at through every form that carries another."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(carried)
        if address.teredo is not None or address.is_site_local or address.scope_id is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


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
        if parts.scheme != "https" and not (self._loopback and parts.scheme == "http"):
            raise _refused("must begin with https://")
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
        return str(addresses[0])

    def _is_allowed(self, address: Address) -> bool:
        return is_public(address) or (self._loopback and address.is_loopback)


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"url: {why}.", errors=[{"in": "body", "field": "url", "detail": why}])
