"""The shell script `market`: what it says and does before there is an environment."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.commands import benchmarks_offered
from local.layout import REPOSITORY
from local.processes import UNPRIVILEGED_ID

HELP = REPOSITORY / "local" / "help"
GROUPS = {"dlq", "images", "models", "search", "users", "watermark"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The script alone, in a folder whose name has what names of folders have."""
    folder = tmp_path / "Käses Bücher und mehr"
    (folder / "local").mkdir(parents=True)
    (folder / "requirements").mkdir()
    shutil.copy(REPOSITORY / "market", folder)
    shutil.copytree(REPOSITORY / "local" / "help", folder / "local" / "help")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("uv.txt", "up.txt", "test.txt", "models.txt"):
        (folder / "requirements" / name).touch()
    return folder


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKET_")}
    return subprocess.run(
        [str(folder / "market"), *arguments],
        env=clean | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _python(folder: Path, name: str, version: str, *, complete: bool = True) -> None:
    """A Python of that version as far as the script asks; one that is not `complete` cannot make environments."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    asks = f"""
import sys
class info(tuple): pass
code = sys.argv[2] if sys.argv[1] == "-c" else ""
sys.executable = {str(file)!r}
sys.version_info = info(({version.replace(".", ", ")}, 0))
if "ensurepip" in code and not {complete}:
    raise SystemExit(1)
if "-m" == sys.argv[1]:
    import os
    names = ("PIP_CERT", "NODE_EXTRA_CA_CERTS", "UV_SYSTEM_CERTS", "SSL_CERT_FILE")
    trusts = " ".join(f"{{key}}={{os.environ.get(key)}}" for key in names)
    raise SystemExit("STUB {name} asked for " + sys.argv[2] + " " + trusts)
exec(code)
"""
    file.write_text(f"#!{sys.executable} -IS\n{asks}")
    file.chmod(0o755)


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",), ("-h",)])
def test_help_needs_no_environment(clone: Path, arguments: tuple[str, ...]) -> None:
    done = _run(clone, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (HELP / "market.txt").read_text(encoding="utf-8")
    assert not (clone / ".market").exists()


def test_what_there_is_not_is_refused_before_anything_is_installed(clone: Path) -> None:
    benchmarks = (HELP / "bench.txt").read_text(encoding="utf-8")
    for named in ("nosuch", "", " ", "sear", "pipeline pipeline_imports", "NAME", "usage:", "*", "--json"):
        done = _run(clone, "bench", named)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"{benchmarks}market: there is no benchmark {named}\n"
    for named in ("nosuch", "nosuch/test_a.py::test_b", "test_market_script.py"):
        done = _run(clone, "test", named)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"market: there is no file or folder {named.partition('::')[0]} to test\n"
    for word, option in {"--nosuch": "--nosuch", "--tb_=short": "--tb_", "-Z": "-Z", "--coll": "--coll"}.items():
        done = _run(clone, "test", "-x", "-k", "words", word)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"market: pytest takes no option {option}: ")
    assert _run(clone, "bench").stdout == benchmarks
    assert _run(clone, "logs", "nosuch").stdout == "Nothing was started here: run ./market up\n"
    assert not (clone / ".market").exists()


def test_what_there_is_goes_on_to_its_environment(clone: Path, tmp_path: Path) -> None:
    _python(tmp_path / "bin", "python3.11", "3.11")
    (clone / "tests").mkdir()
    for arguments in [("bench", name) for name in benchmarks_offered()] + [
        ("bench", "tags", "--json", "x"),
        ("test", "tests::x"),
        ("test", "-k", "x"),
        ("test", "-xvs", "-n2", "-m", "not stack", "--junitxml=x", "--randomly-seed", "-1", "--tb=short"),
        ("test", "-pno:cacheprovider", "--", "--nosuch"),
        ("test",),
        ("test", str(tmp_path)),
    ]:
        done = _run(clone, *arguments, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        assert "STUB python3.11 asked for venv" in done.stderr, arguments


def test_what_a_command_makes_by_itself_lies_in_the_state_folder(clone: Path) -> None:
    """So that removing that folder undoes all of it."""
    python = clone / ".market" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f"#!{sys.executable} -IS\nimport json, os, sys\nif '-m' in sys.argv: print(json.dumps(dict(os.environ)))"
    )
    python.chmod(0o755)
    homes = ("PYTHONPYCACHEPREFIX", "RUFF_CACHE_DIR", "HYPOTHESIS_STORAGE_DIRECTORY", "XDG_STATE_HOME")
    chosen = _run(clone, "status", **dict.fromkeys(homes, "/mine"))
    assert {json.loads(chosen.stdout)[name] for name in homes} == {"/mine"}
    given = json.loads(_run(clone, "status", **dict.fromkeys(homes, "")).stdout)
    assert {Path(given[name]).relative_to(clone / ".market").parts[0] for name in homes} == {"cache", "journals"}


@pytest.mark.parametrize("command", sorted(path.stem for path in HELP.glob("*.txt") if path.stem != "market"))
def test_what_a_command_takes_is_told_without_an_environment(clone: Path, command: str) -> None:
    first, _, second = command.partition("-") if command.partition("-")[0] in GROUPS else (command, "", "")
    words = [first, *filter(None, [second])]
    for arguments in ([*words, "--help"], [*words, "-h"], ["help", *words]):
        done = _run(clone, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (HELP / f"{command}.txt").read_text(encoding="utf-8")
    assert not (clone / ".market").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("upload", "/home/me/My pictures", "--help"), "upload"),
        (("search", "a red boat", "--help"), "search"),
        (("test", "tests/unit", "-h"), "test"),
        (("bench",), "bench"),
    ],
)
def test_help_behind_other_words_is_that_of_the_command(clone: Path, arguments: tuple[str, ...], text: str) -> None:
    done = _run(clone, *arguments)
    assert (done.returncode, done.stdout) == (0, (HELP / f"{text}.txt").read_text(encoding="utf-8"))
    assert not (clone / ".market").exists()


def test_what_checks_there_are_is_told() -> None:
    for words in ("usage: ./market test [SELECTION]", "types", "whole local cloud", "CI=true"):
        assert words in (HELP / "test.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nosuch",), "there is no command nosuch: ./market help names them"),
        (("nosuch", "--help"), "there is no command nosuch: ./market help names them"),
        (("help", "nosuch"), "there is no command nosuch: ./market help names them"),
        (("uplaod", "x"), "there is no command uplaod (did you mean upload?): ./market help names them"),
        (("hlep",), "there is no command hlep (did you mean help?): ./market help names them"),
        (("market",), "there is no command market: ./market help names them"),
        (("--nosuch",), "there is no command --nosuch: ./market help names them"),
        (("../help/up",), "there is no command ../help/up: ./market help names them"),
        ((r"a\c*",), r"there is no command a\c*: ./market help names them"),
        (("x" * 5000,), f"there is no command {'x' * 5000}: ./market help names them"),
        (("dlq", "nosuch", "--help"), "there is no command dlq nosuch: ./market help dlq names them"),
        (("dlq", "lsit"), "there is no command dlq lsit (did you mean list?): ./market help dlq names them"),
        (
            ("help", "images", "shw"),
            "there is no command images shw (did you mean show?): ./market help images names them",
        ),
        (
            ("users", "creat-admin", "-h"),
            "there is no command users creat-admin (did you mean create-admin?): ./market help users names them",
        ),
    ],
)
def test_a_command_that_is_none_is_called_so_before_anything_is_made(
    clone: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = _run(clone, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"market: {told}\n")
    assert not (clone / ".market").exists()


@pytest.mark.parametrize("command", ["down", "logs", "reset", "status", "dashboard", "env"])
def test_before_the_first_up_what_asks_for_an_answer_fails(clone: Path, command: str) -> None:
    done = _run(clone, command)
    assert "othing was started here: run ./market up" in done.stdout + done.stderr
    asks = command in {"status", "dashboard", "env"}
    assert (done.returncode, bool(done.stdout)) == (int(asks), not asks)
    assert not (clone / ".market").exists()


def test_a_shell_that_evaluates_the_variables_too_early_runs_nothing(clone: Path) -> None:
    script = 'eval "$(./market env)"'
    done = subprocess.run(["sh", "-c", script], cwd=clone, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    assert done.stderr == "market: nothing was started here: run ./market up\n"


def test_the_version_needs_no_environment(clone: Path) -> None:
    done = _run(clone, "--version")
    assert done.stdout.startswith("imagemarket 0.1.0")


@pytest.mark.parametrize(
    "arguments",
    [("--version", "x"), ("help", "up", "extra"), ("--help", "dlq", "list", "x"), ("help", "dlq", "nosuch")],
)
def test_a_word_too_many_is_not_passed_over(clone: Path, arguments: tuple[str, ...]) -> None:
    done = _run(clone, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[-1] in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_program_that_is_missing_is_named(clone: Path, tmp_path: Path) -> None:
    """Without it the script would take what failed for something else, a full disk say."""
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / "empty").mkdir()
    for command in ("status", "up", "--version"):
        done = subprocess.run(
            [shell, str(clone / "market"), command],
            env={"PATH": str(tmp_path / "empty")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "was not found on PATH" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (clone / ".market").exists()


_ASKED = ("up", "down", "status", "logs", "reset --yes", "env", "dashboard", "test", "bench imaging", "search cat")


@pytest.fixture
def somebody_elses() -> Iterator[Path]:
    """A clone that everybody may enter, whose `.market` is another user's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        for folder in ("local", "requirements"):
            (Path(name) / folder).mkdir()
        shutil.copy(REPOSITORY / "market", name)
        shutil.copytree(HELP, Path(name) / "local" / "help")
        made = Path(name) / ".market"
        made.mkdir(mode=0o700)
        if os.geteuid() != 0:
            made.chmod(0)
        yield Path(name)
        for folder in (made, made / "state"):
            if folder.exists():
                folder.chmod(0o700)


@pytest.mark.parametrize("words", _ASKED)
@pytest.mark.parametrize("place", [".market", ".market/state"])
def test_another_users_clone_is_said_to_be_one(somebody_elses: Path, words: str, place: str) -> None:
    """Not that nothing was started there, and not that all of it was removed."""
    made = somebody_elses / ".market"
    if place != ".market":
        made.chmod(0o755)
        (somebody_elses / place).mkdir(mode=0o700 if os.geteuid() == 0 else 0)
    command = [str(somebody_elses / "market"), *words.split()]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={UNPRIVILEGED_ID}", f"--regid={UNPRIVILEGED_ID}", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    owner = made.owner()
    assert f"{place} belongs to {owner} and cannot be read" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_in_the_place_of_the_state_folder_is_said_to_be_one(clone: Path) -> None:
    (clone / ".market").touch()
    done = _run(clone, "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert ".market is no folder" in done.stderr


@pytest.mark.parametrize(("name", "sign"), [("a:b", "colon"), ("a\\b", "backslash"), ('a"b', "double quote")])
def test_a_path_that_parts_of_it_cannot_take_is_refused_at_once(clone: Path, name: str, sign: str) -> None:
    moved = clone.rename(clone.with_name(name))
    done = _run(moved, "up")
    assert done.returncode == 1
    assert sign in done.stderr


def test_the_cache_folder_and_all_else_are_the_owners_alone(clone: Path, tmp_path: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python"):
        _python(tmp_path / "bin", name, "3.12")
    done = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON="")
    assert done.returncode != 0
    assert (clone / ".market").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3": "3.14"}, "python3"),
        ({"python3.12": "3.12", "python3.13": "3.13"}, "python3.12"),
        ({"python3.11": "3.11", "python3": "3.13"}, "python3.11"),
        ({"python3.11": "3.10", "python3": "3.13"}, "python3"),
    ],
)
def test_the_best_python_is_found(clone: Path, tmp_path: Path, there: dict[str, str], chosen: str) -> None:
    names = ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python")
    for name in names:  # those of this machine stand behind these
        _python(tmp_path / "bin", name, there.get(name, "3.9"))
    done = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON="")
    assert f"STUB {chosen} asked for venv" in done.stderr


