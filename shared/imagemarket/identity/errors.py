"""The errors of accounts, sessions and their mails."""

from __future__ import annotations

from imagemarket.platform.errors import Conflict, InvalidRequest, Unauthenticated


class InvalidMailToken(InvalidRequest):
    """The token of an e-mail is unknown, was used, or is over."""

    slug, title, status = "invalid-mail-token", "The token of the e-mail cannot be used", 422


class InvalidCredentials(Unauthenticated):
    """Unknown e-mail or wrong password: deliberately one answer for both."""

    slug, title, status = "invalid-credentials", "E-mail or password is wrong", 401


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, over, revoked, or was used before."""

    slug, title, status = "invalid-refresh-token", "The refresh token cannot be used", 401


class EmailTaken(Conflict):
    """An account with this e-mail exists."""

    slug, title, status = "email-taken", "An account with this e-mail exists", 409
