"""What every command line of the repository keeps, whichever module holds it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from local.commands import COMMANDS
from local.layout import REPOSITORY, Layout

FOLDERS = ("benchmarks", "cdk", "functions", "local", "sagemaker", "shared")


def _parsers() -> Iterator[tuple[str, ast.Call]]:
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if named in {"ArgumentParser", "add_parser"}:
                        yield f"{path.relative_to(REPOSITORY)}:{node.lineno}", node


def test_no_parser_takes_an_option_for_what_it_begins_with() -> None:
    """`reset --ye` must not be `--yes`: what is not written out was not said."""
    found = dict(_parsers())
    assert len(found) > 10
    loose = {
        place
        for place, call in found.items()
        if not any(
            word.arg == "allow_abbrev" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in call.keywords
        )
    }
    assert loose == set()


@pytest.mark.parametrize(
    ("command", "word"),
    [("reset", "--y"), ("reset", "--ye"), ("logs", "--foll"), ("logs", "--req=x"), ("dashboard", "--onc")],
)
def test_an_option_that_is_not_written_out_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, word: str
) -> None:
    layout = Layout(made=REPOSITORY, state=REPOSITORY / "nowhere", port=8080)
    with pytest.raises(SystemExit) as ended:
        COMMANDS[command](layout, [word])
    assert ended.value.code == 2
    assert f"unrecognized arguments: {word}" in capsys.readouterr().err
