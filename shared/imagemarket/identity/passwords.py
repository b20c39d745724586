"""Passwords: bcrypt over a digest, in the same time whether or not there is an account."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata

_LABEL = b"imagemarket.password.v1"
_NOBODY = "." * 53
"""Salt and digest of a hash that no password has been hashed to: 22 characters and 31."""


def _digest(password: str) -> bytes:
    """44 ASCII bytes that stand for the whole password.

    bcrypt reads 72 bytes and stops at a NUL, so a longer password would be cut (or refused), and
    another with the same beginning let in. A SHA-256 in base64 has neither fault. It is keyed with a
    label of this product, because a bare SHA-256 could be looked for in lists of SHA-256 hashes
    leaked elsewhere ("password shucking"). NFKC first, so that one password typed on two keyboards
    is one password (NIST SP 800-63B, 3.1.1.2).
    """
    text = unicodedata.normalize("NFKC", password)
    return base64.b64encode(hmac.digest(_LABEL, text.encode(), hashlib.sha256))


class PasswordHasher:
    """Hashes and checks passwords; `cost` is bcrypt's work factor (each step doubles the time)."""

    def __init__(self, cost: int) -> None:
        self._cost = cost

    def hash(self, password: str) -> str:
        """The 60 characters to keep: algorithm, cost, salt and digest."""
        import bcrypt

        return bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._cost)).decode()

    def verify(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one that `kept` was made of.

        With None (no such account), or what no password hashes to (an account that cannot sign in),
        the same work is done for nothing, so that the time of an answer does not tell who has an
        account.
        """
        import bcrypt

        usable = kept if kept is not None and kept.startswith("$2b$") else None
        hashed = usable if usable is not None else f"$2b${self._cost:02d}${_NOBODY}"
        matches = bcrypt.checkpw(_digest(password), hashed.encode())
        return matches and usable is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made at another cost than today's, and should be made again."""
        return not kept.startswith(f"$2b${self._cost:02d}$")
