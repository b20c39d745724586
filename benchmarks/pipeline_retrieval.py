"""Whether a search in words finds what is plainly in a picture: captioned photos through the whole local cloud.

The photos get titles that say nothing, so only what the models see can find them. They lie beside the
clone in `../shared/samples` and are no part of it; without them nothing is measured.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.material.samples import NOT_HERE, SAMPLES
from benchmarks.pipeline import own_stack
from local.api_client import ApiClient, eventually

_PAGE = 20
_GOAL = 0.8


def _rank(client: ApiClient, query: str, image_id: str, mode: str) -> int | None:
    """Place of the image on the first page, from 1; None when it is not there."""
    hits = [hit["id"] for hit in client.search(q=query[:200], mode=mode, limit=_PAGE)["results"]]
    return hits.index(image_id) + 1 if image_id in hits else None


def _upload(client: ApiClient, entries: list[dict[str, Any]]) -> dict[str, str]:
    """Image ids by file; prints how every photo ended."""

    def one(number_and_entry: tuple[int, dict[str, Any]]) -> tuple[str, str, dict[str, Any]]:
        number, entry = number_and_entry
        path = SAMPLES / entry["file"]
        announced = client.announce(path, title=f"Picture {number}", tags=[])
        client.send(announced, path)
        return entry["file"], announced["image_id"], client.wait(announced["image_id"], 900)

    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(one, enumerate(entries, 1)))
    table = Table("photo", "status", "reason", title="how every photo ended", show_edge=False)
    for file, _, status in ended:
        if status["status"] != "approved":
            table.add_row(file, status["status"], (status.get("rejection") or {}).get("detail", ""))
    console = Console(width=140)
    console.print(table)
    console.print(f"{sum(status['status'] == 'approved' for *_, status in ended)} of {len(ended)} approved")
    return {file: image_id for file, image_id, status in ended if status["status"] == "approved"}


def measure() -> list[report.Row]:
    """Share of captions whose photo stands on the first page, by mode; the peer is keyword search."""
    claim = f"captions whose photo is among the first {_PAGE}"
    manifest = SAMPLES / "manifest.json"
    if not manifest.exists():
        return [report.unmeasured(claim, unit="share", goal=f"≥ {_GOAL}", reason=NOT_HERE)]
    entries = [entry for entry in json.loads(manifest.read_text()) if entry["file"].startswith("photos/")]
    captions = {entry["file"]: entry["captions"][0] for entry in entries if entry.get("captions")}
    with own_stack() as client:
        ids = _upload(client, entries)
        total = len(ids)
        eventually(lambda: client.search(q="", limit=1)["estimated_total"] >= total, 120)
        ranks: dict[str, dict[str, int | None]] = {mode: {} for mode in ("keyword", "semantic", "hybrid")}
        for file, caption in captions.items():
            for mode, found in ranks.items():
                found[file] = _rank(client, caption, ids[file], mode) if file in ids else None
    table = Table("query", "keyword", "semantic", "hybrid", "photo", title="place on the first page", show_edge=False)
    for file, caption in captions.items():
        places = [str(ranks[mode][file] or "-") for mode in ranks]
        table.add_row(caption[:80], *places, Path(file).name)
    Console(width=140).print(table)
    share = {mode: sum(place is not None for place in found.values()) / len(found) for mode, found in ranks.items()}
    return [
        report.at_least(f"{claim}, {mode}", ours=share[mode], peer=share["keyword"], unit="share", limit=_GOAL)
        for mode in ("semantic", "hybrid")
    ]


if __name__ == "__main__":
    sys.exit(report.main(measure))
