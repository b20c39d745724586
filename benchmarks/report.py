"""What every benchmark ends in: rows of claims, printed as a table and written as JSON.

A row is `{claim, ours, peer, unit, ratio, goal, holds}`. `peer` is the same job done by something else
in the same run, `ratio` how many times less we need than it. `holds` is None where nothing could be
measured; `reason` then says why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local.arguments import file_to_write

Row = dict[str, Any]


def against_peer(claim: str, *, ours: float, peer: float, unit: str, at_least: float) -> Row:
    """Less is better: holds when the peer needs at least `at_least` times as much as we do."""
    ratio = peer / ours
    return _row(claim, ours=ours, peer=peer, unit=unit, ratio=ratio, goal=f"≥ {at_least:g}x", holds=ratio >= at_least)


def at_most(claim: str, *, ours: float, unit: str, limit: float, peer: float | None = None) -> Row:
    """Less is better: holds when ours is `limit` or less; a peer may stand beside it."""
    ratio = peer / ours if peer is not None and ours else None
    return _row(claim, ours=ours, peer=peer, unit=unit, ratio=ratio, goal=f"≤ {limit:g}", holds=ours <= limit)


def at_least(claim: str, *, ours: float, unit: str, limit: float, peer: float | None = None) -> Row:
    """More is better: holds when ours is `limit` or more; `ratio` is then ours to the peer's."""
    ratio = ours / peer if peer else None
    return _row(claim, ours=ours, peer=peer, unit=unit, ratio=ratio, goal=f"≥ {limit:g}", holds=ours >= limit)


def unmeasured(claim: str, *, unit: str, goal: str, reason: str) -> Row:
    """A claim that this run could not put to the test."""
    return _row(claim, ours=None, peer=None, unit=unit, ratio=None, goal=goal, holds=None) | {"reason": reason}


def _row(claim: str, **fields: Any) -> Row:
    return {"claim": claim} | {
        name: _significant(value) if isinstance(value, float) else value for name, value in fields.items()
    }


def _significant(value: float) -> float:
    """Four significant digits: more would only show noise."""
    return float(f"{value:.4g}")


def print_table(rows: Sequence[Row]) -> None:
    """The rows as people read them."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("claim", ratio=1)
    for heading in ("ours", "peer", "unit", "ratio", "goal", "holds"):
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    for row in rows:
        holds = {True: "[green]yes[/]", False: "[red]no[/]", None: "[yellow]-[/]"}[row["holds"]]
        claim = escape(row["claim"])
        if row.get("reason"):
            claim += f"\n[dim]not measured: {escape(row['reason'])}[/]"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3g}x"
        numbers = ["" if row[name] is None else f"{row[name]:,.4g}" for name in ("ours", "peer")]
        table.add_row(claim, *numbers, row["unit"], ratio, str(row["goal"] or ""), holds)
    # Without a terminal rich assumes 80 columns, too few for seven.
    console = Console()
    Console(width=max(console.width, 110) if not console.is_terminal else None).print(table)


def main(measure: Callable[[], list[Row]], arguments: Sequence[str] | None = None) -> int:
    """A benchmark's command line; the exit status is 1 when a claim does not hold."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=(sys.modules[measure.__module__].__doc__ or "").strip().split("\n")[0]
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    return finish(measure(), options.json)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """`--json FILE`, for a benchmark with a command line of its own."""
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="also write the rows here")


def finish(rows: Sequence[Row], file: Path | None) -> int:
    """Prints the rows and writes them to the file, if any; the exit status is 1 when a claim does not hold."""
    print_table(rows)
    if file:
        file.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if any(row["holds"] is False for row in rows) else 0
