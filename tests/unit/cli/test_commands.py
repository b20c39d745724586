"""The commands that look after a deployment, and those that only ask the API: what they call, print and end with."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from getpass import GetPassWarning
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints
from uuid import UUID

import httpx
import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner, Result

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.models import ImageStatus
from imagemarket.cli import catalogue, models, upload
from imagemarket.cli.__main__ import main
from imagemarket.cli.app import app
from imagemarket.cli.client import CliError, MarketClient
from imagemarket.cli.pictures import PassedOver
from imagemarket.cli.terminal import say
from imagemarket.cli.uploader import Outcome
from imagemarket.operations.consistency import Difference
from imagemarket.operations.dead_letters.models import Cause, DeadMessage
from tests.provided import provide

IMAGE = UUID("01930000-0000-7000-8000-000000000001")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_STAGE", "local")
    monkeypatch.setenv("MARKET_DATABASE_SECRET_ARN", "given")


def run(*words: str, **more: Any) -> Result:
    return CliRunner().invoke(app, list(words), **more)


class Calls:
    """Stands for a service: remembers what it was asked, answers what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.seen: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*positional: Any, **named: Any) -> Any:
            self.seen.append((name, positional, named))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


# --- wrong words ---------------------------------------------------------------------------------


def _read_values(*wanted: type) -> Iterator[tuple[list[str], str]]:
    """Every place of every command that takes one of these: the command's words, and how the value is given."""

    def commands(group: Any, way: list[str]) -> Iterator[tuple[list[str], Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from commands(command, [*way, name])
            else:
                yield [*way, name], command

    for words, command in commands(get_command(app), []):
        kinds = get_type_hints(inspect.unwrap(command.callback))
        for parameter in command.params:
            kind = kinds.get(parameter.name)
            inner = [each for each in (*get_args(kind), kind) if isinstance(each, type)]
            if any(issubclass(each, wanted) and each is not bool for each in inner):
                yield words, next((each for each in parameter.opts if each.startswith("--")), "")


@pytest.mark.parametrize(("words", "option"), [*_read_values(UUID, int, float, Enum)], ids="".join)
def test_a_value_that_is_none_is_refused_in_our_words(words: list[str], option: str) -> None:
    done = run(*words, *([option] if option else []), "nope")
    assert done.exit_code == 2
    said = " ".join(done.output.replace("\u2502", " ").split())
    assert "'nope' must be " in said or "'nope' is not one of " in said
    assert "Input should" not in said


@pytest.mark.parametrize(("words", "option"), [*_read_values(Path), (["upload", "there.jpg"], "")], ids="".join)
def test_an_empty_name_is_no_file_or_folder(words: list[str], option: str) -> None:
    """As of a variable that is not set: a path made of it would be the current folder."""
    done = run(*words, *([option] if option else []), "")
    said = " ".join(done.output.replace("\u2502", " ").split())
    assert (done.exit_code, "an empty name is no file or folder" in said) == (2, True), said


@pytest.mark.parametrize(
    "words", [["search", "\udcff\udcfe"], ["upload", ".", "--as", "\udcff"], ["upload", ".", "--tag", "caf\udce9"]]
)
def test_words_that_are_no_utf8_are_refused(words: list[str]) -> None:
    done = run(*words)
    assert (done.exit_code, "is no UTF-8" in done.output) == (2, True), done.output


@pytest.mark.parametrize("words", [["upload", "a.jpg", "--as", "a@b.c"], ["users", "create-admin", "a@b.c"]])
def test_without_a_terminal_a_password_is_asked_for_by_its_variable(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def asked(question: str, **_: Any) -> str:
        warnings.warn("Can not control echo on the terminal.", GetPassWarning, stacklevel=2)
        return question

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"x")
    monkeypatch.setattr("imagemarket.cli.terminal.typer.prompt", asked)
    provide("identity.service", Calls())
    monkeypatch.delenv("MARKET_PASSWORD", raising=False)
    done = run(*words)
    assert isinstance(done.exception, CliError)
    assert "set MARKET_PASSWORD" in str(done.exception)
    monkeypatch.setenv("MARKET_PASSWORD", "caf\udce9")
    done = run(*words)
    assert isinstance(done.exception, CliError)
    assert "is no UTF-8" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["images", "show", "nope"], "'nope' must be an id such as 01930000-0000-7000-8000-000000000001"),
        (["dlq", "replay", "--rate", "0"], "'0' must be at least 0.01"),
        (["dlq", "replay", "--rate", "nan"], "'nan' must be a number"),
        (["search", "cat", "--limit", "0"], "'0' must be at least 1"),
        (["search", "cat", "--limit", "101"], "'101' must be at most 100"),
        (["search", "cat", "--limit", "ten"], "'ten' must be a whole number"),
        (["upload", "x", "--as", "a@b.c", "--type", "x"], "'--type': 'x' is not one of 'photo',"),
        (["upload", "x", "--as", "a@b.c", "--license", "standard,x"], "'--license': 'x' is not one of 'standard',"),
    ],
)
def test_a_refused_value_is_told_with_what_it_must_be(words: list[str], told: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert told in " ".join(done.output.replace("\u2502", " ").split())


def test_what_may_be_repeated_may_have_commas_between(tmp_path: Path) -> None:
    service = Calls(look=[])
    provide("operations.dead_letters", service)
    assert run("dlq", "list", "--error", "TimedOut, NoRow", "--error", "Unrecorded").exit_code == 0
    assert service.seen[0][1][0].errors == {"TimedOut", "NoRow", "Unrecorded"}
    done = run("upload", str(tmp_path), "--as", "a@b.c", "--category", "a,b,c", "--category", "d,e,f")
    assert str(done.exception) == "--category: 6 categories are too many; a picture has at most 5"
    done = run("upload", str(tmp_path), "--as", "a@b.c", "--tag", "red,")
    assert str(done.exception) == "--tag '' must not be empty"


# --- what comes from outside -----------------------------------------------------------------------

SLY = "a\x1b[31m\u202egpj\nb\x9b2J"
SHOWN = "a\\x1b[31m\\u202egpj\\nb\\x9b2J"


def test_every_text_is_printed_by_what_makes_it_visible() -> None:
    """But for JSON, which has escapes of its own."""
    for path in Path(catalogue.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or path.name in {"terminal.py", "closed_pipe.py"}:
                continue
            if ast.unparse(call.func) in {"typer.echo", "typer.secho", "print"}:
                assert ast.unparse(call.args[0]).startswith("json.dumps("), (path, call.lineno)
            assert not ast.unparse(call.func).endswith("escape"), (path, call.lineno)


def test_names_are_whole_in_the_results_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")  # 80 columns
    names = ("winter-village.jpg", "the-old-harbour.jpg")
    reason = "The catalogue has this picture already; it is sold as another one's and cannot be sent again."
    upload._table(
        [Outcome(name, "pending_review", reason if name in names[1:] else "", str(IMAGE), 12.3) for name in names]
    )
    told = capsys.readouterr().out
    for name in names:
        assert f"{name} " in told
    assert told.count(str(IMAGE)) == 2
    assert all(word in told for word in reason.split())
    assert all(len(line) <= 80 for line in told.splitlines())


def test_what_would_steer_a_terminal_is_shown_as_its_escape(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(SLY)
    catalogue.show(("title",), [(SLY,)])
    outcome = Outcome(SLY, "failed", SLY, SLY)
    upload._table([outcome])
    upload._say_passed_over(Console(width=1000), [PassedOver(SLY, SLY)])
    shown = upload._Shown(Console(width=1000), [])
    shown.ended(outcome)
    told = capsys.readouterr().out
    assert told.count(SHOWN) == 1 + 1 + 3 + 2 + 2
    assert set(told) & {"\x1b", "\u202e", "\x9b"} == set()
    say("two\nlines\r", lines=True)
    assert capsys.readouterr().out == "two\nlines\\r\n"
    say("\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")  # Persian needs its joiner
    assert "\u200c" in capsys.readouterr().out

    def fail() -> None:
        raise CliError(SLY)

    monkeypatch.setattr("imagemarket.cli.app.app", fail)
    monkeypatch.setattr(sys, "argv", ["imagemarket"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == f"imagemarket: {SHOWN}\n"


def test_a_file_named_like_an_option_steers_no_terminal() -> None:
    done = run("upload", "--x\x1b[31m", "--as", "a@b.c")
    assert done.exit_code == 2
    assert "\x1b[31m.jpg" not in done.output
    assert "\\x1b[31m" in done.output


def test_a_dead_letter_with_bytes_is_shown() -> None:
    letter = DeadMessage(
        id="abc",
        queue="uploads",
        body=SLY,
        attributes={"b": {"DataType": "Binary", "BinaryValue": b"\xff"}, "s": {"StringValue": SLY}},
        sent_at=datetime(2026, 1, 2, tzinfo=UTC),
        cause=Cause(error=SLY, detail=SLY),
    )
    view = SimpleNamespace(messages=[letter], queue=SimpleNamespace(name="uploads", held=0))
    provide("operations.dead_letters", Calls(look=[view]))
    document = json.loads(run("dlq", "show", "abc", "--json").output)
    assert document["attributes"]["b"] == {"DataType": "Binary", "BinaryValue": "/w=="}
    for words in (["show", "abc"], ["list"], ["list", "--messages"]):
        told = run("dlq", *words).output
        assert "\\x1b[31m" in told
        assert set(told) & {"\x1b", "\u202e", "\x9b"} == set()


def test_removing_dead_letters_without_a_terminal_says_how() -> None:
    view = SimpleNamespace(messages=[1])
    service = Calls(look=[view])
    provide("operations.dead_letters", service)
    done = run("dlq", "purge", "--all", input="")
    assert "--yes" in str(done.exception)
    assert "Remove 1 dead letter of" in done.output
    assert run("dlq", "purge", "--all", input="n\n").exit_code == 1
    assert {name for name, _, _ in service.seen} == {"look"}
    assert "--yes" in str(run("images", "delete", str(IMAGE), "--reason", "x", input="").exception)


@pytest.mark.parametrize("time", ["99999999999d", "9" * 5000 + "s"])
def test_a_time_beyond_counting_is_refused(time: str) -> None:
    done = run("dlq", "list", "--older-than", time)
    assert (done.exit_code, "longer than any time" in " ".join(done.output.split())) == (2, True), done.output


def test_an_empty_file_holds_no_dead_letter(tmp_path: Path) -> None:
    provide("operations.dead_letters", Calls())
    (tmp_path / "empty").write_bytes(b"\n")
    assert "There is no dead letter in" in run("dlq", "import", str(tmp_path / "empty")).output
    (tmp_path / "other").write_bytes(b"\xff")
    assert "UTF-8" in str(run("dlq", "import", str(tmp_path / "other")).exception)


def test_the_version_is_told() -> None:
    done = run("--version")
    assert (done.exit_code, done.output.startswith("imagemarket")) == (0, True)
    assert "Usage" in run().output


# --- verify --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        ([], 0, "Everything is as it should be."),
        ([Difference(IMAGE, "vector", "none")], 1, "vector: 1"),
        ([Difference(IMAGE, "vector", "none", mended=True)], 0, "mended"),
        ([Difference(IMAGE, "original", "gone", mended=False)], 1, "cannot be mended here"),
    ],
)
def test_verify_lists_what_differs_and_its_status_says_what_is_left(
    found: list[Difference], status: int, words: str
) -> None:
    service = Calls(run=found)
    provide("operations.consistency_check", service)
    done = run("verify", "--repair", "--no-checksums")
    assert (done.exit_code, words in done.output) == (status, True), done.output
    assert service.seen == [("run", (), {"repair": True, "checksums": False})]
    lines = [json.loads(line) for line in run("verify", "--json").output.splitlines()]
    assert [line["kind"] for line in lines] == [each.kind for each in found]


# --- images --------------------------------------------------------------------------------------


def test_what_is_done_to_an_image_is_done_with_a_reason_by_somebody() -> None:
    service = Calls(restore=ImageStatus.APPROVED)
    provide("catalog.takedowns", service)
    said = ["--reason", "asked for", "--by", "ada"]
    assert "is taken down" in run("images", "takedown", str(IMAGE), *said).output
    assert "approved again" in run("images", "restore", str(IMAGE), *said).output
    assert run("images", "delete", str(IMAGE), *said, input="n\n").exit_code == 1
    assert "is deleted" in run("images", "delete", str(IMAGE), *said, "--yes").output
    assert service.seen == [
        (name, (IMAGE,), {"reason": "asked for", "actor": "ada"}) for name in ("take_down", "restore", "delete")
    ]


def test_an_image_that_is_not_there_is_one_line() -> None:
    provide("catalog.takedowns", Calls(take_down=ImageNotFound("There is no such image.")))
    done = run("images", "takedown", str(IMAGE), "--reason", "x")
    assert isinstance(done.exception, CliError)
    assert str(done.exception) == "There is no such image."


def test_an_images_history_is_a_table() -> None:
    row = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "action": "take_down",
        "actor": "ada",
        "reason": "asked for",
        "status_before": "approved",
        "status_after": "taken_down",
    }
    service = Calls(history=[])
    provide("catalog.takedowns", service)
    assert "No change" in run("images", "history", str(IMAGE)).output
    service.answers["history"] = [row]
    shown = run("images", "history", str(IMAGE)).output
    assert all(word in shown for word in ("2026-01-02", "take_down", "ada", "asked for", "taken_down"))


def test_what_is_stuck_is_listed_and_settled_when_asked() -> None:
    stuck = SimpleNamespace(
        job=SimpleNamespace(image_id=IMAGE, run=2),
        last_heard=datetime(2026, 1, 2, tzinfo=UTC),
        execution=None,
        action="resume",
    )
    service = Calls(stuck=[], run={"failed_to": 0, "resumed": 1})
    provide("ingestion.execution_sweeper", service)
    assert "No image is stuck." in run("images", "stuck").output
    service.answers["stuck"] = [stuck]
    assert str(IMAGE) in run("images", "stuck").output
    document = json.loads(run("images", "stuck", "--settle", "--json").output)
    assert document["stuck"][0] | {"last_heard": ""} == {
        "image_id": str(IMAGE), "run": 2, "last_heard": "", "execution": "none", "action": "resume"
    }  # fmt: skip
    assert document["done"] == {"failed_to": 0, "resumed": 1}


# --- models --------------------------------------------------------------------------------------


def test_models_are_listed_with_the_one_in_use() -> None:
    standings = [
        SimpleNamespace(model_version="lite-1", pictures=7, in_use=True),
        SimpleNamespace(model_version="clip-2", pictures=3, in_use=False),
    ]
    provide("search.reembedding", lambda: Calls(standings=standings))
    assert run("models", "list").output.splitlines() == ["lite-1  7 pictures  in use", "clip-2  3 pictures"]


@pytest.mark.parametrize(("words", "name"), [([], "run"), (["--no-switch"], "fill")])
def test_going_over_to_a_model_switches_unless_told_not_to(words: list[str], name: str) -> None:
    service, relay = Calls(run=5, fill=5), Calls()
    asked: list[str | None] = []
    provide("search.reembedding", lambda endpoint: asked.append(endpoint) or service)
    provide("resources.outbox_relay", relay)
    done = run("models", "reembed", "--to", "clip-2", "--endpoint", "other", *words)
    assert done.exit_code == 0, done.output
    assert [(call, positional[0]) for call, positional, _ in service.seen] == [(name, "clip-2")]
    assert asked == ["other"]
    assert [call for call, _, _ in relay.seen] == ["drain"]
    assert "5 vectors of clip-2 were made" in done.output


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["lite", "--out", "there"], ["-m", "sagemaker.builders.lite", "--out", "there"]),
        (["clip-vit-l-14", "--out", "there"], ["-m", "sagemaker.builders.clip", "clip-vit-l-14", "--out", "there"]),
    ],
)
def test_a_bundle_is_built_by_its_program(
    monkeypatch: pytest.MonkeyPatch, words: list[str], command: list[str]
) -> None:
    ran: list[list[str]] = []

    def remember(arguments: list[str], *, check: bool) -> Any:
        ran.append(arguments)
        return SimpleNamespace(returncode=4)

    monkeypatch.setattr(models.subprocess, "run", remember)
    assert run("models", "build", *words).exit_code == 4
    assert ran == [[sys.executable, *command]]