def test_a_clone_whose_environment_points_nowhere_any_more_makes_it_anew(clone: Path, tmp_path: Path) -> None:
    """As after the Python that it was made with was removed, or an older clone was moved."""
    environment = clone / ".market" / "venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "python").symlink_to(tmp_path / "gone" / "python3")
    (clone / ".market" / "up.stamp").write_text("anything")
    _python(tmp_path / "bin", "python3.12", "3.12")
    _python(tmp_path / "bin", "python3.11", "3.9")
    done = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON="")
    assert "STUB python3.12 asked for venv" in done.stderr


def test_an_environment_is_made_by_the_interpreter_that_a_link_leads_to(clone: Path, tmp_path: Path) -> None:
    """As uv leaves one in ~/.local/bin: asked by the link, it would look for its library beside it."""
    _python(tmp_path / "installed", "cpython-3.12", "3.12")
    for name in ("python3.11", "python3.13", "python3.14", "python3", "python"):
        _python(tmp_path / "bin", name, "3.9")
    (tmp_path / "bin" / "python3.12").symlink_to(tmp_path / "installed" / "cpython-3.12")
    done = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON="")
    assert "STUB cpython-3.12 asked for venv" in done.stderr


def test_one_that_can_make_environments_goes_before_one_that_cannot(clone: Path, tmp_path: Path) -> None:
    for name in ("python3.13", "python3.14", "python3", "python"):
        _python(tmp_path / "bin", name, "3.9")
    _python(tmp_path / "bin", "python3.11", "3.11", complete=False)
    _python(tmp_path / "bin", "python3.12", "3.12")
    done = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON="")
    assert "STUB python3.12 asked for venv" in done.stderr


