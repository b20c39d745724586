"""Tokens, passwords and the mails of accounts."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class IdentitySettings(RoomSettings):
    """Tokens, passwords and the mails of accounts."""

    signing_key_secret_arn: str = UNSET
    """Secret with the private RS256 keys that sign access tokens."""
    jwks_parameter: str = UNSET
    """SSM parameter with the public JWKS that access tokens are verified against."""
    token_issuer: str = "imagemarket"  # noqa: S105 - an issuer's name, no secret
    """`iss` of access tokens."""
    bcrypt_cost: int = 12
    """Work factor of password hashes."""
