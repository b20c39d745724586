"""./market: one machine's cloud, its checks and benchmarks; everything else goes to the product's own command line."""

from __future__ import annotations

import argparse
import ast
import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from imagemarket.cli.closed_pipe import shell_status, until_nobody_reads
from local.arguments import at_least, said
from local.cloud import Cloud
from local.layout import REPOSITORY, Layout, LocalError
from local.processes import Supervisor
from local.progress import console, errors
from local.tooling import run_interruptibly

USAGE = (REPOSITORY / "local" / "help" / "market.txt").read_text(encoding="utf-8")

# What the product's command line does without the stack; the rest needs these parts of it.
_OFFLINE = {"contact-sheet", "watermark"}
_NEEDED = {"postgres": "PostgreSQL", "aws": "the AWS emulator", "front": "the front door"}


def _parser(command: str, does: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(allow_abbrev=False, prog=f"./market {command}", description=does)


def _up(layout: Layout, arguments: Sequence[str]) -> int:
    parser = _parser(
        "up", "Make the environment, start the engines, deploy, upload the demo. Run again, it does what is missing."
    )
    parser.add_argument(
        "--demo", type=Path, metavar="DIR", help="upload the pictures of this folder instead of the demo's"
    )
    parser.add_argument(
        "--search",
        choices=["postgres", "opensearch"],
        help="the engine that finds by words (opensearch needs Java and Maven); stays until changed",
    )
    chosen = parser.parse_args(arguments)
    if chosen.demo and not chosen.demo.is_dir():
        raise LocalError(f"--demo {chosen.demo}: there is no such folder")
    from local.demo.load import load_demo, tell

    began = time.monotonic()
    cloud = Cloud(layout)
    cloud.up(search=chosen.search, then=lambda: load_demo(cloud, chosen.demo))
    console.print(f"\nUp in {time.monotonic() - began:.0f} s.")
    tell(cloud)
    return 0


def _down(layout: Layout, arguments: Sequence[str]) -> int:
    _parser("down", "Stop all that ./market up started. What it holds stays.").parse_args(arguments)
    stopped = Cloud(layout).down()
    console.print("Stopped." if stopped else "Nothing was up.")
    return 0


def _status(layout: Layout, arguments: Sequence[str]) -> int:
    _parser(
        "status", "Each part: up or not, address, pid, memory. The exit status is 1 where one is not up."
    ).parse_args(arguments)
    table = Table("part", "state", "address", "pid", "memory", box=None, header_style="bold")
    if not layout.data.exists():
        raise LocalError("nothing was started here: run ./market up")
    _refuse_where_moved(layout)
    standings = Cloud(layout).standings()
    for each in standings:
        state = "[green]up[/green]" if each.ready else "[yellow]not ready[/yellow]" if each.pid else "[red]down[/red]"
        memory = f"{each.memory_mib:.0f} MiB" if each.pid else ""
        table.add_row(each.part.name, state, f"127.0.0.1:{each.part.port}", str(each.pid or ""), memory)
    console.print(table)
    return 0 if all(each.ready for each in standings) else 1


def _logs(layout: Layout, arguments: Sequence[str]) -> int:
    from local.function_logs import function_names

    known = sorted(path.stem for path in layout.logs.glob("*.log"))
    functions = function_names()
    parser = _parser("logs", "The last lines of every part's log, of one log, or about one request.")
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        choices=[*known, *functions],
        help=f"a part, as ./market status names them, or a function ({', '.join(functions)})",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument(
        "--request",
        type=said,
        metavar="ID",
        help="every function's lines about a request (by its X-Request-Id), an image or an execution",
    )
    parser.add_argument(
        "--lines",
        type=at_least(1),
        metavar="N",
        help="how many of the last lines; else 200 of NAME, 20 of each log, and all about a request",
    )
    chosen = parser.parse_args(arguments)
    count = chosen.lines or (200 if chosen.name else 20)
    try:
        if chosen.request or chosen.name in functions:
            if chosen.name in known:
                parser.error(f"--request looks into functions, and {chosen.name} is a part")
            count = chosen.lines if chosen.request else count
            return _function_logs(layout, chosen.name, chosen.request or "", count, follow=chosen.follow)
        files = [layout.logs / f"{name}.log" for name in ([chosen.name] if chosen.name else known)]
        if not files:
            console.print("Nothing has been logged yet: run ./market up")
            return 0
        tail = ["tail", "-n", str(count), *(["-F"] if chosen.follow else []), *map(str, files)]
        return shell_status(subprocess.call(tail))
    except KeyboardInterrupt:
        return 0


def _function_logs(layout: Layout, function: str | None, about: str, count: int | None, *, follow: bool) -> int:
    from local.function_logs import FunctionLogs

    _refuse_where_down(layout, "aws")
    logs = FunctionLogs(layout)
    lines = logs.lines(function, about=about)
    if not lines and not follow:
        if about:
            errors.print(f"No function has logged anything about {about}", markup=False)
            return 1
        console.print(f"{function} has not logged yet")
        return 0
    for line in lines if count is None else lines[-count:]:
        print(line, flush=True)
    if follow:
        for line in logs.follow(function, about=about, since=lines[-1].at + 1 if lines else 0):
            print(line, flush=True)
    return 0


def _refuse_where_down(layout: Layout, *names: str) -> None:
    """Raises `LocalError` unless these parts of the stack are up, and know where the clone lies."""
    supervisor = Supervisor(layout)
    down = {name: title for name, title in _NEEDED.items() if supervisor.process(name) is None}
    if len(down) == len(_NEEDED):
        raise LocalError("the local cloud is down: start it with ./market up")
    if missing := [title for name, title in down.items() if name in names]:
        raise LocalError(f"the local cloud is not whole ({', '.join(missing)} down): repair it with ./market up")
    _refuse_where_moved(layout)


def _refuse_where_moved(layout: Layout) -> None:
    if Supervisor(layout).moved():
        raise LocalError("the clone was moved while its cloud was up, which looks for its files elsewhere: ./market up")


def _refuse_where_not_deployed(layout: Layout, *names: str) -> None:
    """Raises `LocalError` unless these parts are up and the first deployment has ended."""
    _refuse_where_down(layout, *names)
    if not layout.outputs():
        raise LocalError("nothing is deployed yet: run ./market up")


def _dashboard(layout: Layout, arguments: Sequence[str]) -> int:
    parser = _parser(
        "dashboard", "Uploads, steps, failures, queues, search and cost, live from the functions' own metrics."
    )
    parser.add_argument("--minutes", type=at_least(1), default=15, help="how far back to look (default 15)")
    parser.add_argument("--once", action="store_true", help="print one picture and end")
    chosen = parser.parse_args(arguments)
    _refuse_where_not_deployed(layout, "aws")
    from local.dashboard import show

    return show(layout, minutes=chosen.minutes, once=chosen.once)


def _agreed(what: str) -> bool:
    """Whether a person at the terminal says yes. Raises `LocalError` where there is none."""
    if not sys.stdin.isatty():
        raise LocalError(f"{what} There is no terminal to ask at: say --yes")
    try:
        return input(f"{what} Go on? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _reset(layout: Layout, arguments: Sequence[str]) -> int:
    parser = _parser(
        "reset", "Stop all of it and remove its state: database, objects, accounts. It asks before it does."
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    if not parser.parse_args(arguments).yes and not _agreed(
        f"This removes every picture, account and setting of the state in {layout.state}."
    ):
        errors.print("Nothing was removed.")
        return 1
    Cloud(layout).reset()
    console.print("The state is gone: ./market up starts afresh.")
    return 0


def _env(layout: Layout, arguments: Sequence[str]) -> int:
    _parser(
        "env", 'Print the variables with which aws, boto3 and psql reach the stack: eval "$(./market env)".'
    ).parse_args(arguments)
    _refuse_where_down(layout, *_NEEDED)
    for name, value in Cloud(layout).environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _test(layout: Layout, arguments: Sequence[str]) -> int:
    from local.checks import run_checks

    return run_checks(layout, arguments)


def benchmarks_offered() -> dict[str, str]:
    """What each benchmark measures, by name: the modules that run by themselves, and their first sentences."""
    found: dict[str, str] = {}
    for path in sorted((REPOSITORY / "benchmarks").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        if '\nif __name__ == "__main__":\n' in source:
            found[path.stem] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return found


def _bench(layout: Layout, arguments: Sequence[str]) -> int:
    benchmarks = benchmarks_offered()
    if not arguments or arguments[0] not in benchmarks:
        asked = not arguments or arguments[0] in {"-h", "--help"}
        told = sys.stdout if asked else sys.stderr
        print(
            "usage: ./market bench NAME [--json FILE]; ./market bench NAME --help says what else it takes\n", file=told
        )
        for name, says in benchmarks.items():
            print(f"  {name:18} {says}", file=told)
        return 0 if asked else 2
    environment = os.environ | Cloud(layout).environment()
    return run_interruptibly([sys.executable, "-m", "local.benchmark", *arguments], environment)


def _chaos(layout: Layout, arguments: Sequence[str]) -> int:
    del layout  # it has one of its own
    from local.chaos import run_chaos

    return run_chaos(arguments)


def product_commands() -> set[str]:
    """The commands of the product's own command line."""
    from imagemarket.cli.app import app

    return {each.name or "" for each in [*app.registered_commands, *app.registered_groups]}


def _product(layout: Layout, arguments: Sequence[str]) -> int:
    """The product's own command line, pointed at the local stack."""
    works_without_stack = _works_without_stack(arguments, layout.base_url)
    if not works_without_stack:
        _refuse_where_not_deployed(layout, *_NEEDED)
    environment = Cloud(layout).environment()
    if works_without_stack and Supervisor(layout).process("front") is None:
        del environment["MARKET_URL"]  # nobody would answer there
    # what a person set by hand (another MARKET_URL, say) wins
    environment |= {name: value for name, value in os.environ.items() if name.startswith("MARKET_") and value}
    os.environ.update(environment)
    named = "import sys; sys.argv[0] = './market'; from imagemarket.cli.__main__ import main; main()"
    os.execv(sys.executable, [sys.executable, "-c", named, *arguments])  # noqa: S606


def _works_without_stack(arguments: Sequence[str], own_url: str) -> bool:
    """Whether these words of the product's command line reach no part of this stack."""
    elsewhere = os.environ.get("MARKET_URL", own_url) != own_url or "--url" in arguments
    return (
        elsewhere
        or {"--help", "--stage"} & set(arguments) != set()
        or arguments[0] in _OFFLINE
        or list(arguments[:2]) == ["models", "build"]
    )


COMMANDS = {
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


def _end(*_: object) -> None:
    """Told to end, it ends as when interrupted: what it waits for (the CDK, the uploader) ends with it."""
    raise KeyboardInterrupt


_TOLD = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    errno.ELOOP,
}
"""What is wrong with a file or folder that is named: a person puts it right."""


def main() -> int:
    try:
        return until_nobody_reads(_run)
    except OSError as error:
        if error.errno not in _TOLD or error.filename is None:
            raise
        print(f"market: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1


def _run() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"help", "-h", "--help"}:
        print(USAGE)
        return 0
    command = arguments[0]
    for told in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs inherit that they ignore the second
        signal.signal(told, _end)
    try:
        layout = Layout.of_environment(choosing=command in {"up", "test", "chaos"})
        return COMMANDS.get(command, lambda layout, _: _product(layout, arguments))(layout, arguments[1:])
    except LocalError as error:
        errors.print(f"[red]market:[/red] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        errors.print("\nInterrupted. Run the same command again: it goes on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
