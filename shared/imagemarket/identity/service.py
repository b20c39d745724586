"""The use cases of identity: register, sign in, stay signed in, sign out."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from imagemarket.identity.attempts import AttemptLimiter, neighbourhood_of
from imagemarket.identity.emails import normalise
from imagemarket.identity.errors import EmailTaken, InvalidCredentials, InvalidMailToken, InvalidRefreshToken
from imagemarket.identity.mails import token_digest
from imagemarket.identity.models import (
    ACCESS_TOKEN_LIFETIME,
    MAX_DISPLAY_NAME_CHARACTERS,
    MAX_PASSWORD_CHARACTERS,
    MIN_PASSWORD_CHARACTERS,
    REFRESH_TOKEN_LIFETIME,
    Account,
    PublicRole,
    RefreshToken,
    Role,
    TokenPair,
)
from imagemarket.identity.passwords import PasswordHasher
from imagemarket.identity.ports import IdentityStore, LockedFamily, MailRequests
from imagemarket.identity.tokens import TokenIssuer
from imagemarket.identity.weak_passwords import weakness_of
from imagemarket.platform.clock import Clock
from imagemarket.platform.errors import InvalidRequest, NotFound, Unauthenticated
from imagemarket.platform.ids import new_id
from imagemarket.platform.telemetry import count, logger
from imagemarket.platform.text import clean_line

REFRESH_GRACE = ACCESS_TOKEN_LIFETIME
"""How long a replaced refresh token is still taken for a doubled request, or for one whose answer was lost, rather than
for theft: until its holder has to refresh again. However late the second of two requests is handled, it is no longer
than that after the first. Shorter would find no copy sooner: the use of a successor does, at any time."""
MAX_LIVE_IN_FAMILY = 16
"""A doubled request leaves two live tokens until one is used. More than this no client asks for that keeps its session:
whoever does holds a copy, and would else keep its owner out by taking every place of the grace."""

_ANOTHER_MAIL = "The token is unknown, was used, or is over; have another mail sent."
_SIGN_IN_AGAIN = "The refresh token cannot be used; sign in again at POST /v1/auth/login."
_REFRESH_TOKEN_BYTES = 32


class Identity:
    """Accounts and their sessions.

    A session is a *family* of refresh tokens: the one given at sign-in and those that replaced it,
    each of which can be used once. Whoever uses one a second time holds a copy, be it the thief or
    the owner, so the whole family ends. The exception is a request that a client or a network sent
    twice, or again for want of an answer: within `REFRESH_GRACE` of its use a token is answered with one
    more successor, as long as no successor has been used. Both are live until one is used; that retires the
    other, and the use of a retired one is proof of two holders at any time, be it a moment later. So a copy
    taken within the grace is found out as soon as both sides have refreshed once more. One token exchanged more
    than `MAX_LIVE_IN_FAMILY` times counts as a copy too, so that no side can crowd out the other unseen.
    """

    def __init__(
        self,
        *,
        store: IdentityStore,
        hasher: PasswordHasher,
        issuer: TokenIssuer,
        attempts: AttemptLimiter,
        mails: MailRequests,
        clock: Clock,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._issuer = issuer
        self._attempts = attempts
        self._mails = mails
        self._clock = clock

    # --- accounts --------------------------------------------------------------------------------

    def register(self, *, email: str, password: str, role: PublicRole, display_name: str, address: str) -> Account:
        """Opens an account and has a mail sent that confirms its e-mail; `address` is the network address of whoever
        asks.

        Raises `InvalidRequest`, `TooManyRequests` or `EmailTaken`. That an address has an account
        can be learnt here and nowhere else, at the price of a counted registration.
        """
        if role not in ("contributor", "buyer"):
            raise _invalid("role", "must be contributor or buyer")
        # What is not taken opens no account and tells of none, and is not counted: people try several passwords.
        account = self._new_account(email=email, password=password, role=role, display_name=display_name)
        self._attempts.registration(address=address)
        # Hashed before anyone looks whether the e-mail is taken: both answers take the same time.
        self._add(account, password)
        self._store.remember_network(account.id, neighbourhood_of(address), account.created_at)
        self._mails.request("confirm_email", account.email)
        logger.info("registered", account_id=str(account.id), role=role)
        count("Registrations")
        return account

    def create_admin(self, *, email: str, password: str | None, display_name: str, promote: bool = False) -> Account:
        """Makes an admin: a new account, or with `promote` the existing one, whose password stays.

        For operators alone. Raises `EmailTaken` for an existing account that is not to be promoted,
        and `InvalidRequest`.
        """
        known = self._store.credentials(normalise(email))
        if known is not None:
            if not promote:
                raise EmailTaken("An account with this e-mail exists; promote it with --promote.")
            self._store.set_role(known.account.id, "admin")
            logger.info("promoted", account_id=str(known.account.id))
            return replace(known.account, role="admin")
        if password is None:
            raise _invalid("password", "is needed for a new account")
        account = self._new_account(email=email, password=password, role="admin", display_name=display_name)
        account = replace(account, email_confirmed_at=account.created_at)  # an operator gave it
        self._add(account, password)
        logger.info("created an admin", account_id=str(account.id))
        return account

    def confirm_by_operator(self, email: str) -> Account:
        """Takes an account's address as confirmed. For operators alone. Raises `NotFound`."""
        known = self._store.credentials(normalise(email))
        if known is None:
            raise NotFound("There is no account with this e-mail.")
        self._store.confirm_email(known.account.id, self._clock.now())
        return known.account

    def exists(self, email: str) -> bool:
        """Whether there is an account with this e-mail. For operators alone: no route may tell."""
        return self._store.credentials(normalise(email)) is not None

    def is_admin(self, email: str) -> bool:
        """Whether this e-mail's account is an admin's. For operators alone."""
        known = self._store.credentials(normalise(email))
        return known is not None and known.account.role == "admin"

    def account(self, account_id: UUID) -> Account:
        """The account of an authenticated caller. Raises `Unauthenticated` when it has been deleted."""
        account = self._store.account(account_id)
        if account is None:
            raise Unauthenticated("The account of this access token does not exist any more.")
        return account

    def _new_account(self, *, email: str, password: str, role: Role, display_name: str) -> Account:
        address, name = normalise(email), _display_name(display_name)
        _check_password(password, not_one_of=(address, name))
        return Account(id=new_id(), email=address, role=role, display_name=name, created_at=self._clock.now())

    def _add(self, account: Account, password: str) -> None:
        if not self._store.add_account(account, self._hasher.hash(password)):
            raise EmailTaken("An account with this e-mail exists; sign in at POST /v1/auth/login.")

    # --- proof by mail ---------------------------------------------------------------------------

    def request_confirmation(self, account_id: UUID, *, address: str) -> None:
        """Has the mail sent again that confirms an account's address; nothing happens when it is confirmed.

        Raises `Unauthenticated` for a deleted account, `TooManyRequests`.
        """
        account = self.account(account_id)
        self._attempts.mail(address=address)
        if account.email_confirmed_at is None:
            self._mails.request("confirm_email", account.email)

    def confirm_email(self, token: str) -> None:
        """Confirms the address that the token was sent to. Raises `InvalidMailToken`."""
        digest, now = token_digest(token), self._clock.now()
        account = self._store.mail_token_owner(digest, "confirm_email", now)
        if account is None or not self._store.use_mail_token(digest, "confirm_email", now):
            raise InvalidMailToken(_ANOTHER_MAIL)
        self._store.confirm_email(account.id, now)
        logger.info("e-mail confirmed", account_id=str(account.id))
        count("EmailsConfirmed")

    def forgot_password(self, email: str, *, address: str) -> None:
        """Has a mail sent to set a new password with, where the address has an account; nobody learns whether.

        Raises `TooManyRequests` by the network address.
        """
        self._attempts.mail(address=address)
        try:
            known_as = normalise(email)
        except InvalidRequest:
            known_as = ""  # nobody's; goes the way of every unknown e-mail
        self._mails.request("reset_password", known_as)

    def reset_password(self, token: str, password: str, *, address: str) -> None:
        """Sets a new password with the token of a mail, which also confirms its address, and ends every session.

        The network of `address` is remembered as the only one of the owner's: strangers' attempts keep nobody out who
        reads the account's mail, and who opened the account in the owner's name is a stranger. Raises
        `InvalidMailToken`, and `InvalidRequest` for a password that is not taken (the token stays good).
        """
        digest, now = token_digest(token), self._clock.now()
        account = self._store.mail_token_owner(digest, "reset_password", now)
        if account is None:
            raise InvalidMailToken(_ANOTHER_MAIL)
        _check_password(password, not_one_of=(account.email, account.display_name))
        hashed = self._hasher.hash(password)
        if not self._store.use_mail_token(digest, "reset_password", now):
            raise InvalidMailToken(_ANOTHER_MAIL)
        self._store.change_password(account.id, hashed, now, by_mail=True)
        self._store.confirm_email(account.id, now)
        self._store.remember_network(account.id, neighbourhood_of(address), now)
        self._attempts.signed_in(email=account.email, address=address)
        self._password_changed(account)

    def change_password(self, account_id: UUID, *, current: str, new: str, address: str) -> TokenPair:
        """Changes the password, ends every session and begins one for the caller. Tokens that were mailed to set one
        with stay good: who has taken an account over must not be able to close its owner's way back.

        Raises `InvalidCredentials` for a wrong current password, which counts like a sign-in (`TooManyRequests`),
        `InvalidRequest` for a new one that is not taken, `Unauthenticated` for a deleted account.
        """
        account = self.account(account_id)
        self._attempts.sign_in(email=account.email, address=address, known=True)
        kept = self._store.credentials_of(account_id)
        if not self._hasher.verify(current, kept.password_hash if kept else None):
            count("SignInsRefused")
            raise InvalidCredentials("The current password is wrong.")
        # Before the new one is looked at: one that is not taken was no guess at the current one.
        self._attempts.signed_in(email=account.email, address=address)
        _check_password(new, not_one_of=(account.email, account.display_name), field="new_password")
        now = self._clock.now()
        self._store.change_password(account_id, self._hasher.hash(new), now, by_mail=False)
        self._password_changed(account)
        return self._begin_session(account, now, neighbourhood_of(address))

    def _password_changed(self, account: Account) -> None:
        self._mails.request("password_changed", account.email)
        logger.info("password changed", account_id=str(account.id))
        count("PasswordsChanged")

    # --- sessions --------------------------------------------------------------------------------

    def login(self, *, email: str, password: str, address: str) -> TokenPair:
        """Signs in. Raises `TooManyRequests` or `InvalidCredentials`.

        An unknown e-mail and a wrong password get the same answer after the same work, and count
        against the same limits. Strangers who guess keep out strangers: from a network that the account
        has signed in from before, only its own attempts count.
        """
        try:
            known_as = normalise(email)
        except InvalidRequest:
            known_as = email.strip().lower()  # nobody's; goes the way of every unknown e-mail
        credentials = self._store.credentials(known_as)
        network = neighbourhood_of(address)
        known = credentials is not None and self._store.knows_network(credentials.account.id, network)
        self._attempts.sign_in(email=known_as, address=address, known=known)
        matches = self._hasher.verify(password, credentials.password_hash if credentials else None)
        if credentials is None or not matches:
            logger.info("sign-in refused")
            count("SignInsRefused")
            raise InvalidCredentials("E-mail or password is wrong.")
        account = credentials.account
        self._attempts.signed_in(email=known_as, address=address)
        pair = self._begin_session(account, credentials.password_changed_at, network)
        if self._hasher.is_outdated(credentials.password_hash):
            # Where it was changed meanwhile, the old one must not come back.
            self._store.set_password_hash(account.id, self._hasher.hash(password), instead_of=credentials.password_hash)
        return pair

    def _begin_session(self, account: Account, password_changed_at: datetime | None, network: str) -> TokenPair:
        """The first pair of a new session, for who has just proved from this network to know the password that was set
        then."""
        token, kept = self._refresh_token(account_id=account.id, family_id=new_id())
        pair = self._pair(account, token)
        if not self._store.start_family(kept, network=network, password_changed_at=password_changed_at):
            raise InvalidCredentials("The password was changed a moment ago; sign in with the new one.")
        logger.info("signed in", account_id=str(account.id))
        count("SignIns")
        return pair

    def refresh(self, refresh_token: str) -> TokenPair:
        """Exchanges a refresh token for a new pair; the account's role is read anew.

        Raises `InvalidRefreshToken`: unknown, over, revoked, used before, or sent too often. In the last two cases
        the family is revoked.
        """
        with self._store.locked_family(token_digest(refresh_token)) as family:
            pair = None if family is None else self._exchange(family)
        # Refused only here: raised inside, it would undo the revocation.
        if pair is None:
            count("RefreshesRefused")
            raise InvalidRefreshToken(_SIGN_IN_AGAIN)
        return pair

    def _exchange(self, family: LockedFamily) -> TokenPair | None:
        presented, now = family.presented, self._clock.now()
        if presented.revoked_at is not None or now >= presented.expires_at:
            return None
        if presented.replaced_at is None:
            family.use(now)
        elif (
            presented.used_at is None
            or now - presented.used_at > REFRESH_GRACE
            or family.successor_used()
            or family.live() >= MAX_LIVE_IN_FAMILY
        ):
            family.revoke(now)
            logger.warning(
                "a replaced refresh token was used again: session ended",
                account_id=str(presented.account_id),
                family_id=str(presented.family_id),
            )
            count("RefreshTokenReuse")
            return None
        token, kept = self._refresh_token(account_id=presented.account_id, family_id=presented.family_id)
        family.add(replace(kept, parent_sha256=presented.sha256))
        return self._pair(family.account, token)

    def logout(self, refresh_token: str) -> None:
        """Ends the session of a refresh token; nothing happens when there is none.

        Access tokens given out in it hold until they expire, at most `ACCESS_TOKEN_LIFETIME`.
        """
        with self._store.locked_family(token_digest(refresh_token)) as family:
            if family is not None:
                family.revoke(self._clock.now())
                logger.info("signed out", account_id=str(family.account.id))

    def end_sessions(self, account_id: UUID) -> None:
        """Ends every session of the account. Access tokens hold until they expire, as with `logout`."""
        self._store.end_sessions(account_id, self._clock.now())
        logger.info("all sessions ended", account_id=str(account_id))

    def _refresh_token(self, *, account_id: UUID, family_id: UUID) -> tuple[str, RefreshToken]:
        token = secrets.token_urlsafe(_REFRESH_TOKEN_BYTES)
        now = self._clock.now()
        return token, RefreshToken(
            sha256=token_digest(token),
            family_id=family_id,
            account_id=account_id,
            issued_at=now,
            expires_at=now + REFRESH_TOKEN_LIFETIME,
        )

    def _pair(self, account: Account, refresh_token: str) -> TokenPair:
        return TokenPair(
            account=account,
            access_token=self._issuer.issue(account),
            refresh_token=refresh_token,
            expires_in=int(ACCESS_TOKEN_LIFETIME.total_seconds()),
            refresh_expires_in=int(REFRESH_TOKEN_LIFETIME.total_seconds()),
        )


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {message}.", errors=[{"in": "body", "field": name, "detail": message}])


def _display_name(text: str) -> str:
    """Trimmed and composed (NFC). Raises `InvalidRequest` for what cannot be shown as one line."""
    try:
        name = clean_line(text)
    except ValueError as error:
        raise _invalid("display_name", str(error)) from None
    if not 1 <= len(name) <= MAX_DISPLAY_NAME_CHARACTERS:
        raise _invalid("display_name", f"takes 1 to {MAX_DISPLAY_NAME_CHARACTERS} characters")
    return name


def _check_password(password: str, *, not_one_of: tuple[str, str], field: str = "password") -> None:
    """`not_one_of` are the account's e-mail and name. Raises `InvalidRequest`."""
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise _invalid(field, f"takes {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters")
    if password.casefold() in {text.casefold() for text in not_one_of}:
        raise _invalid(field, "must not be the e-mail or the name")
    email, name = not_one_of
    weakness = weakness_of(password, about=(email, *email.split("@"), name, *name.split(), "imagemarket"))
    if weakness is not None:
        raise _invalid(field, weakness)
