"""The keys that sign access tokens: where they are kept, how they come to be, what of them is public.

The private half is one secret, `{"active": kid, "keys": {kid: PEM}}`, which only the function that
issues tokens may read. The public half is a JWKS (RFC 7517) in a parameter, which is all that the
authorizer needs. A key is changed by adding it to both first and making it active once every
process has forgotten the older JWKS (`PUBLIC_KEYS_HELD`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

ALGORITHM = "RS256"
_KEY_BITS = 2048


class NoSigningKeys(ValueError):
    """The secret holds no signing keys yet."""


@dataclass(frozen=True)
class SigningKeys:
    """Every private key that a token in circulation may have been signed with, PEM by key id."""

    active: str
    keys: dict[str, str] = field(repr=False)

    @classmethod
    def generate(cls) -> SigningKeys:
        """One new key, active. Its id is its RFC 7638 thumbprint."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        kid = thumbprint(key.public_key().public_numbers())
        return cls(active=kid, keys={kid: pem})

    @classmethod
    def parse(cls, text: str) -> SigningKeys:
        """Reads the secret's string.

        Raises `NoSigningKeys` when it was never filled (empty, or the random string that a new
        secret begins with), `ValueError` when it was and cannot be used.
        """
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not document.get("keys"):
            raise NoSigningKeys("The secret holds no signing keys; deploy again to have them made.")
        active, keys = document.get("active"), document["keys"]
        if not isinstance(keys, dict) or not isinstance(active, str) or active not in keys:
            raise ValueError("The secret's active signing key is not among its keys.")
        return cls(active=active, keys=keys)

    def to_json(self) -> str:
        """The secret's string."""
        return json.dumps({"active": self.active, "keys": self.keys})

    def private_key(self, kid: str) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(self.keys[kid].encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("A signing key must be an RSA key.")
        return key

    def _public_numbers(self, kid: str) -> RSAPublicNumbers:
        return self.private_key(kid).public_key().public_numbers()

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JWKS of the public halves."""
        return {
            "keys": [
                {
                    **_jwk(self.private_key(kid).public_key().public_numbers()),
                    "use": "sig",
                    "alg": ALGORITHM,
                    "kid": kid,
                }
                for kid in sorted(self.keys)
            ]
        }


def thumbprint(numbers: RSAPublicNumbers) -> str:
    """The SHA-256 thumbprint of a public key (RFC 7638), base64url."""
    canonical = json.dumps(_jwk(numbers), sort_keys=True, separators=(",", ":"))
    return _unpadded(hashlib.sha256(canonical.encode()).digest())


def _jwk(numbers: RSAPublicNumbers) -> dict[str, str]:
    return {"e": _base64url(numbers.e), "kty": "RSA", "n": _base64url(numbers.n)}


def _base64url(number: int) -> str:
    return _unpadded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKeyProvisioner:
    """Fills the secret and the parameter; run at each deployment, changes nothing that is in order."""

    def __init__(
        self, *, secrets: SecretsManagerClient, secret_arn: str, parameters: SSMClient, jwks_parameter: str
    ) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._parameters = parameters
        self._jwks_parameter = jwks_parameter

    def provision(self) -> str:
        """Makes keys if there are none, publishes their public halves; answers the active key's id.

        Raises `ValueError` rather than replace keys that it cannot read: every token in circulation
        would end.
        """
        keys = self._kept()
        if keys is None:
            keys = SigningKeys.generate()
            self._secrets.put_secret_value(SecretId=self._secret_arn, SecretString=keys.to_json())
        jwks = json.dumps(keys.public_jwks(), sort_keys=True)
        if self._published() != jwks:
            self._parameters.put_parameter(Name=self._jwks_parameter, Value=jwks, Type="String", Overwrite=True)
        return keys.active

    def _kept(self) -> SigningKeys | None:
        try:
            text = self._secrets.get_secret_value(SecretId=self._secret_arn).get("SecretString", "")
            return SigningKeys.parse(text)
        except (NoSigningKeys, self._secrets.exceptions.ResourceNotFoundException):
            # The secret itself was made by the deployment; what is not found is a first value.
            return None

    def _published(self) -> str | None:
        try:
            answer: Any = self._parameters.get_parameter(Name=self._jwks_parameter)
        except self._parameters.exceptions.ParameterNotFound:
            return None
        return answer["Parameter"]["Value"]
