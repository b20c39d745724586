"""The bulk uploader against the API's own functions on a real PostgreSQL and a store in memory, cut off anywhere."""

from __future__ import annotations

import _thread
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from imagemarket.cli.app import app
from imagemarket.cli.client import CliError, MarketClient
from imagemarket.cli.journal import Journal
from imagemarket.cli.pictures import Defaults, find_pictures
from imagemarket.cli.uploader import TICKET_SECONDS, Outcome, Uploader
from imagemarket.platform.database import Database
from imagemarket.platform.errors import Conflict, DependencyUnavailable
from tests.integration.market import EMAIL, URL, Killed, Market, a_market

pytestmark = pytest.mark.engines


class Quiet:
    """A progress that only counts."""

    def __init__(self) -> None:
        self.bytes = 0

    def sent(self, count: int) -> None:
        self.bytes += count

    def arrived(self) -> None:
        pass

    def ended(self, outcome: Outcome) -> None:
        pass


@pytest.fixture
def market(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    with a_market(database, monkeypatch) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files that go by a form and one that goes in four parts; what is in them only the saga would mind."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, size in (("one.jpg", 500), ("two.png", 700), ("large.tif", 3500)):
        (pictures / name).write_bytes(random.Random(name).randbytes(size))
    return pictures


def run(market: Market, folder: Path, journal: Path, *, clock: float | None = None, **options: Any) -> list[Outcome]:
    """One run of the uploader, ending as it ends."""
    kept = Journal(journal)
    client = MarketClient(URL, transport=market, sleep=lambda _: None)
    try:
        client.sign_in(EMAIL, "password")
        if clock is not None:
            options["clock"] = lambda: clock
        uploader = Uploader(
            client, kept, Quiet(), defaults=Defaults(), sleep=lambda _: time.sleep(0.001), **{"parallel": 1, **options}
        )
        return uploader.run(find_pictures([folder])[0])
    finally:
        kept.close()
        market.cut, market.dead = lambda _: None, False
        client.close()


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_a_second_run_sends_nothing_and_says_what_the_first_one_said(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    first = run(market, folder, tmp_path / "j.jsonl")
    assert statuses(first) == ["approved"] * 3
    assert (sum(market.posted.values()), dict(market.parts)) == (2, {1: 1, 2: 1, 3: 1, 4: 1})
    market.requests.clear()
    second = run(market, folder, tmp_path / "j.jsonl")
    assert [(each.name, each.status, each.image_id) for each in second] == [
        (each.name, each.status, each.image_id) for each in first
    ]
    assert market.requests == ["POST /v1/auth/login", "POST /v1/auth/logout"]


@pytest.mark.parametrize("fate", ["lost", "killed"])
def test_cut_off_at_any_request_every_picture_is_approved_once_and_no_part_is_sent_twice(
    market: Market, folder: Path, tmp_path: Path, fate: str
) -> None:
    """`lost`: the request had not left; `killed`: it was answered, and nobody heard. Then the run is cut off a second
    time, a little later, and run again."""
    whole = 40
    cuts = 0
    for number in range(2, whole):
        for row in market.database.fetch_all("SELECT id FROM images"):
            with market.database.transaction() as connection:
                connection.execute("DELETE FROM images WHERE id = %s", (row["id"],))
        market.posted.clear()
        market.parts.clear()
        journal = tmp_path / f"{fate}-{number}.jsonl"
        cut_now = False
        for later in (number, number + 3):
            market.requests.clear()
            market.cut = lambda count, at=later: fate if count == at else None
            try:
                run(market, folder, journal)
            except Killed:
                cut_now = True
                cuts += 1
        outcomes = run(market, folder, journal)
        assert statuses(outcomes) == ["approved"] * 3, (number, outcomes)
        assert market.statuses() == {"approved": 3}, number
        assert not market.store.uploads, "parts that nobody will join"
        assert max(market.parts.values()) <= (1 if fate == "lost" else 2), number
        assert sum(market.parts.values()) <= 4 + (0 if fate == "lost" else 2), number
        assert max(market.posted.values()) == 1, "a form was used twice"
        if not cut_now:
            assert cuts > 10
            return
    pytest.fail("no run came through by itself")


def test_a_second_form_is_not_sent_where_only_the_answer_was_lost(market: Market, folder: Path, tmp_path: Path) -> None:
    (folder / "large.tif").unlink()
    market.noticed_at_once = True
    market.cut = lambda _: "unanswered" if market.requests[-1] == "POST /" else None
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 2
    assert set(market.posted.values()) == {1}


def test_bytes_that_arrived_unnoticed_are_not_sent_again(market: Market, folder: Path, tmp_path: Path) -> None:
    """The run ends after the store took the bytes, and the store's event is late: the next run waits for it."""
    market.processing = False
    market.cut = lambda _: "killed" if market.requests[-1] == "POST /" else None
    with pytest.raises(Killed):
        run(market, folder, tmp_path / "j.jsonl")
    market.processing = True
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert set(market.posted.values()) == {1}
    assert market.statuses() == {"approved": 3}


def test_with_the_journal_lost_what_is_in_the_catalogue_is_there(market: Market, folder: Path, tmp_path: Path) -> None:
    first = run(market, folder, tmp_path / "j.jsonl")
    for _ in range(2):  # sent, and then remembered
        again = run(market, folder, tmp_path / "other.jsonl")
        assert [(each.status, each.image_id, each.is_good) for each in again] == [
            ("there", each.image_id, True) for each in first
        ]
    assert market.statuses() == {"approved": 3, "rejected": 3}


def test_a_refused_picture_is_sent_again_only_when_that_is_asked_for(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    market.status = "rejected"
    for again, sent in ((False, 3), (False, 3), (True, 6)):
        outcomes = run(market, folder, tmp_path / "j.jsonl", again=again)
        assert statuses(outcomes) == ["rejected"] * 3
        assert not any(each.is_good for each in outcomes)
        assert market.statuses() == {"rejected": sent}


def test_a_run_that_was_waited_out_is_asked_after_by_the_next(market: Market, folder: Path, tmp_path: Path) -> None:
    market.processing = False
    outcomes = run(market, folder, tmp_path / "j.jsonl", wait_seconds=0.05)
    assert statuses(outcomes) == ["processing"] * 3
    assert all("run it again" in each.reason and not each.is_good for each in outcomes)
    market.processing = True
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert sum(market.posted.values()) == 2


def test_what_the_journal_calls_sent_and_the_store_has_lost_is_sent_anew(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    """As where a local cloud went on for a while in a folder that was moved away."""
    market.processing = False
    assert statuses(run(market, folder, tmp_path / "j.jsonl", wait_seconds=0.05)) == ["processing"] * 3
    market.store.versions.clear()
    market.processing = True
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert market.statuses() == {"approved": 3}, "and what was announced for nothing was given up"


def test_what_waits_for_a_review_says_why_and_is_good(market: Market, folder: Path, tmp_path: Path) -> None:
    market.status = "pending_review"
    for _ in range(2):
        outcomes = run(market, folder, tmp_path / "j.jsonl")
        assert [(each.status, each.reason, each.is_good) for each in outcomes] == [
            ("pending_review", "It may not be safe for work.", True)
        ] * 3


def test_what_may_be_a_copy_says_once_of_which_images(
    market: Market, folder: Path, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the file's name where that is of this run too, else by the image's id."""
    ids = {each.name: str(each.image_id) for each in run(market, folder, tmp_path / "j.jsonl")}
    look_at_all = market.process

    def process() -> None:
        look_at_all()
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO duplicate_evidence (image_id, other_id, found_by, verdict)"
                " SELECT i.id, o.id, 'embedding', 'probable' FROM images i, images o"
                " WHERE i.status = 'pending_review' AND o.status = 'approved' ON CONFLICT DO NOTHING"
            )

    monkeypatch.setattr(market, "process", process)
    market.status = "pending_review"
    (folder / "two.png").unlink()
    (folder / "new.jpg").write_bytes(b"another file")
    for _ in range(2):
        (found,) = (each for each in run(market, folder, tmp_path / "j.jsonl") if each.name == "new.jpg")
        safe, told = found.reason.split(" It may be a copy of an image of yours: ")
        assert safe == "It may not be safe for work."
        assert sorted(told.removesuffix(".").split(", ")) == sorted(["large.tif", "one.jpg", ids["two.png"]])


def test_nobody_waits_for_what_is_not_waited_for(market: Market, folder: Path, tmp_path: Path) -> None:
    assert statuses(run(market, folder, tmp_path / "j.jsonl", wait_seconds=0)) == ["sent"] * 3
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert sum(market.posted.values()) == 2


def test_parts_whose_addresses_are_over_are_given_up_and_sent_anew(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    market.cut = lambda _: "killed" if market.parts[2] else None
    began = time.time()
    with pytest.raises(Killed):
        run(market, folder, tmp_path / "j.jsonl")
    assert len(market.store.uploads) == 1
    later = began + TICKET_SECONDS + 60
    assert statuses(run(market, folder, tmp_path / "j.jsonl", clock=later)) == ["approved"] * 3
    assert not market.store.uploads
    assert market.statuses() == {"approved": 3}


@pytest.mark.parametrize("told", [True, False])
def test_parts_that_the_store_has_lost_are_announced_and_sent_anew(
    market: Market, folder: Path, tmp_path: Path, told: bool
) -> None:
    """As an emulator forgets them that was started anew; also where the run ended before it knew its image."""

    def killed(_: int) -> str | None:
        if told:
            return "killed" if market.parts[2] else None
        return "killed" if market.requests[-1].endswith("/images/upload") else None

    market.cut = killed
    with pytest.raises(Killed):
        run(market, folder, tmp_path / "j.jsonl")
    assert len(market.store.uploads) == 1, "the large one is the first"
    market.store.uploads.clear()
    market.requests.clear()
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert market.requests.count("POST /v1/images/upload") == 4, "one of the large file's was refused"
    assert market.statuses() == {"approved": 3}
    assert not market.store.uploads


def test_a_key_whose_upload_was_given_up_is_not_used_again(market: Market, folder: Path, tmp_path: Path) -> None:
    """Elsewhere, between the runs: neither the image nor its parts are there."""
    market.cut = lambda _: "killed" if market.requests[-1].endswith("/images/upload") else None
    with pytest.raises(Killed):
        run(market, folder, tmp_path / "j.jsonl")
    market.store.uploads.clear()
    with market.database.transaction() as connection:
        connection.execute("DELETE FROM images")
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert market.statuses() == {"approved": 3}


def test_an_announcement_that_is_refused_for_another_reason_is_not_repeated(
    market: Market, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> str:
        raise Conflict("There is no room.")

    (folder / "one.jpg").unlink()
    (folder / "two.png").unlink()
    monkeypatch.setattr(market.store, "start_multipart", refused)
    (outcome,) = run(market, folder, tmp_path / "j.jsonl")
    assert (outcome.status, outcome.reason) == ("failed", "There is no room. (409 conflict)")
    assert market.requests.count("POST /v1/images/upload") == 1


def test_words_that_changed_are_another_announcement(market: Market, folder: Path, tmp_path: Path) -> None:
    market.cut = lambda _: "killed" if market.parts[2] else None
    with pytest.raises(Killed):
        run(market, folder, tmp_path / "j.jsonl")
    notes = {"large.tif": {"title": "The words are others now"}}
    (folder / "metadata.json").write_text(json.dumps(notes))
    outcomes = run(market, folder, tmp_path / "j.jsonl")
    assert statuses(outcomes) == ["approved"] * 3
    assert not market.store.uploads
    assert market.statuses() == {"approved": 3}
    row = market.database.fetch_one("SELECT title FROM images WHERE id = %s", (outcomes[0].image_id,))
    assert row == {"title": "The words are others now"}


def test_many_at_a_time_come_through_as_one_does(market: Market, folder: Path, tmp_path: Path) -> None:
    for number in range(20):
        (folder / f"{number}.jpg").write_bytes(random.Random(number).randbytes(100 + 200 * number))
    (folder / "copy.jpg").write_bytes((folder / "one.jpg").read_bytes())
    outcomes = run(market, folder, tmp_path / "j.jsonl", parallel=8)
    assert {each.status for each in outcomes} == {"approved", "skipped"}
    (skipped,) = [each for each in outcomes if each.status == "skipped"]
    assert (skipped.name, skipped.reason) == ("one.jpg", "the same bytes as copy.jpg")
    assert market.statuses() == {"approved": 23}


def test_of_files_with_the_same_bytes_the_one_with_notes_is_sent(market: Market, folder: Path, tmp_path: Path) -> None:
    for name in ("a copy.jpg", "z copy.jpg"):
        (folder / name).write_bytes((folder / "one.jpg").read_bytes())
    (folder / "another.jpg").write_bytes(random.Random("another").randbytes((folder / "one.jpg").stat().st_size))
    (folder / "metadata.json").write_text(json.dumps({"one.jpg": {"title": "One"}, "z copy.jpg": {"title": "Z"}}))
    one = None
    for _ in range(2):
        outcomes = {each.name: each for each in run(market, folder, tmp_path / "j.jsonl", parallel=8)}
        one = outcomes["one.jpg"].image_id
        assert {name: each.reason for name, each in outcomes.items() if each.status == "skipped"} == {
            "a copy.jpg": "the same bytes as one.jpg",
            "z copy.jpg": "the same bytes as one.jpg, whose notes are others and count",
        }
    row = market.database.fetch_one("SELECT title FROM images WHERE id = %s", (one,))
    assert row == {"title": "One"}
    assert market.statuses() == {"approved": 4}


def test_a_file_that_cannot_be_read_keeps_none_of_its_size(market: Market, folder: Path, tmp_path: Path) -> None:
    (folder / "a.jpg").write_bytes(b"1" * 500)
    pictures, _ = find_pictures([folder])
    (folder / "a.jpg").unlink()
    kept = Journal(tmp_path / "j.jsonl")
    client = MarketClient(URL, transport=market, sleep=lambda _: None)
    client.sign_in(EMAIL, "password")
    outcomes = Uploader(client, kept, Quiet(), defaults=Defaults()).run(pictures)
    kept.close()
    client.close()
    assert {each.name: each.status for each in outcomes} == {
        "a.jpg": "failed",
        "large.tif": "approved",
        "one.jpg": "approved",
        "two.png": "approved",
    }


@pytest.mark.parametrize("from_request", [2, 5, 9])
def test_a_market_that_is_gone_for_good_is_told_once_and_the_next_run_goes_on(
    market: Market, folder: Path, tmp_path: Path, from_request: int
) -> None:
    market.cut = lambda number: "unsent" if number >= from_request else None
    with pytest.raises(CliError, match=r"(nothing answers at|does not answer).* Run it again to go on"):
        run(market, folder, tmp_path / "j.jsonl", parallel=1)
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * 3
    assert market.statuses() == {"approved": 3}


@pytest.mark.parametrize("of", ["one.jpg", "large.tif"])
@pytest.mark.parametrize("fate", [httpx.ConnectError("no network"), httpx.ReadError("it broke"), 500, 503])
def test_a_store_that_is_gone_alone_is_told_once_and_the_next_run_goes_on(
    market: Market, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: Any, of: str
) -> None:
    """For forms and parts alike, while the API answers as before."""

    def gone(*_: Any) -> httpx.Response:
        if isinstance(fate, Exception):
            raise fate
        return httpx.Response(fate, text="no XML")

    for number in range(6):
        (folder / f"{number}{of}").write_bytes(random.Random(number).randbytes((folder / of).stat().st_size))
    count = len(list(folder.iterdir()))
    with monkeypatch.context() as patch:
        patch.setattr(market, "_stored", gone)
        with pytest.raises(CliError) as told:
            run(market, folder, tmp_path / "j.jsonl", parallel=2)
    assert "the object store at originals.test does not answer" in str(told.value)
    assert f"{count} files of {count} came to no end. Run it again" in str(told.value)
    assert sum(" /v1/images/upload" in each for each in market.requests) <= 2 * 2, "others were begun in vain"
    assert statuses(run(market, folder, tmp_path / "j.jsonl")) == ["approved"] * count
    assert not market.store.uploads
    assert market.statuses() == {"approved": count}


def test_an_api_that_says_its_store_is_gone_is_told_once(
    market: Market, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of a large file are begun by the API itself."""

    def gone(*_: Any, **__: Any) -> str:
        raise DependencyUnavailable("The object store is not answering; try again.")

    monkeypatch.setattr(market.store, "start_multipart", gone)
    with pytest.raises(CliError, match=r"The object store is not answering.* 3 files of 3 .*Run it again"):
        run(market, folder, tmp_path / "j.jsonl")
    monkeypatch.undo()


def test_a_picture_whose_bytes_alone_do_not_get_through_keeps_no_other(
    market: Market, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = market._stored

    def breaks(request: httpx.Request, body: bytes) -> httpx.Response:
        if (folder / "one.jpg").read_bytes() in body:
            raise httpx.ReadError("the connection broke")
        return stored(request, body)

    monkeypatch.setattr(market, "_stored", breaks)
    assert {each.name: each.status for each in run(market, folder, tmp_path / "j.jsonl")} == {
        "large.tif": "approved",
        "one.jpg": "failed",
        "two.png": "approved",
    }


def test_a_file_that_changes_while_it_is_sent_is_told_so(
    market: Market, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(request: Any, body: bytes) -> httpx.Response:
        with (folder / "one.jpg").open("ab") as file:
            file.write(b"more")
        return httpx.Response(400, text="<Error><Code>EntityTooLarge</Code></Error>")

    (folder / "two.png").unlink()
    (folder / "large.tif").unlink()
    monkeypatch.setattr(market, "_stored", refused)
    (outcome,) = run(market, folder, tmp_path / "j.jsonl")
    assert (outcome.status, outcome.reason) == ("failed", "the file changed while it was sent; run it again")


# --- the command -------------------------------------------------------------------------------------


def command(folder: Path, journal: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["upload", str(folder), "--as", EMAIL, "--journal", str(journal), *more])


def test_the_command_says_what_became_of_each_picture_twice(market: Market, folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = command(folder, tmp_path / "j.jsonl")
        assert done.exit_code == 0, done.output
        assert "3 files: 3 approved" in done.output
    assert len(market.store.versions) == 3


def test_ctrl_c_ends_in_order_and_the_next_run_goes_on(market: Market, folder: Path, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        if market.parts[2] == 1 and market.requests[-1].startswith("PUT"):
            _thread.interrupt_main()

    market.cut = interrupt
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    stopped = command(folder, tmp_path / "j.jsonl", "--parallel", "1")
    signal.signal(signal.SIGINT, previous)
    market.cut = lambda _: None
    assert (stopped.exit_code, "Run it again" in stopped.output) == (130, True), stopped.output
    assert "failed" not in stopped.output, "nothing failed"
    done = command(folder, tmp_path / "j.jsonl")
    assert done.exit_code == 0, done.output
    assert set(market.parts.values()) == {1}
    assert market.statuses() == {"approved": 3}


def test_ctrl_c_as_early_as_can_be_leaves_nobody_at_work(
    market: Market, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the one who watches is being started: it would go on for ever."""
    submit = ThreadPoolExecutor.submit

    def interrupted(pool: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
        started = submit(pool, work, *arguments)
        if work.__name__ == "_watch":
            raise KeyboardInterrupt
        return started

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(market, folder, tmp_path / "j.jsonl")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("send", "results"))]


def test_a_torn_journal_is_told_of(market: Market, folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    command(folder, journal)
    journal.write_bytes(journal.read_bytes()[:-5])
    done = command(folder, journal)
    assert done.exit_code == 0, done.output
    assert "cut off and is ignored" in " ".join(done.output.split())
    assert len(market.store.versions) == 3


@pytest.mark.parametrize("notes", [{}, {"one.jpg": {"categories": ["natur"]}, "two.png": {"categories": ["natur"]}}])
def test_a_wrong_category_is_told_once_and_nothing_is_sent(
    market: Market, folder: Path, tmp_path: Path, notes: dict[str, Any]
) -> None:
    (folder / "metadata.json").write_text(json.dumps(notes))
    done = command(folder, tmp_path / "j.jsonl", *([] if notes else ["--category", "natur"]))
    assert done.exit_code == 1
    assert isinstance(done.exception, CliError)
    told = str(done.exception)
    assert "'natur' is no category" in told
    assert "is it nature?" in told
    assert ("one.jpg and 1 more" if notes else "--category") in told
    assert market.requests == ["POST /v1/auth/login", "GET /v1/categories", "POST /v1/auth/logout"]


def test_categories_in_one_word_of_the_notes_are_said_to_need_one_each(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    (folder / "metadata.json").write_text('{"one.jpg": {"categories": ["nature,people"]}}')
    told = str(command(folder, tmp_path / "j.jsonl").exception)
    assert told.startswith("'nature,people' is no category (one.jpg); name each by itself. ")


def test_too_many_categories_are_told_once_and_nothing_is_sent(market: Market, folder: Path, tmp_path: Path) -> None:
    six = ["animals", "nature", "people", "travel", "food", "sports"]
    done = command(folder, tmp_path / "j.jsonl", *(word for slug in six for word in ("--category", slug)))
    assert isinstance(done.exception, CliError)
    assert str(done.exception) == "--category: 6 categories are too many; a picture has at most 5"
    assert market.requests == []


def test_what_is_said_twice_counts_once(market: Market, folder: Path, tmp_path: Path) -> None:
    said = ["--category", "nature", "--license", "standard"] * 6
    done = command(folder, tmp_path / "j.jsonl", *said)
    assert done.exit_code == 0, done.output


def test_a_buyers_account_is_told_once_and_nothing_is_sent(
    database: Database, monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    with a_market(database, monkeypatch, "buyer") as market:
        done = command(folder, tmp_path / "j.jsonl", "--category", "nature")
    assert isinstance(done.exception, CliError)
    assert "the account of a buyer" in str(done.exception)
    assert market.requests == ["POST /v1/auth/login", "POST /v1/auth/logout"]
