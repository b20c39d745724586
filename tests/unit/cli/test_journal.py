"""What an uploader remembers: whatever was put is there after the file was closed, or the run was killed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemarket.cli.client import CliError
from imagemarket.cli.journal import Entry, Journal

SHA = "ab" * 32
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ENTRIES = st.builds(
    Entry,
    state=st.sampled_from(["announced", "sent", "ended"]),
    idempotency_key=TEXTS,
    announced_at=st.floats(allow_nan=False, allow_infinity=False),
    image_id=st.none() | TEXTS,
    parts=st.dictionaries(st.integers(1, 10_000), TEXTS, max_size=4),
    status=st.none() | TEXTS,
    reason=st.none() | TEXTS,
)


def kept(path: Path, *entries: Entry) -> Path:
    journal = Journal(path)
    for entry in entries:
        journal.put("account", SHA, entry)
    journal.close()
    return path


@settings(deadline=None)  # it writes files
@given(st.lists(ENTRIES, min_size=1, max_size=4))
def test_the_last_entry_put_is_the_one_that_is_read(entries: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(kept(Path(folder) / "j.jsonl", *entries))
        assert journal.get("account", SHA) == entries[-1]
        assert journal.get("another", SHA) is None
        assert journal.warnings == []
        journal.close()


@settings(deadline=None)  # it writes files
@given(ENTRIES, ENTRIES, st.data())
def test_a_line_cut_anywhere_is_ignored_aloud_and_the_next_one_is_whole(
    first: Entry, second: Entry, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = kept(Path(folder) / "j.jsonl", first, second)
        lines = path.read_bytes().splitlines(keepends=True)
        cut = data.draw(st.integers(1, len(lines[1]) - 1))
        path.write_bytes(lines[0] + lines[1][:cut])
        journal = Journal(path)
        assert journal.get("account", SHA) == first
        assert [warning for warning in journal.warnings if "last line" in warning] == journal.warnings != []
        journal.put("account", SHA, second)
        journal.close()
        again = Journal(path)
        assert (again.get("account", SHA), again.warnings) == (second, [])
        again.close()


def test_a_first_line_that_was_cut_is_no_other_kind_of_file(tmp_path: Path) -> None:
    path = kept(tmp_path / "j.jsonl", Entry("sent", "k", 1.0))
    path.write_bytes(path.read_bytes()[:9])
    journal = Journal(path)
    assert len(journal.warnings) == 1
    journal.close()
    assert path.read_bytes() == b""


def test_lines_that_are_none_of_its_own_are_named(tmp_path: Path) -> None:
    path = kept(tmp_path / "j.jsonl", Entry("sent", "k", 1.0))
    good = json.loads(path.read_bytes())
    bad = [b"[]", b"{}", b"nonsense", b"[" * 100_000, json.dumps(good | {"state": "lost"}).encode()]
    path.write_bytes(b"\n".join([*bad, path.read_bytes()]))
    journal = Journal(path)
    assert journal.get("account", SHA) == Entry("sent", "k", 1.0)
    (warning,) = journal.warnings
    assert warning.endswith("1, 2, 3, 4, 5.")
    journal.close()


def test_an_entry_of_another_release_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    path = kept(tmp_path / "j.jsonl", Entry("ended", "k", 1.0, image_id="i", status="approved"))
    record = json.loads(path.read_bytes())
    del record["parts"]
    path.write_text(json.dumps(record | {"colour": "blue"}) + "\n")
    journal = Journal(path)
    assert journal.get("account", SHA) == Entry("ended", "k", 1.0, image_id="i", status="approved")
    journal.close()


@pytest.mark.parametrize("content", ['{"a.jpg": {"title": "Hills"}}', "notes\nof mine", "\xff\xd8\xff"])
def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metadata.json"
    path.write_text(content, encoding="latin-1")
    for _ in range(2):
        with pytest.raises(CliError, match="no journal"):
            Journal(path)
    assert path.read_text(encoding="latin-1") == content


def test_two_runs_do_not_share_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    with pytest.raises(CliError, match="another upload"):
        Journal(tmp_path / "j.jsonl")
    journal.close()
    Journal(tmp_path / "j.jsonl").close()


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    Journal(tmp_path / "deep" / "j.jsonl").close()
    assert (tmp_path / "deep" / "j.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CliError, match="--journal"):
        Journal(tmp_path / "file" / "j.jsonl")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full", "named", "unnamed"])
def test_what_is_no_file_is_no_journal(tmp_path: Path, path: str) -> None:
    reading, writing = os.pipe()
    os.mkfifo(tmp_path / "named")
    (tmp_path / "unnamed").symlink_to(f"/dev/fd/{writing}")
    with pytest.raises(CliError, match="--journal"):
        Journal(tmp_path / path)
    os.close(reading)
    os.close(writing)


def test_what_keeps_nothing_is_one_that_remembers_nothing() -> None:
    for _ in range(2):
        journal = Journal(Path(os.devnull))
        assert journal.get("account", SHA) is None
        journal.put("account", SHA, Entry("sent", "k", 1.0))
        assert journal.warnings == []
        journal.close()


def test_only_a_little_is_read_at_a_time(tmp_path: Path) -> None:
    path = kept(tmp_path / "j.jsonl", Entry("sent", "k", 1.0))
    whole = path.read_bytes()
    with path.open("ab") as file:  # as a machine that lost its power leaves it
        file.truncate(2**23)
    journal = Journal(path)
    assert journal.get("account", SHA) == Entry("sent", "k", 1.0)
    assert [warning for warning in journal.warnings if "last line" in warning] == journal.warnings != []
    journal.close()
    assert path.read_bytes() == whole
    path.write_bytes(b"\0" * 2**21 + b"\n" + whole + b"x\n" * 30)
    journal = Journal(path)
    assert journal.get("account", SHA) == Entry("sent", "k", 1.0)
    assert "1, 3, 4" in journal.warnings[0]
    assert "and 11 more" in journal.warnings[0]
    journal.close()
    other = tmp_path / "other"
    other.write_bytes(b"x\n" * 10_000)
    with pytest.raises(CliError, match="no journal"):
        Journal(other)