def test_where_there_is_none_it_says_which_and_how(clone: Path, tmp_path: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python"):
        _python(tmp_path / "bin", name, "3.9")
    done = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON="")
    assert done.returncode == 1
    assert "no Python from 3.11 to 3.14" in done.stderr
    named = _run(clone, "up", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", PYTHON=str(tmp_path / "bin" / "python3"))
    assert "is no Python from 3.11 to 3.14" in named.stderr


def test_installers_trust_whom_the_machine_trusts_and_what_is_set_stays(clone: Path, tmp_path: Path) -> None:
    """A company's own authority stands in the machine's store, or in the file that a person names."""
    for name in ("python3.11", "python3"):
        _python(tmp_path / "bin", name, "3.11")
    named = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "PYTHON": "", "SSL_CERT_FILE": "/company.pem"}
    unset = {"PIP_CERT": "", "NODE_EXTRA_CA_CERTS": "", "UV_SYSTEM_CERTS": ""}
    done = _run(clone, "up", **named, **unset)
    assert "PIP_CERT=/company.pem NODE_EXTRA_CA_CERTS=/company.pem UV_SYSTEM_CERTS=true" in done.stderr
    bundle = named | {"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": "/company.pem"}
    assert "SSL_CERT_FILE=/company.pem" in _run(clone, "up", **bundle, **unset).stderr, "uv reads this one alone"
    kept = _run(clone, "up", **named, **unset | {"NODE_EXTRA_CA_CERTS": "/mine.pem"})
    assert "PIP_CERT=/company.pem NODE_EXTRA_CA_CERTS=/mine.pem" in kept.stderr


