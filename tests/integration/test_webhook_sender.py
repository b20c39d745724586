"""Calling a webhook over real sockets: pinned, bounded, without following anybody anywhere."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from imagemarket.notifications.sender import LONGEST_RETRY_AFTER, WebhookSender
from imagemarket.notifications.targets import TargetRules
from tests.integration.receiver import receiving


def sender(
    names: dict[str, str] | None = None, *, timeout_seconds: float = 5, context: ssl.SSLContext | None = None
) -> WebhookSender:
    def resolve(host: str, _port: int) -> list[str]:
        return [(names or {}).get(host, host)]

    return WebhookSender(TargetRules(loopback=True, resolve=resolve), timeout_seconds=timeout_seconds, context=context)


@pytest.mark.parametrize(("status", "delivered"), [(200, True), (204, True), (299, True), (404, False), (503, False)])
def test_only_success_counts(status: int, delivered: bool) -> None:
    with receiving() as receiver:
        receiver.status = status
        answer = sender().post(receiver.url, {}, b"{}")
    assert (answer.status, answer.delivered) == (status, delivered)
    assert len(answer.response or "") <= 500


@pytest.mark.parametrize("announced", ["103 Early Hints", "102 Processing", "100 Continue"])
def test_what_only_announces_an_answer_is_none(announced: str) -> None:
    hints = f"HTTP/1.1 {announced}\r\nLink: </a>; rel=preload\r\n\r\n".encode()
    with receiving() as receiver:
        for receiver.announced in (hints, hints * 3):
            answer = sender().post(receiver.url, {}, b"{}")
            assert (answer.status, answer.delivered) == (204, True)
        receiver.announced = hints * 2000
        assert not sender().post(receiver.url, {}, b"{}").delivered, "what is read has an end"


def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    with receiving() as elsewhere, receiving() as receiver:
        receiver.status, receiver.headers = 307, {"location": elsewhere.url}
        answer = sender().post(receiver.url, {}, b"{}")
        assert (answer.status, answer.delivered) == (307, False)
        assert elsewhere.calls == 0


def test_a_receiver_that_asks_for_patience_is_understood() -> None:
    with receiving() as receiver:
        receiver.status, receiver.headers = 429, {"retry-after": "120"}
        assert sender().post(receiver.url, {}, b"{}").retry_after == 120
        for asked, understood in (
            ("99999999", LONGEST_RETRY_AFTER),
            ("9" * 5000, LONGEST_RETRY_AFTER),
            ("000", 0),
            (format_datetime(datetime.now(UTC) + timedelta(days=9), usegmt=True), LONGEST_RETRY_AFTER),
            ("Wed, 01 Dec 2021 10:00:00 GMT", 0),
            ("soon", None),
            ("-5", None),
            ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
            ("Mon, 01 Jan 2026 99999999999999:00:00 GMT", None),
            ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
            ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
        ):
            receiver.headers = {"retry-after": asked}
            assert sender().post(receiver.url, {}, b"{}").retry_after == understood, asked
        receiver.headers = {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)}
        assert 90 <= (sender().post(receiver.url, {}, b"{}").retry_after or 0) <= 100


def test_what_nobody_thought_of_in_an_answer_is_a_failed_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls holds a place that others wait for, and gives it back with an answer."""

    def surprise(_: str | None) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("imagemarket.notifications.sender._seconds", surprise)
    with receiving() as receiver:
        answer = sender().post(receiver.url, {}, b"{}")
    assert (answer.status, answer.delivered, answer.error) == (None, False, "the answer cannot be read")


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"."),
        # The response owns the socket from here on, and the connection has none.
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"."),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1999\r\nConnection: close\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", b"1\r\n.\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b";x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n\r\n", b"."),
    ],
)
@pytest.mark.parametrize("tls", [False, True])
def test_a_receiver_that_drips_is_left_in_time(before: bytes, drop: bytes, tmp_path: Path, *, tls: bool) -> None:
    served = trusting = None
    if tls:
        certificate, key = _certificate(tmp_path, "hooks.test")
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(certificate, key)
        trusting = ssl.create_default_context(cafile=str(certificate))
    with receiving(served) as receiver:
        receiver.before_drips, receiver.drips = before, drop
        url = receiver.url.replace("127.0.0.1", "hooks.test") if tls else receiver.url
        started = time.monotonic()
        answer = sender({"hooks.test": "127.0.0.1"}, timeout_seconds=0.5, context=trusting).post(url, {}, b"{}")
        assert time.monotonic() - started < 1.5
        receiver.drip_seconds = 0
    assert answer.error == "no answer within 0.5 seconds"


