"""What the pages promise is there: links, commands, variables."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
from typer.main import get_command

from benchmarks import search, search_load, watermark
from benchmarks.material.catalogue import Catalogue
from imagemarket.cli.dead_letters import app as dead_letters
from local import rooms_table
from local.checks import environment_of_checks
from local.layout import REPOSITORY, Layout

PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])


def test_the_table_of_rooms_is_the_linters() -> None:
    now = rooms_table.PAGE.read_text(encoding="utf-8")
    assert rooms_table.page(now) == now, "python -m local.rooms_table writes it anew"


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        target, _, anchor = link.partition("#")
        assert not target.startswith("http"), f"{link}: the pages stand on their own"
        file = page.parent / target if target else page
        assert file.is_file(), link
        assert not anchor or anchor in _anchors(file), link


def test_the_readme_leads_to_every_page() -> None:
    links = re.findall(r"\]\(docs/([^)\s]+\.md)\)", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert {page.name for page in PAGES} - {"README.md"} == set(links)


def test_every_variable_that_anything_reads_is_on_the_settings_page() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(MARKET_\w+)` \|", page, flags=re.MULTILINE))
    named: set[str] = set()
    for folder in ("local", "cdk", "sagemaker", "shared", "functions"):
        for source in (REPOSITORY / folder).rglob("*.py"):
            named |= set(re.findall(r"\bMARKET_[A-Z][A-Z_]*[A-Z]\b", source.read_text(encoding="utf-8")))
    assert named - listed == set()


def test_every_variable_that_market_sets_for_others_is_on_the_settings_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    for name in os.environ:
        monkeypatch.delenv(name)
    given = set(environment_of_checks(Layout(made=tmp_path, state=tmp_path, port=8080)))
    exported = [
        line.split("export ", 1)[1]
        for line in (REPOSITORY / "market").read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("export ")
    ]
    given |= {name for line in exported for name in re.findall(r"(?:^| )(\w+)=", line)}
    assert "UV_CACHE_DIR" in given
    for name in given - {"HOME", "PATH", "PYTHONPATH"}:
        assert f"`{name}`" in page, name


def test_no_page_knows_which_python_somebody_has() -> None:
    for page in PAGES:
        assert not re.search(r"python3\.\d+/", page.read_text(encoding="utf-8")), page.name


def test_the_pages_name_only_commands_of_market() -> None:
    """`./market X`, in code; what is no command of its own goes to the product's command line."""
    from local.commands import USAGE

    own = set(re.findall(r"^  ([a-z]+) ", USAGE, flags=re.MULTILINE))
    products = {"contact-sheet", "dlq", "images", "models", "search", "upload", "users", "verify", "watermark"}
    for page in PAGES:
        named = set(re.findall(r"\./market ([a-z]+(?:-[a-z]+)*)\b", page.read_text(encoding="utf-8")))
        assert named <= own | products, page.name


def test_the_pages_name_only_files_that_are_there() -> None:
    pattern = (
        r"`((?:shared|functions|local|cdk|docs|tests|benchmarks|state_machines|events|layers|sagemaker)/[\w./-]*)`"
    )
    for page in PAGES:
        for name in re.findall(pattern, page.read_text(encoding="utf-8")):
            assert (REPOSITORY / name).exists(), f"{page.name}: {name}"


def test_every_room_stands_on_a_floor_that_the_linter_holds() -> None:
    """Of functions too: what the linter is not told of it lets pass."""
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    floors, apart, *within = told["contracts"]
    held = [{room.removeprefix("imagemarket.") for room in floor.split(" | ")} for floor in floors["layers"]]
    there = {each.stem for each in (REPOSITORY / "shared" / "imagemarket").iterdir() if each.name[0] != "_"}
    assert set().union(*held) == there | {"functions"}
    assert set(told["root_packages"]) == {"imagemarket", "functions", "cdk", "local"}
    assert (apart["type"], apart["modules"]) == ("independence", ["functions.*"])
    orders = [each for each in within if each["type"] == "layers"]
    assert all(each["containers"] and each["exhaustive"] for each in orders), "the order within a room"


def test_the_page_of_benchmarks_says_how_much_they_ask() -> None:
    page = " ".join((REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8").split())
    asked = f"{search.QUESTIONS} questions to PostgreSQL and pgvector, and {search._CHECKED} to OpenSearch and Qdrant"
    assert asked in page
    assert f"for PostgreSQL by itself, of {search.EXACT_QUESTIONS} of the questions" in page
    queries, _ = search_load._questions(Catalogue(), search_load.QUERIES)
    filtered = [len(query) > 1 for query in queries]
    weights = [1 / (rank + 1) for rank in range(len(queries))]
    of_requests = sum(weight for weight, has in zip(weights, filtered, strict=True) if has) / sum(weights)
    shares = f"{sum(filtered) / len(queries):.0%} of what is computed at least, and {of_requests:.0%} of the requests"
    assert shares.replace("%", " %") in page


def test_what_the_mark_does_not_promise_is_starred_in_its_table() -> None:
    page = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for attack in watermark.ATTACKS:
        assert (f"\n| {attack.name} |" if not attack.promised else f"\n| {attack.name} * |") not in page, attack.name


def test_the_commands_that_take_filters_are_those_of_the_page() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"^((?:`\w+`[, and]+)+)take filters \(`([^`]+)`\)", page, flags=re.MULTILINE)
    assert found is not None
    taking = set(re.findall(r"\w+", found[1].replace("and", "")))
    for name, command in cast("Any", get_command(dead_letters)).commands.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert (set(found[2].split()) <= options) == (name in taking), name
        assert "--json" in options, name