def _asked_for(file: Path) -> set[str]:
    """The packages that a `.in` file names, with those of the files that it includes."""
    found: set[str] = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found |= _asked_for(file.parent / line.removeprefix("-r "))
        elif line[:1].isalnum():
            found.add(canonicalize_name(Requirement(line.partition(" #")[0]).name))
    return found


_CONTAINERS_PYTHON = "3.12"
"""Ubuntu 24.04's, which the model server's Dockerfile begins from."""


@pytest.mark.parametrize(
    ("name", "version"),
    [
        *itertools.product(("uv", "up", "test", "models", "bench", "clip-builder"), ("3.11", "3.12", "3.13", "3.14")),
        ("model-server", _CONTAINERS_PYTHON),
    ],
)
def test_every_lock_holds_for_every_python(name: str, version: str) -> None:
    folder = REPOSITORY / "requirements"
    lines = (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.removesuffix(" \\")) for line in lines if line[:1].isalnum()]
    machine = {key: str(value) for key, value in default_environment().items()} | {
        "python_version": version,
        "python_full_version": f"{version}.9",
    }
    held = [canonicalize_name(pin.name) for pin in pins if pin.marker is None or pin.marker.evaluate(machine)]
    assert len(held) == len(set(held)), "a package is pinned twice"
    assert _asked_for(folder / f"{name}.in") <= set(held)
