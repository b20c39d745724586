"""Access tokens: ours are taken, everything else is not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from imagemarket.identity.models import Account
from imagemarket.identity.signing_keys import SigningKeys
from imagemarket.identity.tokens import (
    PUBLIC_KEYS_HELD,
    ExpiredToken,
    InvalidToken,
    PublicKeys,
    TokenIssuer,
    TokenVerifier,
)
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ids import new_id
from tests.unit.identity.kit import ISSUER, START, Kit, other_signing_keys, public_jwks, signing_keys

ACCOUNT = Account(id=new_id(), email="ann@example.com", role="buyer", display_name="Ann Adams", created_at=START)


def claims(**changed: Any) -> dict[str, Any]:
    now = int(START.timestamp())
    given = {
        "iss": ISSUER,
        "sub": str(ACCOUNT.id),
        "role": "buyer",
        "jti": str(new_id()),
        "iat": now,
        "exp": now + 900,
    }
    return {name: value for name, value in (given | changed).items() if value is not None}


def signed(payload: dict[str, Any], keys: SigningKeys | None = None, kid: str | None = None) -> str:
    keys = keys or signing_keys()
    return jwt.encode(payload, keys.keys[keys.active], algorithm="RS256", headers={"kid": kid or keys.active})


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def signed_with_the_public_key() -> str:
    """The old confusion: the RSA public key, which everyone has, as an HMAC secret."""
    import hashlib
    import hmac

    public = (
        signing_keys()
        .private_key(signing_keys().active)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    head = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': signing_keys().active})}.{encoded(claims())}"
    mac = hmac.digest(public, head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def unsigned(algorithm: str) -> str:
    return f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': signing_keys().active})}.{encoded(claims())}."


def tampered() -> str:
    head, _, signature = signed(claims()).split(".")
    return f"{head}.{encoded(claims(role='admin'))}.{signature}"


FORGERIES: dict[str, Callable[[], str]] = {
    "another key under our key's id": lambda: signed(
        claims(role="admin"), other_signing_keys(), kid=signing_keys().active
    ),
    "another key under its own id": lambda: signed(claims(), other_signing_keys()),
    "no algorithm": lambda: unsigned("none"),
    "no algorithm, shouted": lambda: unsigned("None"),
    "HMAC with the public key": signed_with_the_public_key,
    "RS512 with our key": lambda: jwt.encode(
        claims(),
        signing_keys().keys[signing_keys().active],
        algorithm="RS512",
        headers={"kid": signing_keys().active},
    ),
    "claims changed after signing": tampered,
    "another issuer": lambda: signed(claims(iss="https://elsewhere.example")),
    "no key id": lambda: jwt.encode(claims(), signing_keys().keys[signing_keys().active], algorithm="RS256"),
    "a path for a key id": lambda: signed(claims(), kid="../../dev/null"),
    **{f"no {name}": lambda name=name: signed(claims(**{name: None})) for name in claims()},
    "a role that does not exist": lambda: signed(claims(role="root")),
    "a subject that is no account": lambda: signed(claims(sub="ann")),
    "an expiry beyond all calendars": lambda: signed(claims(exp=10**20)),
    "an expiry in words": lambda: signed(claims(exp="never")),
    "issued tomorrow": lambda: signed(claims(iat=int(START.timestamp()) + 86400)),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "words": lambda: "not a token",
    "beyond ASCII": lambda: "tökén.tökén.tökén",
    "a header that is no object": lambda: f"{encoded([])}.{encoded(claims())}.c2ln",
    "a header far too long": lambda: signed(claims(jti="x" * 5000)),
    "a forgery that is over as well": lambda: signed(
        claims(exp=int(START.timestamp()) - 60), other_signing_keys(), kid=signing_keys().active
    ),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_what_is_not_ours_is_refused(forged: Callable[[], str]) -> None:
    with pytest.raises(InvalidToken):
        Kit().verifier.verify(forged())


def test_ours_says_who_it_is_for_a_quarter_of_an_hour() -> None:
    kit = Kit()
    token = kit.issuer.issue(ACCOUNT)
    verified = kit.verifier.verify(token)
    assert (verified.account_id, verified.role) == (ACCOUNT.id, "buyer")
    kit.clock.advance(timedelta(minutes=15, seconds=4))
    assert kit.verifier.verify(token) == verified
    kit.clock.advance(timedelta(seconds=1))
    with pytest.raises(ExpiredToken):
        kit.verifier.verify(token)


def test_a_token_carries_nothing_but_its_claims() -> None:
    token = Kit().issuer.issue(ACCOUNT)
    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "typ": "JWT",
        "kid": signing_keys().active,
    }
    assert set(jwt.decode(token, options={"verify_signature": False})) == {
        "iss", "sub", "role", "jti", "iat", "exp",
    }  # fmt: skip


def test_two_tokens_of_one_account_have_two_ids() -> None:
    kit = Kit()
    first, second = (kit.verifier.verify(kit.issuer.issue(ACCOUNT)) for _ in range(2))
    assert first.token_id != second.token_id


class Parameter:
    """A JWKS somewhere else, that counts how often it is asked and can be away."""

    def __init__(self, *keys: SigningKeys) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.away = False

    def read(self) -> str:
        self.asked += 1
        if self.away:
            raise ConnectionError("throttled")
        return json.dumps({"keys": [jwk for keys in self.keys for jwk in keys.public_jwks()["keys"]]})


def test_the_keys_are_asked_for_once_in_some_minutes() -> None:
    clock, parameter = ManualClock(START), Parameter(signing_keys())
    keys = PublicKeys(parameter.read, clock)
    for _ in range(10):
        assert keys.key(signing_keys().active)
    assert parameter.asked == 1
    clock.advance(PUBLIC_KEYS_HELD)
    assert keys.key(signing_keys().active)
    assert parameter.asked == 2


def test_an_unknown_key_id_is_asked_for_once_and_then_not_for_a_while() -> None:
    clock, parameter = ManualClock(START), Parameter(signing_keys())
    keys = PublicKeys(parameter.read, clock)
    assert keys.key(signing_keys().active)
    clock.advance(timedelta(minutes=1))
    parameter.keys.append(other_signing_keys())
    assert keys.key(other_signing_keys().active), "a new key is taken at once"
    assert parameter.asked == 2
    for n in range(50):
        assert keys.key(f"made-up-{n}") is None
    assert parameter.asked == 2
    clock.advance(timedelta(seconds=30))
    assert keys.key("made-up") is None
    assert parameter.asked == 3


def test_while_the_keys_cannot_be_read_the_ones_held_go_on() -> None:
    clock, parameter = ManualClock(START), Parameter(signing_keys())
    keys = PublicKeys(parameter.read, clock)
    assert keys.key(signing_keys().active)
    parameter.away = True
    clock.advance(timedelta(hours=1))
    assert keys.key(signing_keys().active)
    assert keys.key(signing_keys().active)
    assert parameter.asked == 2


def test_with_no_keys_at_all_that_is_an_error_and_not_a_refusal() -> None:
    parameter = Parameter()
    parameter.away = True
    with pytest.raises(ConnectionError):
        PublicKeys(parameter.read, ManualClock(START)).key("any")


@pytest.mark.parametrize("changed", [{"kty": "EC"}, {"alg": "RS512"}, {"use": "enc"}])
def test_a_published_key_for_something_else_verifies_nothing(changed: dict[str, str]) -> None:
    [jwk] = signing_keys().public_jwks()["keys"]
    keys = PublicKeys(lambda: json.dumps({"keys": [jwk | changed]}), ManualClock(START))
    assert keys.key(signing_keys().active) is None


def test_a_retired_key_still_verifies_while_it_is_published() -> None:
    clock = ManualClock(START)
    both = SigningKeys(active=other_signing_keys().active, keys=signing_keys().keys | other_signing_keys().keys)
    verifier = TokenVerifier(PublicKeys(lambda: public_jwks(both), clock), issuer=ISSUER, clock=clock)
    old = TokenIssuer(signing_keys().to_json, issuer=ISSUER, clock=clock).issue(ACCOUNT)
    new = TokenIssuer(both.to_json, issuer=ISSUER, clock=clock).issue(ACCOUNT)
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert verifier.verify(old).account_id == verifier.verify(new).account_id == ACCOUNT.id


@pytest.mark.parametrize("secret", ["", "Rand0m-String", "{}", '{"active": "a", "keys": {}}', '{"keys": {"a": "b"}}'])
def test_before_there_are_keys_nobody_signs_in_and_is_told_so(secret: str) -> None:
    issuer = TokenIssuer(lambda: secret, issuer=ISSUER, clock=ManualClock(START))
    with pytest.raises(DependencyUnavailable) as refused:
        issuer.issue(ACCOUNT)
    assert not secret or secret not in refused.value.detail
