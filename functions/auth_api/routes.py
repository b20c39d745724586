"""`/v1/auth/*` and `/.well-known/jwks.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from imagemarket.app import app
from imagemarket.identity.errors import EmailTaken, InvalidCredentials, InvalidMailToken, InvalidRefreshToken
from imagemarket.identity.models import (
    MAX_DISPLAY_NAME_CHARACTERS,
    MAX_EMAIL_CHARACTERS,
    MAX_PASSWORD_CHARACTERS,
    MIN_PASSWORD_CHARACTERS,
    NEW_PASSWORD_COST,
    Account,
    PublicRole,
    Role,
    TokenPair,
)
from imagemarket.platform.errors import (
    DependencyUnavailable,
    InvalidRequest,
    TokenExpired,
    TooManyRequests,
    Unauthenticated,
)
from imagemarket.platform.http import (
    Caller,
    StrictRoute,
    client_address,
    create_api,
    current_caller,
    problem_responses,
    spend,
)
from imagemarket.platform.text import LOST, LOST_LETTERS, Text

router = APIRouter(route_class=StrictRoute)

_JWKS_SECONDS = 300

Email = Annotated[
    str,
    Text(least=3, most=MAX_EMAIL_CHARACTERS),
    Field(
        description="Case does not matter.",
        examples=["ann@example.com"],
    ),
]


def _text(secret: SecretStr) -> SecretStr:
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None
    return secret


SecretText = Annotated[SecretStr, AfterValidator(_text)]


def _whole(secret: SecretStr) -> SecretStr:
    if LOST in secret.get_secret_value():  # nobody could type it again
        raise ValueError(LOST_LETTERS)
    return secret


NewPassword = Annotated[
    SecretText,
    AfterValidator(_whole),
    Field(
        min_length=MIN_PASSWORD_CHARACTERS,
        max_length=MAX_PASSWORD_CHARACTERS,
        description="Any characters; a long phrase is best. What is easy to guess is refused.",
    ),
]
MailToken = Annotated[SecretText, Field(min_length=1, max_length=200, description="As the mail has it; good once.")]


class Registration(BaseModel):
    """An account to open."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: NewPassword
    role: Annotated[PublicRole, Field(description="Contributors offer pictures, buyers look for them.")]
    display_name: Annotated[
        str,
        Text(least=1, most=MAX_DISPLAY_NAME_CHARACTERS),
        Field(
            description="Public: a contributor's pictures carry it.",
            examples=["Ann Adams"],
        ),
    ]


class SignIn(BaseModel):
    """An e-mail and its password."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Annotated[SecretText, Field(min_length=1, max_length=MAX_PASSWORD_CHARACTERS)]


class RefreshTokenBody(BaseModel):
    """A refresh token, as it was given out."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[SecretText, Field(min_length=1, max_length=200)]


class Confirmation(BaseModel):
    """The token of the mail that confirms an address."""

    model_config = ConfigDict(extra="forbid")

    token: MailToken


class ForgottenPassword(BaseModel):
    """Whose password was forgotten."""

    model_config = ConfigDict(extra="forbid")

    email: Email


class PasswordReset(BaseModel):
    """A new password, with the token of the mail that allows it."""

    model_config = ConfigDict(extra="forbid")

    token: MailToken
    password: NewPassword


class PasswordChange(BaseModel):
    """A new password, with the one that it takes the place of."""

    model_config = ConfigDict(extra="forbid")

    current_password: Annotated[SecretText, Field(min_length=1, max_length=MAX_PASSWORD_CHARACTERS)]
    new_password: NewPassword


class AccountView(BaseModel):
    """An account, as its owner sees it."""

    id: UUID
    email: str
    email_confirmed: Annotated[bool, Field(description="News are mailed to a confirmed address alone.")]
    role: Role
    display_name: str
    created_at: datetime


class TokenView(BaseModel):
    """What a session runs on (the fields of RFC 6749, 5.1). Keep both tokens secret."""

    access_token: Annotated[
        str, Field(description="Send it as `Authorization: Bearer …`. RS256; its keys are in the JWKS.")
    ]
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme's name
    expires_in: Annotated[int, Field(description="Seconds that the access token holds.")]
    refresh_token: Annotated[str, Field(description="Good for one `POST /v1/auth/refresh`, which gives the next one.")]
    refresh_expires_in: Annotated[int, Field(description="Seconds that the refresh token holds.")]
    account: AccountView


