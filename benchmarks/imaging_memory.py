"""What the step Inspect holds at most for each odd file: the function's process and its decoder, fresh for each file.

    python -m benchmarks.imaging_memory FOLDER [--json FILE]

A process does what the function `inspect_image` does: it loads the handler, the store's client and the database's
driver, fetches the original into a file, has it inspected in the confined decoder, and puts the master and the model's
input away. The stores are folders and the database a row, so nothing else need run. Each peak is the kernel's own
(`VmHWM`); a camera RAW has two decoders, one after the other, of which the larger counts. Refused files count as well:
what is refused must not cost much. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks import report

LIMIT_MB = 1100
"""900 for the decoder, as much as `test_sandbox` allows it for 200 megapixels, and 200 for the function."""


class _Records:
    def run_once(self, job: object, step: object, work: Callable[[], Any]) -> Any:
        _ = job, step
        return work()


class _Row:
    def __init__(self, path: Path) -> None:
        self._bytes = path.stat().st_size

    def fetch_one(self, sql: str, parameters: object) -> dict[str, Any]:
        _ = sql, parameters
        return {"announced_bytes": self._bytes, "announced_sha256": None}


class _Folder:
    def __init__(self, original: Path, folder: Path) -> None:
        self._original, self._folder = original, folder

    def download(self, key: str, path: Path, *, version_id: str | None) -> None:
        _ = key, version_id
        shutil.copyfile(self._original, path)

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        _ = content_type
        (self._folder / key.replace("/", "_")).write_bytes(body)


def _peak_mb(pid: int | str) -> float:
    """Megabytes (10^6) that a process held at most."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    held = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(held.split()[1]) * 1024 / 1e6


def inspect_once(path: Path | None) -> dict[str, Any]:
    """In this process: what the step says of the file, and the peaks of this process and of its largest decoder; of
    no file: before the first."""
    import psycopg

    import functions.inspect_image.handler
    from imagemarket.app import app
    from imagemarket.imaging import sandbox
    from imagemarket.imaging.errors import ImageRejected
    from imagemarket.imaging.sandbox import _Decoder
    from imagemarket.ingestion.models import IngestionJob
    from imagemarket.ingestion.saga import InspectImage
    from imagemarket.platform.ids import new_id

    _ = psycopg, functions.inspect_image.handler, app().resources.s3
    peaks: list[float] = [0.0]

    class Noted(_Decoder):
        def close(self) -> None:
            if self.is_running:
                peaks.append(_peak_mb(self.pid))
            super().close()

    sandbox.__dict__["_Decoder"] = Noted
    said = "started"
    with tempfile.TemporaryDirectory() as folder, sandbox.Inspector() as inspector:
        if path is not None:
            store, owner, image = cast("Any", _Folder(path, Path(folder))), new_id(), new_id()
            step = InspectImage(
                step_runs=cast("Any", _Records()),
                database=cast("Any", _Row(path)),
                originals=store,
                work=store,
                inspector=inspector,
            )
            job = IngestionJob(
                image_id=image, contributor_id=owner, key=f"originals/{owner}/{image}{path.suffix}", version_id="v1"
            )
            try:
                found = step.run(job)
                said = f"{found['format']}, {found['width']} x {found['height']}"
            except ImageRejected as error:
                said = error.slug
    return {"said": said, "function": _peak_mb("self"), "decoder": max(peaks)}


def measured(path: Path | None) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.imaging_memory", "--one", *([str(path)] if path else [])]
    environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1", "POWERTOOLS_TRACE_DISABLED": "1"}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="What the step Inspect holds at most for each odd file."
    )
    parser.add_argument("folder", type=Path, nargs="?", help="each file in it is inspected")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    report.add_json_option(parser)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(inspect_once(options.folder)))
        return 0
    files = sorted(path for path in options.folder.iterdir() if path.is_file()) if options.folder else []
    if not files:
        parser.error("name a folder with files in it")
    rows = []
    for path in (None, *files):
        found = measured(path)
        name = f"{path.name} ({path.stat().st_size / 1e6:.2f} MB)" if path else "no file yet"
        claim = f"{name}: {found['said']}; function {found['function']:.0f}, decoder {found['decoder']:.0f}"
        rows.append(report.at_most(claim, ours=found["function"] + found["decoder"], unit="MB", limit=LIMIT_MB))
    return report.finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
