"""How much one caller may ask, counted in Valkey by the generic cell rate algorithm.

A request counts as much as it costs. A caller's allowance fills evenly and holds a burst; Lua decides and remembers in
one step, so that two requests at once never share one place. What is told in `RateLimit` and `RateLimit-Policy`
(draft-ietf-httpapi-ratelimit-headers-10) is what the decision itself found.

By hand, since the package `limits` counts in windows, takes one limit at a time, and is asked once more for what
remains: what one limit refuses would have cost the other, and headers could tell of another state.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagemarket.platform.cache import Cache
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.telemetry import count, logger

# The theoretical arrival time (ITU-T I.371) of every key, in microseconds of the server's own clock; nothing is
# taken unless every key allows it. What costs more than a whole quota costs the quota. Returns 1 or 0, then for each
# key: remaining, microseconds until it is full again, microseconds until as much is allowed.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local asked = tonumber(ARGV[#ARGV])
local allowed = 1
local tats = {}
for i, key in ipairs(KEYS) do
  local quota, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local tat = math.max(tonumber(redis.call('GET', key) or now), now)
  tats[i] = tat
  if tat + math.min(asked, quota) * window / quota - now > window then allowed = 0 end
end
local answer = {allowed}
for i, key in ipairs(KEYS) do
  local quota, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local each, tat = window / quota, tats[i]
  local cost = math.min(asked, quota) * each
  if allowed == 1 then
    tat = tat + cost
    redis.call('SET', key, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1)
  end
  local left = math.floor((window - (tat - now)) / each + 0.000001)
  table.insert(answer, math.max(0, left))
  table.insert(answer, math.ceil(math.max(0, tat - now)))
  table.insert(answer, math.ceil(math.max(0, tat + cost - now - window)))
end
return answer
"""


@dataclass(frozen=True)
class Policy:
    """`quota` requests of cost 1 in any `seconds`, by the name that headers call it."""

    name: str
    quota: int
    seconds: int


PER_ADDRESS = Policy("address", 600, 60)
"""An office's worth of people behind one address."""
PER_ACCOUNT = Policy("account", 1200, 60)


@dataclass(frozen=True)
class LimitState:
    """What the limiter found under one policy."""

    policy: Policy
    remaining: int
    full_in: int
    """Seconds until the whole quota is there again."""
    next_in: int
    """Seconds until as much as was asked is allowed; 0 while it is."""


@dataclass(frozen=True)
class Decision:
    """Whether a request is let through, and what its answer says."""

    allowed: bool
    limits: tuple[LimitState, ...]

    @property
    def headers(self) -> dict[str, str]:
        """Structured fields: the policies, and under each what remains and when it is whole again."""
        if not self.limits:
            return {}
        return {
            "RateLimit-Policy": ", ".join(
                f'"{each.policy.name}";q={each.policy.quota};w={each.policy.seconds}' for each in self.limits
            ),
            "RateLimit": ", ".join(f'"{each.policy.name}";r={each.remaining};t={each.full_in}' for each in self.limits),
        }

    @property
    def retry_after(self) -> int:
        """Seconds until a request is let through again."""
        return max(1, *(each.next_in for each in self.limits))


_THROUGH = Decision(allowed=True, limits=())


class RateLimiter:
    """Counts what requests cost per address and per account. When the cache does not answer, requests go through, a
    metric says so, and the gateway's own limit remains."""

    def __init__(
        self, cache: Callable[[], Cache], *, address: Policy = PER_ADDRESS, account: Policy = PER_ACCOUNT
    ) -> None:
        self._cache = cache
        self._address = address
        self._account = account

    def acquire(self, *, address: str, account: str | None, cost: int = 1) -> Decision:
        """Counts one request, in one round trip; a refused one costs nothing. Loopback is not counted: no gateway
        reports it of a stranger."""
        network = network_of(address)
        if network is None:
            return _THROUGH
        subjects = [(self._address, network)]
        if account is not None:
            subjects.append((self._account, account))
        try:
            return self._decide(subjects, cost)
        except DependencyUnavailable:
            logger.warning("requests are not being counted: the cache is not answering")
            count("RateLimiterUnavailable")
            return _THROUGH

    def _decide(self, subjects: Sequence[tuple[Policy, str]], cost: int) -> Decision:
        keys = [_key(policy, subject) for policy, subject in subjects]
        arguments = [number for policy, _ in subjects for number in (policy.quota, policy.seconds * 1_000_000)]
        allowed, *numbers = (int(each) for each in self._cache().run(_SCRIPT, keys, [*arguments, cost]))
        limits = tuple(
            LimitState(policy, numbers[3 * place], _seconds(numbers[3 * place + 1]), _seconds(numbers[3 * place + 2]))
            for place, (policy, _) in enumerate(subjects)
        )
        if not allowed:
            count("RequestsLimited")
        return Decision(bool(allowed), limits)


def network_of(address: str, *, bits: int = 32, bits_of_six: int = 64) -> str | None:
    """What counts as one address: so many first bits of an IPv4 or IPv6 one, without more said an IPv4 address or the
    /64 that an IPv6 host has to itself; None for loopback."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return None
    kept = bits_of_six if isinstance(parsed, ipaddress.IPv6Address) else bits
    return str(ipaddress.ip_network((parsed, kept), strict=False).network_address)


def _seconds(microseconds: int) -> int:
    return math.ceil(microseconds / 1_000_000)


def _key(policy: Policy, subject: str) -> str:
    """In one hash slot, so that a script may touch two in a cluster; a digest, so that whoever reads the cache does
    not read who asks."""
    return f"{{limits}}:{policy.name}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
