"""Which files are pictures to send, what is said of each, and why the others are passed over."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from imagemarket.cli.client import CliError
from imagemarket.cli.pictures import (
    Defaults,
    PassedOver,
    Picture,
    PictureNotes,
    announcement_of,
    check_tags,
    find_pictures,
    readable,
    tags_of_all,
    title_from,
)
from imagemarket.cli.upload import _say_passed_over
from imagemarket.ingestion.models import CONTENT_TYPES, UploadRequest

LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


JPEG, PNG, TIFF = (
    b"\xff\xd8\xff\xe0" + bytes(80),
    b"\x89PNG\r\n\x1a\n" + bytes(80),
    b"II*\0\x08\0\0\0" + bytes(80),
)


def a_picture(path: Path, **notes: Any) -> Picture:
    if not path.exists():
        Image.new("RGB", (8, 8)).save(path, "JPEG")
    return Picture(path, readable(path.name), path.stat().st_size, PictureNotes(**notes))


def announced(picture: Picture, defaults: Defaults | None = None) -> UploadRequest:
    """What would be sent, as the API takes it."""
    body = announcement_of(picture, sha256="ab" * 32, defaults=defaults or Defaults())
    return UploadRequest.model_validate_json(json.dumps(body))


def test_each_file_that_is_passed_over_is_told_however_many(capsys: pytest.CaptureFixture[str]) -> None:
    passed_over = [PassedOver(f"{number}.heic", "is HEIC") for number in range(23)]
    _say_passed_over(Console(width=10_000), [*passed_over, PassedOver("notes.txt", "is no picture")])
    heic, text = capsys.readouterr().out.splitlines()
    assert heic == f"Passed over, is HEIC: {', '.join(each.name for each in passed_over)}."
    assert text == "Passed over, is no picture: notes.txt."


def test_a_folder_is_searched_to_the_bottom_and_what_is_passed_over_is_named(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.JPG", "a.jpe", "deep/c.jfif", "deep/er/d.tiff", "deep/er/e.NEF"):
        (tmp_path / name).write_bytes(b"x")
    others = {
        "phone.HEIC": "export it as JPEG",
        "page.webp": "a kind that is not accepted",
        "film.mov": "a film",
        "notes.txt": "not a picture",
        ".hidden.jpg": "hidden",
        "deep/others.json": "not a picture",
        "old.pef": "convert it to DNG",
    }
    for name in others:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "linked").symlink_to(tmp_path / "deep")
    (tmp_path / "metadata.json").write_text('{"b.JPG": {"title": "B"}, "typo.jpg": {"title": "T"}}')
    pictures, passed_over = find_pictures([tmp_path])
    assert [picture.name for picture in pictures] == [
        "a.jpe",
        "b.JPG",
        "deep/c.jfif",
        "deep/er/d.tiff",
        "deep/er/e.NEF",
    ]
    assert pictures[1].notes.title == "B"
    reasons = {each.name: each.reason for each in passed_over}
    others |= {"gone.jpg": "leads nowhere", "linked": "a link to a folder", "typo.jpg": "no such picture"}
    assert reasons.keys() == others.keys()
    for name, words in others.items():
        assert words in reasons[name], name


def test_a_file_named_outright_says_why_it_cannot_be_sent(tmp_path: Path) -> None:
    for name, content, words in (
        ("phone.heic", b"x", "export it as JPEG"),
        ("notes.txt", b"x", "accepted are jpg"),
        ("empty.jpg", b"", "empty"),
    ):
        (tmp_path / name).write_bytes(content)
        (picture,), passed_over = find_pictures([tmp_path / name])
        assert words in (picture.problem or ""), name
        assert passed_over == []
    with (tmp_path / "huge.tif").open("wb") as file:
        file.truncate(200 * 1024**2 + 1)
    (picture,), _ = find_pictures([tmp_path / "huge.tif"])
    assert "200 MiB" in (picture.problem or "")
    with pytest.raises(CliError, match="no such file"):
        find_pictures([tmp_path / "nowhere.jpg"])


@pytest.mark.parametrize("outright", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("photo", JPEG, "JPEG by its contents; rename it to end in .jpg"),
        ("photo.bak", JPEG, "JPEG by its contents; rename it to end in .jpg"),
        ("phone.heic", JPEG, "JPEG by its contents; rename it to end in .jpg"),
        ("page.webp", PNG, "PNG by its contents; rename it to end in .png"),
        ("scan.", TIFF, "TIFF by its contents; rename it to end in .tif"),
        ("fuji", b"FUJIFILMCCD-RAW " + bytes(80), "RAF by its contents; rename it to end in .raf"),
        ("old.pef", TIFF, "RAW of a camera that is not accepted: convert it to DNG"),
        ("page", b"RIFF0000WEBP", "WebP by its contents, which is not accepted"),
        ("phone", b"\0\0\0\x18ftypheic" + bytes(80), "HEIC by its contents, which is not accepted: export it as JPEG"),
        ("README", b"words", None),
        ("sums.txt", b"%PDF-1.7", None),
        ("nothing", b"", None),
    ],
)
def test_what_a_name_hides_is_told_by_the_contents(
    tmp_path: Path, name: str, content: bytes, told: str | None, outright: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    pictures, passed_over = find_pictures([tmp_path / name if outright else tmp_path])
    reason = (pictures[0].problem if outright else passed_over[0].reason) or ""
    assert reason.startswith(told or ("not a kind of file that is accepted" if outright else "not a picture"))


def test_a_pipe_without_an_extension_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    _, (passed,) = find_pictures([tmp_path])
    assert passed.reason == "not a picture"


def test_one_picture_named_twice_is_sent_once(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    pictures, _ = find_pictures([tmp_path, tmp_path / "a.jpg", tmp_path])
    assert len(pictures) == 1


def test_a_link_to_a_picture_is_told_of_as_another_file_of_the_same_bytes(tmp_path: Path) -> None:
    """What sends them says that the second has the bytes of the first."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "c.jpg").symlink_to("a.jpg")
    assert [each.name for each in find_pictures([tmp_path])[0]] == ["a.jpg", "c.jpg"]
    assert [each.name for each in find_pictures([tmp_path / "c.jpg", tmp_path / "a.jpg"])[0]] == ["c.jpg", "a.jpg"]
    (tmp_path / "other").mkdir()
    (tmp_path / "linked").symlink_to("other")
    ways = [tmp_path / "a.jpg", tmp_path / "other" / ".." / "a.jpg", tmp_path / "linked" / ".." / "a.jpg"]
    assert [each.name for each in find_pictures(ways)[0]] == ["a.jpg"]