class PublicKey(BaseModel):
    """An RSA public key as RFC 7517 has it."""

    kty: Literal["RSA"]
    use: Literal["sig"]
    alg: Literal["RS256"]
    kid: Annotated[str, Field(description="Named in the header of each token that the key signed.")]
    n: Annotated[str, Field(description="Modulus, base64url.")]
    e: Annotated[str, Field(description="Exponent, base64url.")]


class PublicKeySet(BaseModel):
    """A JWKS."""

    keys: list[PublicKey]


def _no_store(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


def _account_view(account: Account) -> AccountView:
    return AccountView(
        id=account.id,
        email=account.email,
        email_confirmed=account.email_confirmed_at is not None,
        role=account.role,
        display_name=account.display_name,
        created_at=account.created_at,
    )


def _token_view(pair: TokenPair) -> TokenView:
    return TokenView(
        access_token=pair.access_token,
        expires_in=pair.expires_in,
        refresh_token=pair.refresh_token,
        refresh_expires_in=pair.refresh_expires_in,
        account=_account_view(pair.account),
    )


@router.post(
    "/v1/auth/register",
    operation_id="register",
    summary="Open an account",
    tags=["Identity"],
    status_code=201,
    responses=problem_responses(EmailTaken, InvalidRequest, TooManyRequests, DependencyUnavailable),
)
def register(body: Registration, request: Request, response: Response) -> AccountView:
    """For contributors and buyers. Sign in afterwards; sending it twice answers `email-taken`. A mail confirms the
    address, at `POST /v1/auth/confirm`."""
    spend(request, NEW_PASSWORD_COST)
    _no_store(response)
    response.headers["Location"] = "/v1/auth/me"
    account = app().identity.service.register(
        email=body.email,
        password=body.password.get_secret_value(),
        role=body.role,
        display_name=body.display_name,
        address=client_address(request),
    )
    return _account_view(account)


@router.post(
    "/v1/auth/login",
    operation_id="login",
    summary="Sign in",
    tags=["Identity"],
    responses=problem_responses(InvalidCredentials, InvalidRequest, TooManyRequests, DependencyUnavailable),
)
def login(body: SignIn, request: Request, response: Response) -> TokenView:
    """Attempts are limited: at one account from one address, at one account from networks that it has not signed in
    from, and from one address at any. `Retry-After` says when the next may come."""
    _no_store(response)
    pair = app().identity.service.login(
        email=body.email, password=body.password.get_secret_value(), address=client_address(request)
    )
    return _token_view(pair)


@router.post(
    "/v1/auth/refresh",
    operation_id="refresh",
    summary="Exchange a refresh token for new tokens",
    tags=["Identity"],
    responses=problem_responses(InvalidRefreshToken, InvalidRequest, DependencyUnavailable),
)
def refresh(body: RefreshTokenBody, response: Response) -> TokenView:
    """Each refresh token can be used once; a request that is sent again within 15 minutes, before a successor
    was used, is answered all the same, with one more successor. The use of one successor retires the others. Using a
    token later, or one that was retired, means that somebody holds a copy, and ends the session for everyone."""
    _no_store(response)
    return _token_view(app().identity.service.refresh(body.refresh_token.get_secret_value()))


@router.post(
    "/v1/auth/logout",
    operation_id="logout",
    summary="Sign out",
    tags=["Identity"],
    status_code=204,
    responses=problem_responses(InvalidRequest, DependencyUnavailable),
)
def logout(body: RefreshTokenBody) -> None:
    """Ends the session that the refresh token belongs to. Access tokens already given out hold until
    they expire, 15 minutes at most. An unknown token is no error."""
    app().identity.service.logout(body.refresh_token.get_secret_value())


@router.post(
    "/v1/auth/logout/all",
    operation_id="logoutAll",
    summary="End all sessions",
    tags=["Identity"],
    status_code=204,
    responses=problem_responses(Unauthenticated, TokenExpired, DependencyUnavailable),
)
def logout_all(caller: Annotated[Caller, Depends(current_caller)]) -> None:
    """Those of every device, this one's too. Access tokens already given out hold until they expire, 15 minutes at
    most."""
    app().identity.service.end_sessions(caller.account_id)


@router.post(
    "/v1/auth/confirm",
    operation_id="confirmEmail",
    summary="Confirm an e-mail address",
    tags=["Identity"],
    status_code=204,
    responses=problem_responses(InvalidMailToken, InvalidRequest, DependencyUnavailable),
)
def confirm_email(body: Confirmation) -> None:
    """With the token of the mail that followed the registration. It holds for a day and can be used once."""
    app().identity.service.confirm_email(body.token.get_secret_value())


@router.post(
    "/v1/auth/confirm/send",
    operation_id="sendConfirmation",
    summary="Have the mail sent again that confirms an address",
    tags=["Identity"],
    status_code=202,
    response_class=Response,
    responses=problem_responses(Unauthenticated, TokenExpired, TooManyRequests, DependencyUnavailable),
)
def send_confirmation(caller: Annotated[Caller, Depends(current_caller)], request: Request) -> Response:
    """An address that is not confirmed is sent three of these a day at most."""
    app().identity.service.request_confirmation(caller.account_id, address=client_address(request))
    return Response(status_code=202)


@router.post(
    "/v1/auth/password",
    operation_id="changePassword",
    summary="Change the password",
    tags=["Identity"],
    responses=problem_responses(
        InvalidCredentials, Unauthenticated, TokenExpired, InvalidRequest, TooManyRequests, DependencyUnavailable
    ),
)
def change_password(
    body: PasswordChange, caller: Annotated[Caller, Depends(current_caller)], request: Request, response: Response
) -> TokenView:
    """Ends all sessions; the answer begins a new one. A wrong current password counts like a failed sign-in. Tokens
    that were mailed to set a new password with stay good."""
    spend(request, NEW_PASSWORD_COST)
    _no_store(response)
    pair = app().identity.service.change_password(
        caller.account_id,
        current=body.current_password.get_secret_value(),
        new=body.new_password.get_secret_value(),
        address=client_address(request),
    )
    return _token_view(pair)


@router.post(
    "/v1/auth/password/forgot",
    operation_id="forgotPassword",
    summary="Have a mail sent to set a new password with",
    tags=["Identity"],
    status_code=202,
    response_class=Response,
    responses=problem_responses(InvalidRequest, TooManyRequests, DependencyUnavailable),
)
def forgot_password(body: ForgottenPassword, request: Request) -> Response:
    """The answer is the same whether or not the address has an account. Few mails go to one address; where one is held
    back, the token of an earlier one is still good."""
    app().identity.service.forgot_password(body.email, address=client_address(request))
    return Response(status_code=202)


@router.post(
    "/v1/auth/password/reset",
    operation_id="resetPassword",
    summary="Set a new password with the token of a mail",
    tags=["Identity"],
    status_code=204,
    responses=problem_responses(InvalidMailToken, InvalidRequest, TooManyRequests, DependencyUnavailable),
)
def reset_password(body: PasswordReset, request: Request) -> None:
    """The token holds for an hour, of an address that is not confirmed for eight, and can be used once; a password that
    is refused leaves it good. Ends all sessions and confirms the address. Attempts by strangers no longer keep the
    network that it came from out."""
    spend(request, NEW_PASSWORD_COST)
    app().identity.service.reset_password(
        body.token.get_secret_value(), body.password.get_secret_value(), address=client_address(request)
    )


@router.get(
    "/v1/auth/me",
    operation_id="getMe",
    summary="The account that is signed in",
    tags=["Identity"],
    responses=problem_responses(Unauthenticated, TokenExpired, DependencyUnavailable),
)
def get_me(caller: Annotated[Caller, Depends(current_caller)], response: Response) -> AccountView:
    """The role here is today's; a token's role is that of the moment it was issued."""
    _no_store(response)
    return _account_view(app().identity.service.account(caller.account_id))


@router.get(
    "/.well-known/jwks.json",
    operation_id="getJwks",
    summary="The public keys that access tokens are verified with",
    tags=["Identity"],
    response_model=PublicKeySet,
)
def get_jwks(response: Response) -> dict[str, Any]:
    """A JWKS (RFC 7517). A new key is published before the first token is signed with it."""
    response.headers["Cache-Control"] = f"public, max-age={_JWKS_SECONDS}"
    return app().identity.public_keys.document()


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api(
        "imagemarket: identity",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
