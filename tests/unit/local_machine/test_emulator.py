"""What `up` does for an emulator that was killed, and for its functions."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

import local.layout
from local.emulator import emulator_part, forget_unfinished, renew_functions
from local.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(local.layout, "free_port", lambda: 4712)
    return Layout(made=tmp_path, state=tmp_path, port=4711)


@pytest.mark.parametrize("deployed", [True, False])
def test_what_a_first_deployment_left_is_forgotten_until_it_was_through(layout: Layout, deployed: bool) -> None:
    environment = emulator_part(layout).environment
    kept = [Path(environment["STATE_DIR"]) / "cloudformation.json", Path(environment["S3_DATA_DIR"]) / "b" / "key"]
    others = [layout.data / "secrets.json", layout.data / "postgres" / "PG_VERSION"]
    for path in [*kept, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    if deployed:
        layout.outputs_file.write_text("{}")
    forget_unfinished(layout)
    assert [path.exists() for path in kept] == [deployed, deployed]
    assert all(path.exists() for path in others), "what is not the emulator's is left alone"
    forget_unfinished(layout)


def test_functions_are_ended_and_nothing_beside_them(tmp_path: Path) -> None:
    """A function is a grandchild here, as behind the emulator's own launcher."""
    (tmp_path / "awslambdaric.py").write_text("import time; time.sleep(60)")
    emulator = textwrap.dedent("""
        import subprocess, sys, time
        started = [
            subprocess.Popen([sys.executable, "-m", "awslambdaric", "handler"]),
            subprocess.Popen(["sh", "-c", f"{sys.executable} -m awslambdaric handler & wait"]),
            subprocess.Popen(["sleep", "60"]),
        ]
        print("started", flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", emulator], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        root = psutil.Process(process.pid)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            others = [each for each in root.children() if each.name() == "sleep"]
            assert renew_functions(root) >= 2
            assert [each.status() for each in others] == [psutil.STATUS_SLEEPING]
            alive = [each for each in root.children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
            assert alive == others
            assert renew_functions(root) == 0
        finally:
            for each in [*root.children(recursive=True), root]:
                each.kill()


def test_events_of_forms_posted_at_once_name_the_version_that_each_tells_of() -> None:
    """In a process of its own, as the emulator is changed for good."""
    script = textwrap.dedent("""
        import json, threading
        from ministack.services import eventbridge, s3
        told = []
        eventbridge._dispatch_event = lambda event: told.append(json.loads(event["Detail"])["object"])
        from local.durable_emulator import name_versions_in_events
        name_versions_in_events()
        s3._bucket_notifications["b"] = "<EventBridgeConfiguration/>"
        versions = [f"v{number}" for number in range(20)] + [None]
        for version in versions:
            s3._fire_s3_event_async("b", f"of-{version}", "s3:ObjectCreated:Post", version_id=version)
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(60)
        assert sorted(each["key"] for each in told) == sorted(f"of-{version}" for version in versions), told
        for each in told:
            assert each["key"] == f"of-{each.get('version-id')}", each
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=local.layout.REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_body_that_is_no_utf8_reaches_the_function_byte_for_byte() -> None:
    """In a process of its own, as the emulator is changed for good."""
    script = textwrap.dedent("""
        import asyncio, base64
        from ministack.services import apigateway, lambda_svc
        from local.durable_emulator import pass_on_what_is_no_utf8
        pass_on_what_is_no_utf8()
        events = []
        def execute(record, event):
            events.append(event)
            return {"body": {"statusCode": 200, "body": ""}}
        lambda_svc._get_func_record_for_ref_in_scope = lambda *_, **__: ({}, {}, "f")
        lambda_svc._execution_record_for_config = lambda *_: {}
        lambda_svc._execute_function_with_config_scope = execute
        async def send(kind, body):
            await apigateway._invoke_lambda_proxy({}, "api", "$default", "/", "POST", {"content-type": kind}, body, {})
        async def send_all():
            cases = [
                (kind, text.encode(code))
                for kind in ("application/json", "application/json; charset=iso-8859-1", "text/plain", "image/jpeg")
                for text, code in (("Café", "utf-8"), ("Café", "cp1252"), ("Cafe", "ascii"), ("", "ascii"))
            ]
            await asyncio.gather(*(send(*case) for case in cases))
            return cases
        cases = asyncio.run(send_all())
        assert len(events) == len(cases)
        for event in events:
            kind, body = event["headers"]["content-type"], event.get("body", "")
            sent = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
            cases.remove((kind, sent))
        assert not cases, cases
        assert not any("\ufffd" in event.get("body", "") for event in events)
        assert {event["isBase64Encoded"] for event in events if event.get("body") == "Café"} == {False}
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=local.layout.REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_changed_in_the_emulator_and_read_in_its_memory_is_as_it_was_when_that_was_written() -> None:
    """It offers no other way to either. Where this fails after a new version: see whether events name their version
    by themselves now and bodies that are no UTF-8 come as base64, and whether a version's bytes still lie on disk
    whenever `let_go` takes them out of memory."""
    script = textwrap.dedent("""
        import hashlib, inspect
        from ministack.core import lambda_runtime
        from ministack.services import apigateway, eventbridge, lambda_svc, s3
        for each in (
            *(s3._fire_s3_event, s3._fire_s3_event_async, eventbridge._dispatch_event),
            *(s3._persist_object, s3._persist_displaced_version, s3._version_body, s3._version_file_exists),
            *(lambda_runtime.reap_idle_workers, lambda_svc._emit_lambda_logs),
            *(apigateway._invoke_lambda_proxy, apigateway._v2_request_body_is_text),
        ):
            print(each.__name__, hashlib.sha256(inspect.getsource(each).encode()).hexdigest()[:16])
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=local.layout.REPOSITORY, capture_output=True, text=True, check=True
    )
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        "_fire_s3_event": "2ab38cfade76bf2e",
        "_fire_s3_event_async": "d42619f0eb8691d5",
        "_dispatch_event": "d1bfe064f602d11c",
        "_persist_object": "cb32b6ae8706bef8",
        "_persist_displaced_version": "9637289a604c2b66",
        "_version_body": "914e6f75ad9fc50d",
        "_version_file_exists": "1567d8962bcb195a",
        "reap_idle_workers": "d0e5aa7c2b5902ae",
        "_emit_lambda_logs": "111efbf06968bb20",
        "_invoke_lambda_proxy": "fbe5024fcd36643f",
        "_v2_request_body_is_text": "507d7acaf07fb2e4",
    }
