"""./market: one machine's cloud, its checks and benchmarks; everything else goes to the product's own command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from local.cloud import Cloud
from local.layout import REPOSITORY, Layout, LocalError
from local.progress import console

USAGE = """\
usage: ./market COMMAND

  up [--demo DIR]      environment, engines, deploy, demo content; prints what to try. Again: only what is missing
     [--search ENGINE] finds pictures by words with opensearch (needs Java and Maven) or, as at first, postgres
  down                 stop all of it
  status               each part: up or not, address, pid, memory
  logs [PART] [-f]     the last lines of each part's log, or one part's; -f follows
  dashboard [--once]   uploads, steps, failures, queues, search, cost: live from the functions' own metrics
  reset                stop all of it and remove its state (database, objects, accounts)
  env                  variables with which aws, boto3 and psql reach the stack: eval "$(./market env)"
  test [SELECTION]     every check, or pytest on the selection
  chaos                uploads while parts of a cloud of its own are killed; --uploads N, --seed S, --json FILE
  bench [NAME]         benchmarks; --json FILE also writes the rows

Everything else is the product's own command line: ./market --help-product, ./market search 'a red boat',
./market upload ~/Pictures --as contributor@example.com

MARKET_PORT (default 8080) chooses the front door's port, MARKET_STATE the state folder (default .market)."""


def _up(layout: Layout, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./market up")
    parser.add_argument(
        "--demo", type=Path, metavar="DIR", help="upload the pictures of this folder instead of the demo's"
    )
    parser.add_argument(
        "--search", choices=["postgres", "opensearch"], help="the engine that finds by words; stays until changed"
    )
    chosen = parser.parse_args(arguments)
    if chosen.demo and not chosen.demo.is_dir():
        raise LocalError(f"--demo {chosen.demo}: there is no such folder")
    from local.demo.load import load_demo, tell

    began = time.monotonic()
    cloud = Cloud(layout)
    cloud.up(search=chosen.search)
    load_demo(cloud, chosen.demo)
    console.print(f"\nUp in {time.monotonic() - began:.0f} s.")
    tell(cloud)
    return 0


def _down(layout: Layout, arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="./market down").parse_args(arguments)
    stopped = Cloud(layout).down()
    console.print("Stopped." if stopped else "Nothing was up.")
    return 0


def _status(layout: Layout, arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="./market status").parse_args(arguments)
    table = Table("part", "state", "address", "pid", "memory", box=None, header_style="bold")
    standings = Cloud(layout).standings()
    for each in standings:
        state = "[green]up[/green]" if each.ready else "[yellow]not ready[/yellow]" if each.pid else "[red]down[/red]"
        memory = f"{each.memory_mb:.0f} MB" if each.pid else ""
        table.add_row(each.part.name, state, f"127.0.0.1:{each.part.port}", str(each.pid or ""), memory)
    console.print(table)
    return 0 if all(each.ready for each in standings) else 1


def _logs(layout: Layout, arguments: Sequence[str]) -> int:
    known = sorted(path.stem for path in layout.logs.glob("*.log"))
    parser = argparse.ArgumentParser(prog="./market logs")
    parser.add_argument("part", nargs="?", choices=known or None, help="one of: " + ", ".join(known))
    parser.add_argument("-f", "--follow", action="store_true")
    chosen = parser.parse_args(arguments)
    files = [layout.logs / f"{name}.log" for name in ([chosen.part] if chosen.part else known)]
    if not files:
        console.print("Nothing has been logged yet: run ./market up")
        return 0
    lines = "200" if chosen.part else "20"
    try:
        return subprocess.call(["tail", "-n", lines, *(["-F"] if chosen.follow else []), *map(str, files)])
    except KeyboardInterrupt:
        return 0


def _dashboard(layout: Layout, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./market dashboard")
    parser.add_argument("--minutes", type=int, default=15, help="how far back to look (default 15)")
    parser.add_argument("--once", action="store_true", help="print one picture and end")
    chosen = parser.parse_args(arguments)
    if not layout.outputs():
        raise LocalError("nothing is deployed yet: run ./market up")
    from local.dashboard import show

    return show(layout, minutes=max(1, chosen.minutes), once=chosen.once)


def _reset(layout: Layout, arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="./market reset").parse_args(arguments)
    Cloud(layout).reset()
    console.print("The state is gone: ./market up starts afresh.")
    return 0


def _env(layout: Layout, arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="./market env").parse_args(arguments)
    for name, value in Cloud(layout).environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _test(layout: Layout, arguments: Sequence[str]) -> int:
    from local.checks import run_checks

    return run_checks(layout, arguments)


def _bench(layout: Layout, arguments: Sequence[str]) -> int:
    names = sorted(path.stem for path in (REPOSITORY / "benchmarks").glob("*.py") if path.stem != "report")
    if not arguments or arguments[0] not in names:
        console.print("usage: ./market bench NAME [--json FILE], where NAME is one of: " + ", ".join(names))
        return 0 if not arguments else 2
    environment = os.environ | Cloud(layout).environment()
    command = [sys.executable, "-m", f"benchmarks.{arguments[0]}", *arguments[1:]]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs inherit that they ignore it
    running = subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True)

    def end(*_: object) -> None:
        """Interrupted, and its processes with it, a benchmark stops the servers that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return running.wait()


def _chaos(layout: Layout, arguments: Sequence[str]) -> int:
    del layout  # it has one of its own
    from local.chaos import run_chaos

    return run_chaos(arguments)


def _product(layout: Layout, arguments: Sequence[str]) -> int:
    """The product's own command line, pointed at the local stack."""
    environment = Cloud(layout).environment()
    # what a person set by hand (another MARKET_URL, say) wins
    environment |= {name: value for name, value in os.environ.items() if name.startswith("MARKET_")}
    rest = ["--help"] if list(arguments) == ["--help-product"] else list(arguments)
    os.environ.update(environment)
    os.execv(sys.executable, [sys.executable, "-m", "imagemarket.cli", *rest])  # noqa: S606


_COMMANDS = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "dashboard": _dashboard,
    "reset": _reset,
    "env": _env,
    "test": _test,
    "bench": _bench,
    "chaos": _chaos,
}


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"help", "-h", "--help"}:
        print(USAGE)
        return 0
    try:
        return _COMMANDS.get(arguments[0], lambda layout, _: _product(layout, arguments))(
            Layout.of_environment(), arguments[1:]
        )
    except LocalError as error:
        console.print(f"[red]market:[/red] {error}", markup=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. Run the same command again: it goes on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
