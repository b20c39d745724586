"""The custom resource that makes the signing keys."""

from __future__ import annotations

import base64
import json
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from functions.provision_keys.handler import handler
from imagemarket.identity.signing_keys import NoSigningKeys, SigningKeyProvisioner, SigningKeys, thumbprint
from imagemarket.platform import custom_resource
from tests.provided import provide
from tests.unit.identity.kit import public_jwks, signing_keys


class Missing(Exception):
    pass


class Secrets:
    class exceptions:  # noqa: N801 - as boto3 has it
        ResourceNotFoundException = Missing

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.written = 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
        assert SecretId == "arn:secret"
        if self.value is None:
            raise Missing
        return {"SecretString": self.value}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        assert SecretId == "arn:secret"
        self.value = SecretString
        self.written += 1


class Parameters:
    class exceptions:  # noqa: N801 - as boto3 has it
        ParameterNotFound = Missing

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.written = 0

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        assert Name == "/jwks"
        if self.value is None:
            raise Missing
        return {"Parameter": {"Value": self.value}}

    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool) -> None:  # noqa: N803
        assert (Name, Type, Overwrite) == ("/jwks", "String", True)
        self.value = Value
        self.written += 1


class Deployment:
    def __init__(self, secret: str | None, parameter: str | None) -> None:
        self.secrets, self.parameters = Secrets(secret), Parameters(parameter)
        self.provisioner = SigningKeyProvisioner(
            secrets=cast("Any", self.secrets),
            secret_arn="arn:secret",
            parameters=cast("Any", self.parameters),
            jwks_parameter="/jwks",
        )


@pytest.mark.parametrize("secret", [None, "", "R4ndom&String", "{}"])
@pytest.mark.parametrize("parameter", [None, '{"keys":[]}'])
def test_the_first_deploy_makes_a_key_and_publishes_its_public_half_alone(
    secret: str | None, parameter: str | None
) -> None:
    deployment = Deployment(secret, parameter)
    active = deployment.provisioner.provision()
    kept = SigningKeys.parse(deployment.secrets.value or "")
    assert kept.active == active
    published = json.loads(deployment.parameters.value or "")
    assert published == kept.public_jwks()
    [jwk] = published["keys"]
    assert set(jwk) == {"kty", "use", "alg", "kid", "n", "e"}, "no private number"
    assert (jwk["kty"], jwk["alg"], jwk["kid"]) == ("RSA", "RS256", active)
    assert len(deployment.parameters.value or "") < 4096, "what a standard parameter holds"


def test_later_deploys_change_nothing() -> None:
    deployment = Deployment(None, None)
    active = deployment.provisioner.provision()
    assert deployment.provisioner.provision() == active
    assert (deployment.secrets.written, deployment.parameters.written) == (1, 1)


def test_a_key_that_was_added_is_published_and_none_is_lost() -> None:
    both = SigningKeys(active=signing_keys().active, keys=signing_keys().keys | SigningKeys.generate().keys)
    deployment = Deployment(both.to_json(), public_jwks(signing_keys()))
    assert deployment.provisioner.provision() == signing_keys().active
    assert deployment.secrets.written == 0
    assert {jwk["kid"] for jwk in json.loads(deployment.parameters.value or "")["keys"]} == set(both.keys)


@pytest.mark.parametrize("secret", ['{"active": "gone", "keys": {"a": "b"}}', '{"active": "a", "keys": {"a": "b"}}'])
def test_keys_that_cannot_be_read_are_not_replaced(secret: str) -> None:
    deployment = Deployment(secret, None)
    with pytest.raises(ValueError) as refused:
        deployment.provisioner.provision()
    assert not isinstance(refused.value, NoSigningKeys)
    assert deployment.secrets.value == secret


def test_a_key_id_is_its_thumbprint_as_rfc_7638_has_it() -> None:
    # The modulus and the thumbprint of RFC 7638, 3.1.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst"
        "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr"
        "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    numbers = RSAPublicNumbers(65537, int.from_bytes(base64.urlsafe_b64decode(modulus + "==")))
    assert thumbprint(numbers) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


class Told:
    """What CloudFormation hears."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, url: str, answer: dict[str, Any]) -> None:
        self.answers.append((url, answer))


class Context:
    log_stream_name = "stream"


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_cloudformation_is_told_and_a_delete_leaves_the_keys(
    monkeypatch: pytest.MonkeyPatch, request_type: str
) -> None:
    deployment, told = Deployment(signing_keys().to_json(), None), Told()
    provide("identity.signing_key_provisioner", deployment.provisioner)
    monkeypatch.setattr(custom_resource, "_send", told)
    event = {
        "RequestType": request_type,
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "SigningKeys",
    }
    handler(event, Context())
    [(url, answer)] = told.answers
    assert url == event["ResponseURL"]
    assert answer["Status"] == "SUCCESS"
    assert answer.get("Data") == (None if request_type == "Delete" else {"ActiveKeyId": signing_keys().active})
    assert deployment.secrets.value == signing_keys().to_json()
    assert deployment.parameters.written == (0 if request_type == "Delete" else 1)
