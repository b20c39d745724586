"""One normal form for one address."""

from __future__ import annotations

import pytest

from imagemarket.identity.emails import normalise
from imagemarket.platform.errors import InvalidRequest


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Adams@Example.COM \n", "ann.adams@example.com"),
        ("ann+photos@example.com", "ann+photos@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("ann@demo.test", "ann@demo.test"),
    ],
)
def test_an_address_has_one_form(written: str, normal: str) -> None:
    assert normalise(written) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "zoe",
        "zoe@",
        "@nobody.example",
        "zoe@localhost",
        "zoe adams@example.com",
        "zoe@example.com, bob@example.com",
        "Zoe <zoe@example.com>",
        "zoe@exa\nmple.com",
        "zoe\u0000@example.com",
        "zöe@example.com",
        "a" * 65 + "@nobody.example",
        "zoe@" + ".".join(["a" * 60] * 5) + ".com",
        # RFC 2047: a header may read these as others' addresses, or as line ends
        "=?utf-8?q?zoe=40nobody.example=2cme?=@evil.example",
        "=?utf-8?q?x=0d=0abcc=3a_v?=@nobody.example",
        "=?us-ascii?b?em9l?=@nobody.example",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(written: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        normalise(written)
    assert refused.value.extensions["errors"][0]["field"] == "email"
    assert not written or written not in refused.value.detail


def test_no_name_server_is_asked(socket_disabled: None) -> None:
    assert normalise("ann@no-such-domain-anywhere.example") == "ann@no-such-domain-anywhere.example"
