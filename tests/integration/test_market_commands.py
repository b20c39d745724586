"""./market's own commands, as far as they need no stack: what they refuse, ask and list."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import psutil
import pytest

import local.cloud
from imagemarket.cli.closed_pipe import READER_GONE
from local import commands as market
from local import function_logs, help_texts
from local.cloud import Cloud
from local.function_logs import Line
from local.layout import REPOSITORY, Layout, free_port, write_private
from local.processes import Part, Supervisor


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("MARKET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MARKET_STATE", str(tmp_path))
    return tmp_path


def _say(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["market", *words])
    return market.main()


ASKING = [
    ("search", "a red boat"),
    ("upload", "/tmp"),
    ("users", "create-admin", "a@example.com"),
    ("images", "stuck"),
    ("dlq", "list"),
    ("models", "list"),
    ("verify",),
    ("categories",),
    ("dashboard", "--once"),
    ("logs", "search_api"),
    ("logs", "--request", "019af9c5"),
    ("env",),
]


@pytest.mark.parametrize("words", [*ASKING, ("status",)])
def test_with_the_stack_down_a_command_says_so_in_a_line_and_answers_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert _say(monkeypatch, *words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "./market up" in said.err


@pytest.mark.parametrize("words", ASKING)
def test_with_the_stack_down_again_a_command_says_so_in_a_line_and_answers_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    Layout(made=state, state=state, port=8080).ports()
    write_private(state / "outputs.json", json.dumps({"stack": {"ApiUrl": "x"}}))
    assert _say(monkeypatch, *words) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "market: the local cloud is down: start it with ./market up\n")


@pytest.mark.parametrize("wrong", [{"MARKET_PORT": "x"}, {"MARKET_STAGE": "prod"}, {"MARKET_CLONE": "/another"}, {}])
def test_a_shell_that_evaluates_what_env_says_evaluates_no_refusal(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: dict[str, str]
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    assert _say(monkeypatch, "env") == 1
    said = capsys.readouterr()
    assert (said.out, said.err[:8]) == ("", "market: ")


def test_what_a_refusal_quotes_is_shown_as_it_is(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MARKET_PORT", "[/red]80")
    assert _say(monkeypatch, "status") == 1
    assert "'[/red]80'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("contact-sheet", "pictures"),
        ("watermark", "read", "found.jpg"),
        ("models", "build", "lite", "--out", "x"),
        ("upload", "--help"),
        ("search", "cat", "--url", "https://api.example.com"),
        ("dlq", "list", "--stage", "launch"),
    ],
)
def test_what_needs_no_stack_is_not_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: begun.append(command))
    with pytest.MonkeyPatch.context() as kept:  # what the command would have been given goes again
        kept.setattr(os, "environ", os.environ.copy())
        assert _say(monkeypatch, *words) is None
        assert "MARKET_URL" not in os.environ, "nobody answers there"
    assert begun[0][-len(words) :] == list(words)


@pytest.fixture
def whole_stack(state: Path) -> Iterator[Path]:
    """Every part is up, as the supervisor started and recorded it; each does nothing."""
    layout = Layout(made=state, state=state, port=8080)
    layout.ports()
    supervisor = Supervisor(layout)
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    parts = [Part(name, title, free_port(), sleep, lambda: True) for name, title in market._NEEDED.items()]
    for part in parts:
        supervisor.start(part)
    yield state
    for part in parts:
        supervisor._started[part.name].kill()
        supervisor._reap(part.name)


PRODUCTS = [("dlq", "list"), ("verify",), ("images", "stuck"), ("search", "cat"), ("upload", "/tmp"), ("categories",)]


@pytest.mark.parametrize("words", [*PRODUCTS, ("dashboard", "--once")])
def test_before_the_first_deployment_has_ended_a_command_says_so_in_a_line(
    whole_stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert _say(monkeypatch, *words) == 1
    assert capsys.readouterr().err == "market: nothing is deployed yet: run ./market up\n"


@pytest.mark.parametrize("words", [*PRODUCTS, ("dashboard", "--once"), ("status",), ("logs", "search_api")])
def test_after_the_clone_was_moved_under_its_stack_a_command_says_so_in_a_line(
    whole_stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    write_private(whole_stack / "outputs.json", json.dumps({"stack": {"ApiUrl": "x"}}))
    moved = whole_stack.rename(whole_stack.with_name(f"{whole_stack.name}-moved"))
    monkeypatch.setenv("MARKET_STATE", str(moved))
    assert _say(monkeypatch, *words) == 1
    said = capsys.readouterr().err
    assert "the clone was moved" in said
    assert "./market up" in said
    assert said.count("\n") == 1


def test_a_state_that_another_path_leads_to_was_not_moved(whole_stack: Path, tmp_path: Path) -> None:
    link = tmp_path.with_name(f"{tmp_path.name}-link")
    link.symlink_to(whole_stack)
    assert not Supervisor(Layout(made=link, state=link, port=1)).moved()


@pytest.mark.parametrize("words", [("status",), ("env",), ("logs",), *PRODUCTS])
def test_what_only_reads_makes_no_state(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MARKET_STATE", str(tmp_path / "new"))
    assert _say(monkeypatch, *words) == (0 if words == ("logs",) else 1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("place", ["a file", "a file/below", "/proc/x"])
@pytest.mark.parametrize("command", ["status", "up", "down", "env", "reset --yes"])
def test_a_state_where_none_can_be_is_refused_in_a_line(
    tmp_path: Path,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    place: str,
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("MARKET_STATE", str(tmp_path / place))
    assert _say(monkeypatch, *command.split()) == 1
    said = capsys.readouterr()
    assert (said.out + said.err).startswith("market: ")
    assert (said.out + said.err).count("\n") == 1


def test_a_state_of_another_user_is_said_to_be_one(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != state)
    for command in ("status", "down", "up", "logs", "env", "dashboard", "verify"):
        assert _say(monkeypatch, command) == 1
        assert f"belongs to {state.owner()} and cannot be read" in capsys.readouterr().err


def test_where_every_part_is_down_none_is_said_to_be_missing(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _say(monkeypatch, "logs", "search_api") == 1
    assert capsys.readouterr().err == "market: the local cloud is down: start it with ./market up\n"


@pytest.mark.parametrize(
    "program", [("local", "bench"), ("local", "help"), ("imagemarket.cli", "--help"), ("imagemarket.cli", "dlq")]
)
def test_a_command_whose_output_cannot_be_written_says_so_in_a_line(state: Path, program: tuple[str, ...]) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")])}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", *program],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "What there is to write cannot be written: No space left on device\n"


def test_a_reset_waits_until_the_demo_of_an_up_has_ended(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(made=state, state=state, port=8080)
    held: list[bool] = []

    def demo() -> None:
        with (layout.run / "lock").open("w") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(False)
            return
        held.append(True)

    cloud = Cloud(layout)
    for name in ("_check_room", "_start_all"):
        monkeypatch.setattr(Cloud, name, lambda _: None)
    cloud.up(then=demo)
    assert held == [True]


def test_who_waited_while_a_reset_took_the_lock_away_takes_the_new_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(made=state, state=state, port=8080)
    real, taken = fcntl.flock, []

    def flock(lock: IO[str], how: int) -> None:
        real(lock, how)
        taken.append(lock)
        if len(taken) == 1:  # whoever held it until now was a reset
            shutil.rmtree(layout.run)

    monkeypatch.setattr(fcntl, "flock", flock)
    with local.cloud._only_one(layout):
        assert (layout.run / "lock").exists()
    assert len(taken) == 2


def test_reset_asks_and_removes_nothing_without_a_yes(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = state / "state" / "picture"
    write_private(kept, "mine")
    assert _say(monkeypatch, "reset") == 1, "no terminal, no --yes"
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert _say(monkeypatch, "reset") == 1
    assert kept.exists()
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert _say(monkeypatch, "reset") == 0
    assert not kept.exists()


def test_up_on_a_taken_port_is_refused_before_anything_is_stopped(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Layout(made=state, state=state, port=18123).remember_port()
    stopped: list[str] = []
    monkeypatch.setattr(local.cloud.Supervisor, "stop", lambda _, part: stopped.append(part.name))
    monkeypatch.setattr(local.cloud.Supervisor, "port", lambda _, name: 18123)
    monkeypatch.setattr(local.cloud, "port_is_free", lambda port: port != 18124)
    monkeypatch.setenv("MARKET_PORT", "18124")
    assert _say(monkeypatch, "up") == 1
    assert "port 18124 is in use by another program" in capsys.readouterr().err
    assert stopped == []
    monkeypatch.delenv("MARKET_PORT")
    assert Layout.of_environment().port == 18123, "a refused port is not remembered"


def test_every_benchmark_that_is_offered_is_one(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offered = market.benchmarks_offered()
    assert {"report", "samples", "road_stack"} & set(offered) == set()
    assert all(offered.values())
    assert _say(monkeypatch, "bench", "--help") == 0
    listed = re.findall(r"^  (\w+) +\S", capsys.readouterr().out, flags=re.MULTILINE)
    assert listed == sorted(offered)
    assert _say(monkeypatch, "bench", "samples") == 2
    assert capsys.readouterr().out == ""


def test_help_names_every_command_of_the_product() -> None:
    assert {name for name in market.product_commands() if not re.search(rf"\b{name}\b", market.USAGE)} == set()


def test_a_part_or_function_that_is_none_is_told_which_there_are(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _say(monkeypatch, "logs", "serach_api")
    assert "search_api" in capsys.readouterr().err


def test_what_a_command_takes_is_told_without_an_environment_as_with_one() -> None:
    """Lines break otherwise in other versions of Python."""
    there = {path.stem: path.read_text(encoding="utf-8") for path in help_texts.FOLDER.glob("*.txt")}
    wanted = help_texts.texts()
    assert there.keys() - help_texts.BY_HAND == wanted.keys()
    differing = {name for name, text in wanted.items() if text.split() != there[name].split()}
    assert differing == set(), "python -m local.help_texts writes them anew"
    assert {*market.COMMANDS, *market.product_commands()} <= there.keys()


def test_the_options_that_test_passes_on_are_those_of_pytest() -> None:
    listed = (help_texts.FOLDER / "pytest.options").read_text(encoding="utf-8").split()
    program = "from local.help_texts import pytest_options; print(*pytest_options())"
    told = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert listed == told.stdout.split(), "python -m local.help_texts writes them anew"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("logs", "--request", ""), "is empty"),
        (("logs", "--request", " "), "is empty"),
        (("logs", "aws", "--lines", "0"), "'0' must be a whole number, 1 or more"),
        (("logs", "--lines", "-5"), "'-5' must be a whole number, 1 or more"),
        (("logs", "--lines", "ten"), "'ten' must be a whole number, 1 or more"),
        (("dashboard", "--minutes", "0"), "'0' must be a whole number, 1 or more"),
        (("logs", "--lines", "9" * 20), "is too much: 1000000000 at most"),
        (("dashboard", "--minutes", "9" * 5000), "is too much: 1000000000 at most"),
        (("chaos", "--uploads", "-1"), "'-1' must be a whole number, 1 or more"),
    ],
)
def test_a_value_that_says_nothing_is_refused(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    write_private(state / "logs" / "aws.log", "a line\n")
    with pytest.raises(SystemExit) as ended:
        _say(monkeypatch, *words)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert told in said.err
    assert not said.out


@pytest.mark.parametrize(
    ("words", "lines"), [((), ["1", "2", "3"]), (("--lines", "2"), ["2", "3"]), (("--lines", "9"), ["1", "2", "3"])]
)
def test_every_line_about_a_request_is_shown_unless_so_many_are_asked_for(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    lines: list[str],
) -> None:
    found = [Line(number, "search_api", str(number)) for number in (1, 2, 3)]
    monkeypatch.setattr(function_logs, "FunctionLogs", lambda _: SimpleNamespace(lines=lambda *_, about: found))
    monkeypatch.setattr(market, "_refuse_where_down", lambda *_: None)
    assert _say(monkeypatch, "logs", "--request", "r1", *words) == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == lines


@pytest.mark.parametrize(
    "words", [("help",), ("bench", "--help"), ("logs",), ("reset", "--yes"), ("down",), ("search", "--help")]
)
def test_a_command_whose_reader_has_gone_ends_without_a_word(state: Path, words: tuple[str, ...]) -> None:
    write_private(state / "logs" / "aws.log", "a line\n" * 100_000)
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "local", *words],
            env=environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (READER_GONE, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_up_that_is_told_to_end_takes_its_deployment_along_and_can_be_run_again(
    state: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """Otherwise the next one would deploy beside it. What jsii unpacks it leaves behind, if told to end."""
    script = f"""
