"""Access tokens: short-lived JWTs (RFC 7519) that only RS256 signs and only RS256 verifies."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_args
from uuid import UUID

from imagemarket.identity.models import ACCESS_TOKEN_LIFETIME, AccessClaims, Account, Role
from imagemarket.identity.signing_keys import ALGORITHM, SigningKeys
from imagemarket.platform.clock import Clock
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ids import new_id
from imagemarket.platform.telemetry import count, logger

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

PUBLIC_KEYS_HELD = timedelta(minutes=5)
"""How long a process goes on with the JWKS, or with the private keys, that it has read."""
_ASK_AGAIN_AFTER = timedelta(seconds=30)
"""An unknown key id is a reason to read the JWKS again, but not for whoever sends one per request."""
_LEEWAY = timedelta(seconds=5)
"""How far two machines' clocks may be apart."""
_MAX_TOKEN_CHARACTERS = 4096
_REQUIRED = ["iss", "sub", "role", "jti", "iat", "exp"]


class InvalidToken(Exception):
    """Not a token of ours: malformed, forged, or about something else. Says which, never shows it."""


class ExpiredToken(Exception):
    """A token of ours in every way, and over."""


_Read = TypeVar("_Read")


class _Held(Generic[_Read]):
    """Something read from elsewhere and held for a while; when it cannot be read again, held on to."""

    def __init__(self, read: Callable[[], _Read], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._value: _Read | None = None
        self._asked_at: datetime | None = None

    def get(self, *, no_older_than: timedelta = PUBLIC_KEYS_HELD) -> _Read:
        """The value, read anew when the last try is longer ago. Raises what `read` does, the first time."""
        now = self._clock.now()
        if self._value is None or self._asked_at is None or now - self._asked_at >= no_older_than:
            try:
                self._value = self._read()
            except Exception as error:
                if self._value is None:
                    raise
                logger.warning("going on with the keys read before", error=type(error).__name__)
                count("KeysNotRefreshed")
            self._asked_at = now
        return self._value


class PublicKeys:
    """The JWKS, held for some minutes and read again once for a key id that it lacks."""

    def __init__(self, read: Callable[[], str], clock: Clock) -> None:
        self._held: _Held[tuple[dict[str, Any], dict[str, RSAPublicKey]]] = _Held(lambda: _parsed(read()), clock)

    def document(self) -> dict[str, Any]:
        """The JWKS itself."""
        document, _ = self._held.get()
        return document

    def key(self, kid: str) -> RSAPublicKey | None:
        """The public key of this id, or None."""
        _, keys = self._held.get()
        if kid not in keys:
            _, keys = self._held.get(no_older_than=_ASK_AGAIN_AFTER)
        return keys.get(kid)


def _parsed(text: str) -> tuple[dict[str, Any], dict[str, RSAPublicKey]]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt.algorithms import RSAAlgorithm

    document = json.loads(text)
    keys: dict[str, RSAPublicKey] = {}
    for jwk in document.get("keys", []):
        if jwk.get("kty") == "RSA" and jwk.get("alg") == ALGORITHM and jwk.get("use") == "sig":
            key = RSAAlgorithm.from_jwk(jwk)
            if isinstance(key, RSAPublicKey):
                keys[jwk["kid"]] = key
    return document, keys


class TokenIssuer:
    """Signs access tokens with the active key."""

    def __init__(self, read_keys: Callable[[], str], *, issuer: str, clock: Clock) -> None:
        self._held: _Held[tuple[str, RSAPrivateKey]] = _Held(lambda: _active(read_keys()), clock)
        self._issuer = issuer
        self._clock = clock

    def issue(self, account: Account) -> str:
        """A token that says who the account is, for `ACCESS_TOKEN_LIFETIME`.

        Raises `DependencyUnavailable` when the deployment has not made signing keys yet.
        """
        import jwt

        try:
            kid, key = self._held.get()
        except ValueError as error:
            raise DependencyUnavailable("Signing in is not possible yet: there are no usable signing keys.") from error
        now = self._clock.now()
        return jwt.encode(
            {
                "iss": self._issuer,
                "sub": str(account.id),
                "role": account.role,
                "jti": str(new_id()),
                "iat": int(now.timestamp()),
                "exp": int((now + ACCESS_TOKEN_LIFETIME).timestamp()),
            },
            key,
            algorithm=ALGORITHM,
            headers={"kid": kid},
        )


def _active(text: str) -> tuple[str, RSAPrivateKey]:
    keys = SigningKeys.parse(text)
    return keys.active, keys.private_key(keys.active)


class TokenVerifier:
    """Tells whose an access token is, with public keys alone."""

    def __init__(self, keys: PublicKeys, *, issuer: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock

    def verify(self, token: str) -> AccessClaims:
        """What the token says. Raises `InvalidToken`, or `ExpiredToken` for one that was valid.

        The token has no say in how it is checked: the algorithm is fixed, and its header may only
        choose among our own keys.
        """
        import jwt

        if len(token) > _MAX_TOKEN_CHARACTERS:
            raise InvalidToken("too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise InvalidToken("malformed") from error
        key = self._keys.key(kid) if isinstance(kid, str) else None
        if key is None:
            raise InvalidToken("signed by no key of ours")
        try:
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                # The times are checked below, by the clock that this was given.
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken(type(error).__name__) from error
        claims = _claims(payload)
        now = self._clock.now()
        if claims.issued_at > now + _LEEWAY:
            raise InvalidToken("issued in the future")
        if now >= claims.expires_at + _LEEWAY:
            raise ExpiredToken
        return claims


def _claims(payload: dict[str, Any]) -> AccessClaims:
    if payload["role"] not in get_args(Role) or not isinstance(payload["jti"], str):
        raise InvalidToken("claims of another kind")
    try:
        return AccessClaims(
            account_id=UUID(payload["sub"]),
            role=cast("Role", payload["role"]),
            token_id=payload["jti"],
            issued_at=datetime.fromtimestamp(payload["iat"], tz=UTC),
            expires_at=datetime.fromtimestamp(payload["exp"], tz=UTC),
        )
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise InvalidToken("claims of another kind") from error