def test_outside_a_clone_there_is_nothing_to_build_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find_spec", lambda _: None)
    done = run("models", "build", "lite", "--out", "there")
    assert "./market models build" in str(done.exception)


# --- the public API ------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.URL]:
    seen: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        if request.url.path == "/v1/categories":
            return httpx.Response(200, json={"items": [{"slug": "nature", "name": "Nature"}], "next_cursor": None})
        hit = {
            "id": str(IMAGE),
            "title": "Boats",
            "score": 0.5,
            "categories": ["travel"],
            "contributor": {"name": "Ada"},
        }
        found = [] if request.url.params["q"] == "nothing" else [hit]
        spelling = {"asked": "bots", "searched": "boats"} if request.url.params["q"] == "bots" else None
        return httpx.Response(
            200, json={"results": found, "estimated_total": len(found), "mode": "hybrid", "spelling": spelling}
        )

    monkeypatch.setattr(catalogue, "MarketClient", lambda url: MarketClient(url, transport=httpx.MockTransport(answer)))
    return seen


def test_a_search_shows_what_was_found_and_what_was_made_of_the_words(asked: list[httpx.URL]) -> None:
    done = run("search", "bots", "--mode", "semantic", "--color", "blue", "--limit", "3", "--url", "http://api.test")
    assert done.exit_code == 0, done.output
    assert dict(asked[0].params) == {"q": "bots", "mode": "semantic", "color": "blue", "limit": "3"}
    for words in ("Boats", "0.500", "travel", "Ada", str(IMAGE), "1 of about 1 (hybrid)", "instead of"):
        assert words in done.output
    assert "Nothing found." in run("search", "nothing", "--url", "http://api.test").output
    assert json.loads(run("search", "boats", "--url", "http://api.test", "--json").output)["mode"] == "hybrid"


def test_categories_are_listed(asked: list[httpx.URL]) -> None:
    assert "nature" in run("categories", "--url", "http://api.test").output
    assert json.loads(run("categories", "--url", "http://api.test", "--json").output)[0]["slug"] == "nature"


def test_ctrl_c_while_the_command_line_is_loaded_ends_it_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "imagemarket.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "imagemarket.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
