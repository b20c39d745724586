"""What the emulator holds in memory, in the emulator itself."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from local.emulator import aws_client, emulator_part
from local.layout import REPOSITORY, Layout, free_port

pytestmark = pytest.mark.engines


def test_versions_are_not_held_in_memory_and_each_is_still_read(tmp_path: Path) -> None:
    layout = Layout(made=tmp_path, state=tmp_path, port=free_port())
    part = emulator_part(layout)
    held = tmp_path / "held"
    script = textwrap.dedent(f"""
        from pathlib import Path
        from local import durable_emulator, emulator_memory

        def let_go():
            from ministack.services import s3
            emulator_memory.let_go()
            versions = [each for found in s3._object_versions._data.values() for each in found]
            bodies = sum(len(each.get("data") or b"") for each in versions)
            Path({str(held)!r}).write_text(f"{{len(versions)}} {{bodies}}")

        durable_emulator.let_go = let_go
        durable_emulator.main()
    """)
    environment = os.environ | dict(part.environment)
    with subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=tmp_path) as emulator:
        try:
            _until(part.ready)
            s3 = aws_client(layout, "s3")
            s3.create_bucket(Bucket="originals")
            s3.put_object(Bucket="originals", Key="before", Body=b"no version")
            s3.put_bucket_versioning(Bucket="originals", VersioningConfiguration={"Status": "Enabled"})
            wanted: dict[tuple[str, str], bytes] = {("before", "null"): b"no version"}
            for number in range(3):
                for key in ("before", "once/again", "gone"):
                    body = f"{key} {number}".encode() * 1000
                    wanted[key, s3.put_object(Bucket="originals", Key=key, Body=body)["VersionId"]] = body
            upload = s3.create_multipart_upload(Bucket="originals", Key="large")["UploadId"]
            of_it = {"Bucket": "originals", "Key": "large", "UploadId": upload}
            etag = s3.upload_part(**of_it, PartNumber=1, Body=b"part")["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            wanted["large", s3.complete_multipart_upload(**of_it, MultipartUpload=parts)["VersionId"]] = b"part"
            s3.delete_object(Bucket="originals", Key="gone")  # puts a mark over what was there
            _until(lambda: held.exists() and held.read_text() == f"{len(wanted) + 1} 0")
            for (key, version), body in wanted.items():
                read = s3.get_object(Bucket="originals", Key=key, VersionId=version)["Body"].read()
                assert read == body, (key, version)
            assert s3.get_object(Bucket="originals", Key="once/again")["Body"].read() == b"once/again 2" * 1000
            (newest,) = [version for (key, version), body in wanted.items() if body.startswith(b"once/again 2")]
            s3.delete_object(Bucket="originals", Key="once/again", VersionId=newest)
            assert s3.get_object(Bucket="originals", Key="once/again")["Body"].read() == b"once/again 1" * 1000
            assert Path(REPOSITORY / "local" / "emulator_memory.py") in part.sources, "a change of it starts it anew"
        finally:
            emulator.kill()


def test_an_emulator_whose_folder_is_moved_away_ends_and_makes_none_in_its_place(tmp_path: Path) -> None:
    home, moved = tmp_path / "home", tmp_path / "moved"
    home.mkdir()
    layout = Layout(made=home, state=home, port=free_port())
    part = emulator_part(layout)
    environment = os.environ | dict(part.environment)
    with subprocess.Popen([sys.executable, "-m", "local.durable_emulator"], env=environment, cwd=tmp_path) as emulator:
        try:
            _until(part.ready)
            _until(lambda: any(home.rglob("services/*.json")))
            home.rename(moved)
            assert emulator.wait(60) == 1
        finally:
            emulator.kill()
    assert not home.exists()


def _until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_logs_histories_events_and_metrics_are_kept_up_to_a_number() -> None:
    """In a process of its own, as the emulator's services fill its memory."""
    script = textwrap.dedent("""
        from ministack.core import lambda_runtime
        from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, lambda_svc, stepfunctions
        from local import emulator_memory

        function = {"config": {"FunctionName": "f"}}
        for number in range(1500):
            lambda_svc._emit_lambda_logs(function, f"request-{number}", "a line", False, 1)
            cloudwatch.record_metric("AWS/Lambda", "Duration", number)
            eventbridge._events_log_list().append({"EventId": number})
            status = "RUNNING" if number % 50 == 0 else "FAILED" if number % 3 == 0 else "SUCCEEDED"
            stepfunctions._executions[f"run-{number}"] = {"status": status, "events": [{"id": 1}], "output": number}
        reaped = []
        lambda_runtime.reap_idle_workers = reaped.append
        emulator_memory.MOST_PROCESSES = -1
        emulator_memory.let_go()
        assert reaped == [5.0]

        (group,) = cloudwatch_logs._log_groups.values()
        streams = list(group["streams"].values())
        assert len(streams) == 1000
        assert "request-1499 " in streams[-1]["events"][0]["message"], streams[-1]
        (points,) = cloudwatch._metrics.values()
        assert [point["Value"] for point in points] == list(range(500, 1500))
        assert [event["EventId"] for event in eventbridge._events_log_list()] == list(range(500, 1500))
        executions = [stepfunctions._executions[f"run-{number}"] for number in range(1500)]
        assert [execution["output"] for execution in executions] == list(range(1500)), "every outcome is known"
        told = {}
        for number, execution in enumerate(executions):
            if execution["events"]:
                told.setdefault(execution["status"], []).append(number)
        assert len(told["RUNNING"]) == 30
        assert {status: (len(told[status]), max(told[status])) for status in ("FAILED", "SUCCEEDED")} == {
            "FAILED": (300, 1497), "SUCCEEDED": (100, 1499)
        }
        emulator_memory.let_go()
        assert len(group["streams"]) == 1000
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