def titles(*named: Path, metadata: Path | None = None) -> tuple[dict[str, str | None], dict[str, str]]:
    """The title that notes give each picture, and why what was passed over was."""
    pictures, passed_over = find_pictures(named, metadata)
    return {each.name: each.notes.title for each in pictures}, {each.name: each.reason for each in passed_over}


def a_tree(folder: Path, *names: str, **notes: dict[str, str]) -> Path:
    """Files of these names, and in each folder (`top` the first) the titles of `notes` by their file."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    for where, said in notes.items():
        told = {name: {"title": title} for name, title in said.items()}
        (folder / where.removeprefix("top") / "metadata.json").write_text(json.dumps(told))
    return folder


def test_a_bare_name_goes_to_no_other_picture_of_this_name(tmp_path: Path) -> None:
    """Cameras restart their numbers."""
    a_tree(tmp_path, "DSC_7.jpg", "sub/DSC_7.jpg", "sub/x.jpg", "er/x.jpg", "er/y.jpg", "z.heic", "sub/z.heic.jpg")
    a_tree(tmp_path, "sub/z.heic", "u.jpg", top=dict.fromkeys(("DSC_7.jpg", "x.jpg", "y.jpg", "z.heic"), "T"))
    given, told = titles(tmp_path)
    assert {name for name, title in given.items() if title} == {"DSC_7.jpg", "er/y.jpg"}
    assert told["x.jpg"] == "metadata.json tells of it, and several have this name: say its folder"
    assert "no such picture" in told["z.heic"]
    (tmp_path / "elsewhere").mkdir()
    notes = (tmp_path / "metadata.json").rename(tmp_path / "elsewhere" / "notes.json")
    assert titles(tmp_path, metadata=notes)[0] == given
    given, told = titles(tmp_path / "sub", tmp_path / "er", metadata=notes)
    assert ({name for name, title in given.items() if title}, "several" in told["x.jpg"]) == ({"DSC_7.jpg", "y.jpg"}, 1)


def test_a_name_may_say_that_it_begins_here(tmp_path: Path) -> None:
    names = ("./x.jpg", "sub/./y.jpg", "././sub//z.jpg", "../out.jpg", "sub/../w.jpg")
    a_tree(tmp_path, "x.jpg", "w.jpg", "out.jpg", "sub/y.jpg", "sub/z.jpg", top=dict.fromkeys(names, "T"))
    given, told = titles(tmp_path)
    assert {name for name, title in given.items() if title} == {"x.jpg", "sub/y.jpg", "sub/z.jpg"}
    assert {name for name, why in told.items() if "no such picture" in why} == {"../out.jpg", "sub/../w.jpg"}


def test_what_is_beside_a_metadata_file_has_its_notes_though_it_is_not_sent(tmp_path: Path) -> None:
    a_tree(tmp_path, "DSC_7.jpg", "other.jpg", "sub/DSC_7.jpg", top={"DSC_7.jpg": "T"})
    assert titles(tmp_path / "other.jpg", tmp_path / "sub")[0] == {"other.jpg": None, "DSC_7.jpg": None}
    assert titles(tmp_path / "sub", metadata=tmp_path / "metadata.json")[0] == {"DSC_7.jpg": None}


def test_each_folder_has_notes_of_its_own_and_the_nearest_count(tmp_path: Path) -> None:
    a_tree(tmp_path, "x.jpg", "sub/x.jpg", "sub/y.jpg", "sub/deep/er/z.jpg", ".hidden/metadata.json", "sub/w.jpg")
    a_tree(
        tmp_path,
        top={"x.jpg": "top's x", "sub/y.jpg": "top's y", "sub/w.jpg": "top's w"},
        sub={"x.jpg": "sub's x", "y.jpg": "sub's y", "deep/er/z.jpg": "sub's z", "none.jpg": "none"},
    )
    expected = {
        "x.jpg": "top's x",
        "sub/deep/er/z.jpg": "sub's z",
        "sub/w.jpg": "top's w",
        "sub/x.jpg": "sub's x",
        "sub/y.jpg": "sub's y",
    }
    for named in ([tmp_path], [tmp_path, tmp_path / "sub"]):
        given, told = titles(*named)
        assert given == expected
        assert told == {
            "sub/y.jpg": "metadata.json tells of it, and another one does, nearer to it",
            "none.jpg": "metadata.json tells of it, and there is no such picture",
            ".hidden/metadata.json": "hidden",
        }
    (tmp_path / "own.json").write_text('{"sub/y.jpg": {"title": "own"}}')
    given, told = titles(tmp_path, metadata=tmp_path / "own.json")
    assert [title for title in given.values() if title] == ["own"]
    assert told["sub/metadata.json"] == told["metadata.json"] == "not read, as --metadata tells of all"
    (tmp_path / "sub" / "metadata.json").write_text("{")
    with pytest.raises(CliError, match=r"sub/metadata\.json: is not JSON"):
        find_pictures([tmp_path])


@pytest.mark.parametrize("made", ["folder", "dangling", "round", "pipe"])
def test_notes_that_cannot_be_read_send_nothing_without_them(tmp_path: Path, made: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    notes = tmp_path / "metadata.json"
    if made == "folder":
        notes.mkdir()
    elif made == "pipe":
        os.mkfifo(notes)
    else:
        notes.symlink_to("metadata.json" if made == "round" else "nowhere")
    for named in (tmp_path, tmp_path / "a.jpg"):
        with pytest.raises(CliError, match=r"metadata\.json: .*what it should say of the pictures is missing"):
            find_pictures([named])


TAKEOUT: dict[str, Any] = {
    "title": "Trip to Rome",
    "description": "",
    "access": "protected",
    "date": {"timestamp": "1500000000", "formatted": "14.07.2017, 02:40:00 UTC"},
    "geoData": {"latitude": 0.0, "longitude": 0.0},
}


@pytest.mark.parametrize(
    "document", [TAKEOUT, [{"title": "x"}], ["a"], {"version": 3}, {"photos": [{"id": 1}]}, 7, None]
)
def test_another_programs_notes_further_down_are_passed_over_by_name(tmp_path: Path, document: Any) -> None:
    album = tmp_path / "Takeout" / "Rome"
    album.mkdir(parents=True)
    (album / "IMG_1.jpg").write_bytes(b"x")
    (album / "IMG_1.jpg.json").write_text(json.dumps(TAKEOUT))
    (album / "metadata.json").write_text(json.dumps(document))
    (tmp_path / "metadata.json").write_text('{"Takeout/Rome/IMG_1.jpg": {"title": "Rome"}}')
    (picture,), passed_over = find_pictures([tmp_path])
    assert picture.notes.title == "Rome"
    told = {each.name: each.reason for each in passed_over}
    assert told.keys() == {"Takeout/Rome/IMG_1.jpg.json", "Takeout/Rome/metadata.json"}
    assert told["Takeout/Rome/metadata.json"].startswith("not notes of ours: ")
    for named in (album, album / "IMG_1.jpg"):  # what is meant for it is to be read
        with pytest.raises(CliError, match=r"metadata\.json"):
            find_pictures([named])
        with pytest.raises(CliError, match=r"metadata\.json"):
            find_pictures([tmp_path, named])


@pytest.mark.parametrize(
    "content",
    [
        '{"a.jpg": {"titel": "x"}}',
        '{"A.JPG": "x"}',
        '{"a": {"title": "x", "colour": "red"}}',
        '{"version": 3, "b.tif": {"title": "x"}}',
        '{"a.jpg": {"title": "x"',
        "",
    ],
)
def test_notes_of_ours_that_are_broken_are_refused_further_down_as_well(tmp_path: Path, content: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").write_bytes(b"x")
    (tmp_path / "deep" / "metadata.json").write_text(content)
    with pytest.raises(CliError, match=r"deep/metadata\.json: "):
        find_pictures([tmp_path])


def test_notes_without_end_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("imagemarket.cli.pictures._MOST_NOTES", 2 * 1024**2)
    with pytest.raises(CliError, match="more than 2 MiB"):
        find_pictures([tmp_path], Path("/dev/zero"))


def test_tags_for_all_are_sent_as_they_are_or_not_at_all(tmp_path: Path) -> None:
    assert tags_of_all(["Sea", "sea", " red  boat "]) == ("sea", "red boat")
    assert len(tags_of_all([str(number) for number in range(50)] * 2)) == 50
    assert tags_of_all(["x" * 100]) == ("x" * 100,)
    for words, told in (
        ([str(number) for number in range(51)], "51 tags are too many; a picture has at most 50"),
        (["sea", "x" * 101], "takes at most 100 characters"),
        (["x" * 2000], "takes at most 100 characters"),
        (["sea", ""], "must not be empty"),
        (["\u200b"], "cannot be seen"),
        (["left\u202egpj"], "turns the direction"),
        (["caf\udce9"], "surrogate"),
    ):
        with pytest.raises(CliError) as refused:
            tags_of_all(words)
        assert told in str(refused.value)
    own = [str(number) for number in range(50)]
    picture = a_picture(tmp_path / "a.jpg", tags=own)
    check_tags([picture], Defaults(tags=("0",)))
    with pytest.raises(CliError, match=r"a\.jpg: has 51 tags with those of --tag; at most 50"):
        check_tags([picture], Defaults(tags=("sea",)))


def test_keywords_in_a_picture_leave_room_for_tags_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keywords = SimpleNamespace(title=None, description=None, keywords=[str(number) for number in range(60)])
    monkeypatch.setattr("imagemarket.imaging.metadata.read_description", lambda _: keywords)
    tags = announced(a_picture(tmp_path / "a.jpg"), Defaults(tags=("sea", "3"))).tags
    assert len(tags) == 50
    assert {"sea", "3", "0"} <= set(tags)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("key_form", ["NFC", "NFD"])
def test_notes_are_found_however_accents_are_written(tmp_path: Path, form: Any, key_form: Any) -> None:
    folder = unicodedata.normalize(form, "\u00dcbersee")
    name = unicodedata.normalize(form, "Caf\u00e9.jpg")
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).write_bytes(b"x")
    notes = {unicodedata.normalize(key_form, "\u00dcbersee/Caf\u00e9.jpg"): {"title": "Over there"}}
    (tmp_path / "metadata.json").write_text(json.dumps(notes))
    (picture,), passed_over = find_pictures([tmp_path])
    assert (picture.notes.title, picture.name, passed_over) == ("Over there", "\u00dcbersee/Caf\u00e9.jpg", [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1]", "must be an object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a.jpg": {"titel": "T"}}', "a.jpg / titel: no such field; there are title"),
        ('{"a.jpg": {"title": ""}}', "a.jpg / title: must not be empty"),
        ('{"a.jpg": {"tags": "boats"}}', "a.jpg / tags: must be a list"),
        ('{"a.jpg": {"title": "\\ud800"}}', "a.jpg / title"),
        *(
            (json.dumps({"a.jpg": {field: text}}), f"a.jpg / {field}{place}: holds U+FFFD")
            for field, place, text in (
                *((field, "", "Caf\ufffd") for field in ("title", "description", "credit")),
                ("tags", " / 0", ["Caf\ufffd"]),
            )
        ),
        ('{"a.jpg": {"title": "A"}, "b.jpg": {}, "a.jpg": {"title": "B"}}', "a.jpg stands twice"),
        ('{"\\u00e9.jpg": {}, "e\\u0301.jpg": {}}', "stands twice"),
        ('{"a.jpg": {"title": "A"}, "./a.jpg": {"title": "B"}}', "./a.jpg stands twice"),
        ('{"a.jpg": {"title": "A", "title": "B"}}', "title stands twice"),
        (json.dumps({"a.jpg": {"tags": ["x" * 101]}}), "a.jpg / tags / 0: takes at most 100 characters"),
    ],
)
def test_bad_notes_name_the_file_the_picture_and_the_field(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "metadata.json").write_text(content)
    with pytest.raises(CliError) as refused:
        find_pictures([tmp_path])
    assert str(tmp_path / "metadata.json") in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("golden_gate-bridge(2).JPG", "Golden gate bridge"),
        ("IMG_0042.jpg", "Untitled (IMG_0042)"),
        ("DSC01234.ARW", "Untitled (DSC01234)"),
        ("Screenshot 2024-05-01 at 10.15.03.png", "Untitled (Screenshot 2024-05-01 at 10.15.03)"),
        ("ChatGPT Image Mar 3, 2025, 10_11_12 AM.png", "Untitled (ChatGPT Image Mar 3, 2025, 10_11_12 AM)"),
        ("deep/er/red boat.tif", "Red boat"),
        ("___.jpg", "Untitled"),
        ("-rf.jpg", "Untitled (-rf)"),
        ("a.jpg", "Untitled (a)"),
        ("fox.jpg", "Fox"),
        ("Leonardo_da_Vinci.jpg", "Leonardo da Vinci"),
        ("pl_krakow.jpg", "Pl krakow"),
        ("wedding_20240506.jpg", "Wedding 20240506"),
        ("NGC_7000.jpg", "NGC 7000"),
        ("\u6d77.jpg", "\u6d77"),
    ],
)
def test_a_title_comes_out_of_a_name(name: str, title: str) -> None:
    assert title_from(name) == title


def test_notes_win_over_the_name_and_defaults_fill_in(tmp_path: Path) -> None:
    picture = a_picture(
        tmp_path / "x.jpg", title="Cafe\u0301", tags=["Sea", "sea", " "], credit="By Ada; CC0.", description="d"
    )
    request = announced(picture, Defaults(tags=("all",), categories=("nature",)))
    assert request.title == "Caf\u00e9"
    assert request.tags == ["sea", "all"]
    assert request.categories == ["nature"]
    assert request.description == "d\n\nBy Ada; CC0."
    assert (request.filename, request.content_type) == ("x.jpg", "image/jpeg")


@settings(deadline=None)
@given(title=LINES.filter(bool), description=LINES, tags=st.lists(LINES, max_size=5), credit=st.none() | LINES)
def test_whatever_is_said_the_api_takes(
    tmp_path_factory: pytest.TempPathFactory, title: str, description: str, tags: list[str], credit: str | None
) -> None:
    folder = tmp_path_factory.getbasetemp()
    said = {"title": title[:255], "description": description, "tags": [tag[:100] for tag in tags], "credit": credit}
    picture = a_picture(folder / "any.jpg", **said)
    request = announced(picture)
    assert request.title


@pytest.mark.parametrize("extension", CONTENT_TYPES)
def test_every_kind_that_is_accepted_is_announced_as_it(tmp_path: Path, extension: str) -> None:
    (tmp_path / f"a.{extension.upper()}").write_bytes(b"x")
    (picture,), _ = find_pictures([tmp_path])
    assert announced(picture).extension == extension


@pytest.mark.parametrize(
    ("name", "filename", "title"),
    [
        ("\u200b.jpg", "picture.jpg", "Untitled"),
        ("two\nlines.jpg", "two lines.jpg", "Two lines"),
        ("a\\b.jpg", "a_b.jpg", "A\\b"),
        ("left\u202egpj.jpg", "leftgpj.jpg", "Leftgpj"),
        ("wide \u00a0 space.JPG ", "wide space.jpg", "Wide space"),
        ("x" * 251 + ".jpg", "x" * 251 + ".jpg", "X" + "x" * 250),
        ("\U0001f600.jpg", "\U0001f600.jpg", "\U0001f600"),
        ("n\udc81.jpg", "n_.jpg", "Untitled (n_)"),
        ("Caf\ufffd.jpg", "Caf_.jpg", "Untitled"),
    ],
)
def test_names_that_a_disk_allows_are_sent_as_names_that_the_api_allows(
    tmp_path: Path, name: str, filename: str, title: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    (picture,), passed_over = find_pictures([tmp_path])
    assert passed_over == []
    request = announced(picture)
    assert (request.filename, request.title) == (filename, title)


def test_a_path_that_cannot_be_followed_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(b"x")
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    found, passed_over = find_pictures([tmp_path])
    assert [each.name for each in found] == ["good.jpg"]
    ((name, reason),) = [(each.name, each.reason) for each in passed_over]
    assert (name, reason.startswith("it cannot be read")) == ("round.jpg", True)
    with pytest.raises(CliError, match=r"round\.jpg: cannot be read"):
        find_pictures([tmp_path / "round.jpg"])
    with pytest.raises(CliError, match=r"gone\.jpg: there is no such file or folder"):
        find_pictures([tmp_path / "gone.jpg"])
