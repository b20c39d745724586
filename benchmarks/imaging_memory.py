"""What the decoder holds at most of each odd file, one process a file.

    python -m benchmarks.imaging_memory FOLDER [--json FILE]

A file is inspected as the marketplace does it, confined; the peak is the decoder's own (`VmHWM`), with its interpreter
and libraries. Refused files count as well: what is refused must not cost much. Linux.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from imagemarket.imaging.confinement import ADDRESS_SPACE_BYTES, DECODE_SECONDS, _Decoder
from imagemarket.platform.errors import ImageRejected

LIMIT_MB = 900


def peak_mb(path: Path | None) -> tuple[str, float]:
    """What a fresh decoder says of the file, and the most megabytes (10^6) that it held; of no file: what it holds
    before the first."""
    process = _Decoder(ADDRESS_SPACE_BYTES)
    said = "started"
    try:
        if path is not None:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                found = process.inspect(descriptor, seconds=DECODE_SECONDS, of=DECODE_SECONDS)
                said = f"{found.format}, {found.width} x {found.height}"
            except ImageRejected as error:
                said = error.slug
            finally:
                os.close(descriptor)
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.close()
    held = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return said, int(held.split()[1]) * 1024 / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What the decoder holds at most of each odd file.")
    parser.add_argument("folder", type=Path, help="each file in it is inspected")
    report.add_json_option(parser)
    options = parser.parse_args(arguments)
    files = sorted(path for path in options.folder.iterdir() if path.is_file())
    if not files:
        parser.error(f"{options.folder}: there are no files in it")
    rows = []
    for path in (None, *files):
        said, held = peak_mb(path)
        claim = f"{path.name} ({path.stat().st_size / 1e6:.2f} MB)" if path else "no file yet"
        rows.append(report.at_most(f"{claim}: {said}", ours=held, unit="MB", limit=LIMIT_MB))
    return report.finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
