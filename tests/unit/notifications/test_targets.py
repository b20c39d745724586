"""Which URLs and addresses a webhook may lead to."""

from __future__ import annotations

import ipaddress

import pytest

from imagemarket.notifications.targets import TargetRefused, TargetRules, is_public
from imagemarket.platform.errors import InvalidRequest

INNER = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "169.254.170.2", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1"),
    # IPv4 in the clothes of IPv6: mapped, 6to4, NAT64, Teredo
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::a9fe:a9fe"),
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    # what one release of Python or another lets through: a cloud's metadata service, documentation, IETF protocols
    *("192.0.0.192", "192.0.0.8", "192.0.0.170", "192.0.0.9", "192.88.99.1", "192.31.196.1", "192.52.193.1"),
    *("192.175.48.1", "198.51.100.1", "203.0.113.1", "3fff::1", "3fff:fff::1", "2001:2::1", "2001:20::1", "100::1"),
    *("5f00::1", "64:ff9b:1::1", "2620:4f:8000::1", "2001:4:112::1", "::127.0.0.1", "4000::1", "::ffff:192.0.0.192"),
    *("64:ff9b::c000:c0", "2002:c000:c0::1", "2002:5db8:d70e::1"),
]
OUTER = ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]


def rules(*addresses: str, loopback: bool = False) -> TargetRules:
    return TargetRules(loopback=loopback, resolve=lambda _host, _port: addresses)


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTER)
def test_an_outer_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INNER)
def test_a_name_that_leads_inside_is_refused_when_it_is_called(address: str) -> None:
    chosen = rules("93.184.215.14", address)
    with pytest.raises(TargetRefused):
        chosen.pin(chosen.parse("https://rebind.example.com/"))


def test_a_name_is_pinned_to_what_was_checked() -> None:
    chosen = rules("93.184.215.14", "1.1.1.1")
    assert chosen.pin(chosen.parse("https://example.com")) == "93.184.215.14"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com/",
        "example.com",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com/ü",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_url_that_is_never_called_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rules().parse(url)
    assert refused.value.extensions["errors"][0]["field"] == "url"


def test_a_url_is_taken_apart() -> None:
    target = rules().parse("https://Hooks.Example.com:8443/a/b?c=d")
    assert (target.host, target.port, target.path) == ("hooks.example.com", 8443, "/a/b?c=d")
    assert target.authority == "hooks.example.com:8443"
    assert rules().parse("https://example.com").authority == "example.com"


def test_one_machine_may_call_itself_and_still_nothing_else_inside() -> None:
    local = rules("127.0.0.1", loopback=True)
    assert local.pin(local.parse("http://localhost:9000/hook")) == "127.0.0.1"
    assert local.parse("http://127.0.0.1:9000/").port == 9000
    with pytest.raises(InvalidRequest):
        local.parse("http://169.254.169.254/")
    inside = rules("10.0.0.1", loopback=True)
    with pytest.raises(TargetRefused):
        inside.pin(inside.parse("https://db.internal/"))


@pytest.mark.parametrize("url", ["http://example.com/", "http://93.184.215.14/", "http://db.internal:8080/"])
def test_one_machine_goes_without_tls_to_itself_alone(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rules("93.184.215.14", loopback=True).parse(url)
    assert refused.value.detail == "url: must begin with https://, or with http:// and this machine's own address."
    elsewhere = rules("93.184.215.14", loopback=True)
    with pytest.raises(TargetRefused):
        elsewhere.pin(elsewhere.parse("http://localhost/"))