def test_one_that_never_shakes_hands_or_never_reads_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for url, body in [
            (f"https://127.0.0.1:{port}/", b"{}"),
            (f"http://127.0.0.1:{port}/", b"{}"),
            (f"http://127.0.0.1:{port}/", b"x" * 50_000_000),
        ]:
            started = time.monotonic()
            answer = sender(timeout_seconds=0.5).post(url, {}, body)
            assert time.monotonic() - started < 1.5
            assert answer.error == "no answer within 0.5 seconds", url


def test_a_name_whose_server_does_not_answer_is_left_in_time() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        time.sleep(3)
        return ["127.0.0.1"]

    slow = WebhookSender(TargetRules(loopback=True, resolve=resolve), timeout_seconds=0.5)
    started = time.monotonic()
    answer = slow.post("https://slow.test/", {}, b"{}")
    assert time.monotonic() - started < 1.5
    assert answer.error == "the host's name did not resolve within 0.5 seconds"


def test_header_fields_without_end_are_not_read() -> None:
    with receiving() as receiver:
        receiver.drips = b"".join(b"x-%d: " % number + b"y" * 6000 + b"\r\n" for number in range(20))
        answer = sender().post(receiver.url, {}, b"{}")
        receiver.drip_seconds = 0
    assert answer.error == "the answer's header fields are longer than 32768 bytes"


def test_nobody_there_is_said_in_words() -> None:
    with receiving() as receiver:
        url = receiver.url
    answer = sender().post(url, {}, b"{}")
    assert answer.error == "the connection was refused: nothing listens there"


CLOSED = "the connection was closed before the answer was whole"


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        (b"", CLOSED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nshort", CLOSED),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", "the answer has more than 100 header fields"),
    ],
    ids=["nothing", "cut short", "another protocol", "many fields"],
)
def test_what_is_no_answer_is_said_in_words(answered: bytes, error: str) -> None:
    with receiving() as receiver:
        receiver.before_drips, receiver.drips, receiver.drip_seconds = answered, b"", 0
        assert sender().post(receiver.url, {}, b"{}").error == error


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "::ffff:192.168.0.1"])
def test_a_name_that_leads_inside_is_never_connected_to(address: str) -> None:
    answer = sender({"hooks.test": address}).post("https://hooks.test/", {}, b"{}")
    assert answer.error == "the host's name leads to an address that is not public"


def test_tls_is_spoken_for_the_name_to_the_pinned_address(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, "hooks.test")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with receiving(served) as receiver:
        port = receiver.url.rpartition(":")[2]
        names = {"hooks.test": "127.0.0.1", "other.test": "127.0.0.1"}
        answer = sender(names, context=trusting).post(f"https://hooks.test:{port}", {}, b"{}")
        assert answer.delivered, answer
        assert receiver.hosts == [f"hooks.test:{port.partition('/')[0]}"]
        refused = sender(names, context=trusting).post(f"https://other.test:{port}", {}, b"{}")
        assert (refused.error or "").startswith("TLS failed")
        unknown = sender(names).post(f"https://hooks.test:{port}", {}, b"{}")
        assert (unknown.error or "").startswith("TLS failed")
        assert receiver.calls == 1


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
