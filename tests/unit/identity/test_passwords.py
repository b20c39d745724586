"""Passwords of any length, checked in one amount of work."""

from __future__ import annotations

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemarket.identity.passwords import PasswordHasher
from tests.unit.identity.kit import CHEAP

hasher = PasswordHasher(CHEAP)


def test_a_password_matches_its_hash_and_no_other_does() -> None:
    kept = hasher.hash("correct horse battery staple")
    assert hasher.verify("correct horse battery staple", kept)
    assert not hasher.verify("correct horse battery stapl", kept)
    assert not hasher.verify("", kept)


@pytest.mark.parametrize("length", [71, 72, 73, 256])
def test_every_character_counts_also_beyond_the_72_bytes_of_bcrypt(length: int) -> None:
    kept = hasher.hash("a" * length)
    assert hasher.verify("a" * length, kept)
    assert not hasher.verify("a" * (length - 1) + "b", kept)
    assert not hasher.verify("a" * (length + 1), kept)


def test_a_nul_does_not_end_the_password() -> None:
    assert not hasher.verify("begins alike\0but not this", hasher.hash("begins alike\0and ends so"))


def test_one_password_in_two_unicode_forms_is_one_password() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert hasher.verify(decomposed, hasher.hash(composed))


def test_two_hashes_of_one_password_differ() -> None:
    assert hasher.hash("the same password") != hasher.hash("the same password")


def test_what_is_kept_is_no_bcrypt_of_the_password_nor_of_its_bare_digest() -> None:
    import base64
    import hashlib

    kept = hasher.hash("password shucking").encode()
    bare = base64.b64encode(hashlib.sha256(b"password shucking").digest())
    assert not bcrypt.checkpw(b"password shucking", kept)
    assert not bcrypt.checkpw(bare, kept)


def test_for_nobody_the_same_work_is_done_at_the_same_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    real = bcrypt.checkpw

    def recorded(password: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", recorded)
    kept = hasher.hash("correct horse battery staple")
    assert not hasher.verify("whatever it is", None)
    assert not hasher.verify("whatever it is", kept)
    nobody, somebody = checked
    assert nobody[:7] == somebody[:7], "algorithm and cost"
    assert len(nobody) == len(somebody) == 60


def test_an_account_without_a_password_lets_nobody_in() -> None:
    assert not hasher.verify("!", "!")


def test_a_hash_of_another_cost_is_outdated() -> None:
    assert not hasher.is_outdated(hasher.hash("correct horse battery staple"))
    assert PasswordHasher(CHEAP + 1).is_outdated(hasher.hash("correct horse battery staple"))


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_any_text_can_be_a_password(password: str) -> None:
    assert hasher.verify(password, hasher.hash(password))
