"""Ten thousand seeded histories of faults: does every upload end in one stated status, without a trace of the rest?

    ./market bench simulation [--runs N] [--json FILE]

The peer is the same code without its safety net, on the first histories: how many of them never come to an end.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks import report
from local.layout import REPOSITORY, Layout, free_port
from local.postgres import dsn_of, make_cluster, make_database, postgres_part
from local.processes import Supervisor

_RUNS = 10_000
_PEER_RUNS = 300
_SIDE_BY_SIDE = 2
_FIRST_SEED = 0


def _live(dsn: str, seeds: range, *, sweeping: bool) -> tuple[list[str], Counter[str], Counter[str]]:
    """What went wrong, the final statuses and the faults of some seeds, in a process and a database of their own."""
    from tests.simulation.world import live_through, virtual_time

    logging.disable(logging.CRITICAL)
    truth = virtual_time(dsn)
    wrong: list[str] = []
    statuses: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    try:
        for seed in seeds:
            try:
                history = live_through(seed, truth, sweeping=sweeping)
            except AssertionError as error:
                wrong.append(str(error).splitlines()[0])
                continue
            statuses.update(history.statuses)
            faults.update(history.faults)
    finally:
        truth.close()
    return wrong, statuses, faults


def _all(dsns: list[str], runs: int, *, sweeping: bool) -> tuple[list[str], Counter[str], Counter[str]]:
    wrong: list[str] = []
    statuses: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    with ProcessPoolExecutor(len(dsns)) as pool:
        started = [
            pool.submit(_live, dsn, range(_FIRST_SEED + number, _FIRST_SEED + runs, len(dsns)), sweeping=sweeping)
            for number, dsn in enumerate(dsns)
        ]
        for each in started:
            part = each.result()
            wrong += part[0]
            statuses.update(part[1])
            faults.update(part[2])
    return wrong, statuses, faults


def measure(runs: int = _RUNS) -> list[report.Row]:
    """Histories that did not hold, ours and the peer's."""
    from imagemarket.schema import upgrade
    from tests.simulation.world import world_digest

    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(made=REPOSITORY / ".market", state=Path(folder), port=free_port())
        port, password = free_port(), secrets.token_urlsafe(12)
        data = layout.data / "postgres"
        make_cluster(data, password)
        part = postgres_part(
            data, port, password, {"shared_buffers": "64MB", "fsync": "off", "full_page_writes": "off"}
        )
        supervisor = Supervisor(layout)
        supervisor.start(part)
        try:
            dsns = []
            for number in range(_SIDE_BY_SIDE):
                make_database(port, password, f"simulation_{number}")
                dsns.append(dsn_of(port, password, f"simulation_{number}"))
                upgrade(dsns[-1])
            began = time.monotonic()
            wrong, statuses, faults = _all(dsns, runs, sweeping=True)
            took = time.monotonic() - began
            peer_runs = min(runs, _PEER_RUNS)
            peer, _, _ = _all(dsns, peer_runs, sweeping=False)
        finally:
            supervisor.stop(part)
    for each in wrong:
        print(each, file=sys.stderr)
    said = ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in sorted(faults.items()))
    ended = ", ".join(f"{name} {number:,}" for name, number in sorted(statuses.items()))
    print(
        f"{runs:,} histories of world {world_digest()} in {took:.0f} s. Faults: {said}. Images: {ended}.",
        file=sys.stderr,
    )
    return [
        report.at_most(
            f"histories of {runs:,} that broke an invariant",
            ours=float(len(wrong)),
            peer=len(peer) / peer_runs * runs,
            unit="histories",
            limit=0,
        )
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--runs", type=int, default=_RUNS, help="how many histories")
    options, rest = parser.parse_known_args()

    def measure_them() -> list[report.Row]:
        return measure(options.runs)

    sys.exit(report.main(measure_them, rest))
