"""Accounts, tokens and keys."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagemarket.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from imagemarket.identity.directory import AccountDirectory
    from imagemarket.identity.mails import AccountMailRequests, MailTokens
    from imagemarket.identity.repository import PostgresIdentityStore
    from imagemarket.identity.service import Identity
    from imagemarket.identity.signing_keys import SigningKeyProvisioner
    from imagemarket.identity.tokens import PublicKeys, TokenVerifier
    from imagemarket.platform.resources import Resources


class IdentityRoom:
    """Identity's services."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    @cached_property
    def settings(self) -> IdentitySettings:
        return IdentitySettings()

    @cached_property
    def service(self) -> Identity:
        from imagemarket.identity.attempts import AttemptLimiter
        from imagemarket.identity.passwords import PasswordHasher
        from imagemarket.identity.service import Identity
        from imagemarket.identity.tokens import TokenIssuer

        signing_key, clock = self.settings.signing_key_secret_arn, self._resources.clock
        return Identity(
            store=self._store,
            hasher=PasswordHasher(self.settings.bcrypt_cost),
            issuer=TokenIssuer(
                lambda: self._resources.secret(signing_key), issuer=self.settings.token_issuer, clock=clock
            ),
            attempts=AttemptLimiter(self._resources.counters),
            mails=self.mail_requests,
            clock=clock,
        )

    @cached_property
    def _store(self) -> PostgresIdentityStore:
        from imagemarket.identity.repository import PostgresIdentityStore

        return PostgresIdentityStore(self._resources.database)

    @cached_property
    def mail_requests(self) -> AccountMailRequests:
        from imagemarket.identity.mails import AccountMailRequests

        return AccountMailRequests(
            database=self._resources.database,
            bus=self._resources.event_bus,
            clock=self._resources.clock,
        )

    @cached_property
    def mail_tokens(self) -> MailTokens:
        from imagemarket.identity.mails import MailTokens

        return MailTokens(self._store, self._resources.clock)

    @cached_property
    def directory(self) -> AccountDirectory:
        """Whether the account of a token is still there."""
        from imagemarket.identity.directory import AccountDirectory

        store = self._store
        return AccountDirectory(lambda account_id: store.account(account_id) is not None)

    @cached_property
    def public_keys(self) -> PublicKeys:
        from imagemarket.identity.tokens import PublicKeys

        name = self.settings.jwks_parameter
        return PublicKeys(
            lambda: self._resources.aws.client("ssm").get_parameter(Name=name)["Parameter"].get("Value", ""),
            self._resources.clock,
        )

    @cached_property
    def token_verifier(self) -> TokenVerifier:
        from imagemarket.identity.tokens import TokenVerifier

        return TokenVerifier(self.public_keys, issuer=self.settings.token_issuer, clock=self._resources.clock)

    @cached_property
    def signing_key_provisioner(self) -> SigningKeyProvisioner:
        from imagemarket.identity.signing_keys import SigningKeyProvisioner

        return SigningKeyProvisioner(
            secrets=self._resources.aws.client("secretsmanager"),
            secret_arn=self.settings.signing_key_secret_arn,
            parameters=self._resources.aws.client("ssm"),
            jwks_parameter=self.settings.jwks_parameter,
        )