import sys
import time
from pathlib import Path
from local import commands as market, deployment
from local.layout import Layout

def deploys(layout, arguments):
    words = ["sh", "-c", "mktemp -d > unpacked; echo $$ > pid; exec sleep 60"]
    deployment._cdk(words, layout, Path({str(tmp_path)!r}), {{}}, print)

market.COMMANDS["up"] = deploys
sys.argv = ["market", "up"]
sys.exit(market.main())
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")])}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a job in the background of a script has it
    try:
        process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with process:
        try:
            pid = tmp_path / "pid"
            deadline = time.monotonic() + 30
            while not (pid.exists() and pid.read_text().strip()):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(how)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Run the same command again" in said
    assert not psutil.pid_exists(int(pid.read_text()))
    unpacked = Path((tmp_path / "unpacked").read_text().strip())
    assert unpacked.is_relative_to(state)
    assert not unpacked.exists()


@pytest.mark.parametrize("loading", ["rich", "imagemarket", "local.cloud"])
def test_an_interrupt_while_the_commands_are_loaded_ends_without_a_traceback(tmp_path: Path, loading: str) -> None:
    """Whatever is being loaded just then; here it says so itself, which needs no luck."""
    finder = f"""
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {loading!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
"""
    (tmp_path / "sitecustomize.py").write_text(finder)
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY), str(REPOSITORY / "shared")])
    done = subprocess.run(
        [sys.executable, "-m", "local", "status"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
