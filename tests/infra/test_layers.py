"""Functions find the packages that they import in their layer: pinned, complete, and to be had for Amazon Linux."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import cast

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cdk.foundation.assets import LIBRARY, REPOSITORY, function_names, stage_function
from cdk.foundation.layers import LAYERS, build_layer
from cdk.stages.model import SearchEngines, Stage
from tests.infra.conftest import new_app

_LAMBDA = {"sys_platform": "linux", "platform_machine": "aarch64", "python_version": "3.11"}
_LAMBDA_TAKES = 250 * 2**20
"""Bytes of code and layers together, unzipped."""
_OUR_CODE = 6 * 2**20


@dataclass(frozen=True)
class Pin:
    version: str
    hashes: frozenset[str]


def _pins(file: Path) -> dict[str, set[Pin]]:
    """What a file pins, by name; more than one of a name where markers choose."""
    entry = re.compile(r"^([a-z0-9][\w.-]*)==(\S+)[^\\\n]*((?:\\\n\s+--hash=\S+ ?)+)$", re.MULTILINE)
    found: dict[str, set[Pin]] = {}
    for name, version, hashes in entry.findall(file.read_text(encoding="utf-8")):
        pin = Pin(version, frozenset(re.findall(r"--hash=(\S+)", hashes)))
        found.setdefault(canonicalize_name(name), set()).add(pin)
    return found


def _asked(layer: str) -> list[Requirement]:
    lines = (LAYERS / layer / "requirements.in").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


NAMES = sorted(path.parent.name for path in LAYERS.glob("*/requirements.in"))


@pytest.mark.parametrize("layer", NAMES)
def test_a_layer_pins_what_the_checks_ran_with(layer: str) -> None:
    """The same versions and the same files, so that what was tested is what functions carry."""
    tested = _pins(REPOSITORY / "requirements" / "up.txt")
    pinned = _pins(LAYERS / layer / "requirements.txt")
    assert pinned
    for name, pins in pinned.items():
        assert len(pins) == 1, name
        assert pins <= tested.get(name, set()), f"{name}: compile layers/{layer}/requirements.in anew"


@pytest.mark.parametrize("layer", NAMES)
def test_a_layer_pins_whatever_its_packages_need(layer: str) -> None:
    pinned = _pins(LAYERS / layer / "requirements.txt")
    waiting = _asked(layer)
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        name = canonicalize_name(wanted.name)
        assert name in pinned, f"{name}: compile layers/{layer}/requirements.in anew"
        extras = wanted.extras or {""}
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            environments = [{**default_environment(), **_LAMBDA, "extra": extra} for extra in extras]
            if needed.marker is None or any(needed.marker.evaluate(each) for each in environments):
                waiting.append(needed)


@pytest.mark.parametrize("layer", NAMES)
def test_where_packages_come_from_is_left_to_the_machine(layer: str) -> None:
    text = (LAYERS / layer / "requirements.txt").read_text(encoding="utf-8")
    assert not re.findall(r"https?:|--(?:extra-)?index-url|--find-links|-r /", text)


# --- what functions import


Kind = tuple[str, ...]


def _packages(stage: Stage, folder: Path) -> dict[str, Kind]:
    from cdk.app import build

    return {name: function.packages for name, function in build(new_app(folder), stage).functions.items()}


@pytest.fixture(scope="session")
def carried(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> dict[SearchEngines, dict[str, Kind]]:
    """By search engines and function, the folders of `layers/` that its layer is made of."""
    choices = [stage.search, SearchEngines(keyword="opensearch", vector="qdrant")]
    return {
        engines: _packages(replace(stage, search=engines), tmp_path_factory.mktemp("assembly")) for engines in choices
    }


def _left_out(engines: SearchEngines) -> set[str]:
    """Modules of engines that a stage does not use."""
    left_out = {"opensearch", "qdrant"} - {engines.keyword, engines.vector}
    return {f"imagemarket.search.engines.{engine}" for engine in left_out}


def _source(module: str) -> Path | None:
    """Where a module of ours lies."""
    root = {"imagemarket": LIBRARY.parent, "functions": REPOSITORY}.get(module.partition(".")[0])
    if root is None:
        return None
    path = root / Path(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


def _for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _below(node: ast.AST, stops: tuple[type[ast.AST], ...] = ()) -> Iterator[ast.AST]:
    """The node and all below it, except for what only a type checker sees, and not into what `stops`."""
    yield node
    types = {id(each) for each in (getattr(node, "returns", None), getattr(node, "annotation", None)) if each}
    for child in ast.iter_child_nodes(node):
        if id(child) not in types and not _for_types_alone(child) and not isinstance(child, stops):
            yield from _below(child, stops)


def _imports(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    """What a statement binds: its name here, the module that it comes from, and its name there or nothing."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname or alias.name.partition(".")[0], alias.name, "")
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            where, there = (inner, "") if _source(inner) else (node.module, alias.name)
            yield (alias.asname or alias.name, where, there)


@cache
def _names_of(source: Path) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str]]]:
    """What a module defines, and what it binds by imports: the module that each comes from, and its name there."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    bound = {name: (where, there) for node in _below(tree, functions) for name, where, there in _imports(node)}
    defined: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {each.id: node for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return defined, bound


class _Reader:
    """Follows what a function may come to run: modules as they are imported, definitions as they are named."""

    def __init__(self, engines: SearchEngines) -> None:
        self.strangers: set[str] = set()
        """Modules that are not ours."""
        self._left_out = _left_out(engines)
        self._modules: dict[str, tuple[dict[str, ast.AST], dict[str, tuple[str, str]]]] = {}
        self._used: set[tuple[str, str]] = set()

    def use(self, module: str, name: str = "") -> None:
        """A definition of a module, or the module with all it defines."""
        if module in self._left_out:
            return
        source = _source(module)
        if source is None:
            self.strangers |= {module} - sys.stdlib_module_names
            return
        self._run(module, source)
        defined, bound = self._modules[module]
        if not name:
            for each in defined:
                self.use(module, each)
        elif (module, name) not in self._used:
            self._used.add((module, name))
            if name in bound:
                self.use(*bound[name])
            elif name in defined:
                self._read(module, defined[name])

    def _run(self, module: str, source: Path) -> None:
        if module in self._modules:
            return
        defined, bound = _names_of(source)
        self._modules[module] = (defined, bound)
        for where, _ in bound.values():
            inner = _source(where)
            if inner is None:
                self.use(where)
            elif where not in self._left_out:
                self._run(where, inner)
        if module.startswith("functions."):
            self.use(module)  # routes are called without being named

    def _read(self, module: str, body: ast.AST, room: str = "") -> None:
        """`room` is the attribute of the app whose class the body is a method of."""
        defined, bound = self._modules[module]
        late = {name: (where, there) for node in _below(body) for name, where, there in _imports(node)}
        for where, _ in late.values():
            if _source(where) is None:
                self.use(where)
        known = bound | late
        through: set[int] = set()
        for node in _below(body):
            if isinstance(node, ast.Attribute) and (service := self._service_of(node, room)):
                self._use_service(*service)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                where, there = known.get(node.value.id, ("", ""))
                if where and not there and _source(where):  # `models.Filters`: a definition of a module
                    through.add(id(node.value))
                    self.use(where, node.attr)
            elif isinstance(node, ast.Name) and id(node) not in through:
                if known.get(node.id) == _APP:
                    continue  # what is taken from it counts
                if node.id in known:
                    self.use(*known[node.id])
                elif node.id in defined:
                    self.use(module, node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _source(node.value):
                self.use(node.value)  # a process of its own

    def _service_of(self, node: ast.Attribute, room: str) -> tuple[str, str] | None:
        """The room and the service that `app().ROOM.SERVICE`, `self.SERVICE` or `self._ROOM.SERVICE` names."""
        base = node.value
        if isinstance(base, ast.Name) and base.id == "self" and room:
            return (room, node.attr)
        if isinstance(base, ast.Attribute):
            owner = base.value
            if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "app":
                return (base.attr, node.attr)
            if isinstance(owner, ast.Name) and owner.id == "self" and base.attr.removeprefix("_") in _rooms():
                return (base.attr.removeprefix("_"), node.attr)
        return None

    def _use_service(self, room: str, name: str) -> None:
        if (room, name) in self._used:
            return
        self._used.add((room, name))
        module, services = _services(room)
        self._run(module, cast("Path", _source(module)))
        if name in services:
            self._read(module, services[name], room)
        elif (link := _links(room).get(name.removeprefix("_"))) is not None:
            self._run(_APP[0], cast("Path", _source(_APP[0])))
            self._read(_APP[0], link)


_APP = ("imagemarket.app", "app")


def _methods(module: str, suffix: str) -> dict[str, ast.AST]:
    """By name, the methods of the class of a module whose name ends so."""
    tree = ast.parse(cast("Path", _source(module)).read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith(suffix))
    return {node.name: node for node in found.body if isinstance(node, ast.FunctionDef)}


@cache
def _rooms() -> dict[str, ast.AST]:
    """The app's rooms by name, and the resources that they share."""
    methods = _methods(_APP[0], "App")
    return {"resources": methods.pop("__init__"), **methods}


@cache
def _services(room: str) -> tuple[str, dict[str, ast.AST]]:
    """The module of a room and its services by name."""
    if room == "resources":
        return "imagemarket.platform.resources", _methods("imagemarket.platform.resources", "Resources")
    return f"imagemarket.{room}.wiring", _methods(f"imagemarket.{room}.wiring", "Room")


@cache
def _links(room: str) -> dict[str, ast.AST]:
    """What the app gives a room besides other rooms, by the name of its argument."""
    return {
        keyword.arg: keyword.value
        for node in ast.walk(_rooms()[room])
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg and keyword.arg not in _rooms()
    }


def _needed(function: str, engines: SearchEngines) -> frozenset[str]:
    """Every module that is not ours and that a function may come to import, also late."""
    reader = _Reader(engines)
    reader.use(f"functions.{function}.handler")
    return frozenset(name for name in reader.strangers if name.partition(".")[0] not in sys.stdlib_module_names)


@pytest.fixture(scope="session")
def packages_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """By a name of `layers/`, a folder with its packages as this machine has them, and nothing else, as links."""

    @cache
    def linked(layer: str) -> Path:
        folder = tmp_path_factory.mktemp(layer)
        for name in _pins(LAYERS / layer / "requirements.txt"):
            try:
                installed = distribution(name)
            except PackageNotFoundError:  # a marker of an older 3.11 asked for it
                continue
            for file in installed.files or []:
                top = file.parts[0]
                link = folder / top
                if top not in {"..", "__pycache__"} and not link.exists():
                    link.symlink_to(Path(str(installed.locate_file(top))))
        return folder

    return linked


@pytest.mark.parametrize("function", function_names())
def test_a_function_finds_in_its_layer_what_it_may_import(
    function: str,
    carried: dict[SearchEngines, dict[str, Kind]],
    packages_of: Callable[[str], Path],
    compiled: Path,
    tmp_path: Path,
) -> None:
    code = stage_function(function, interpreter=None)
    questions = {(packages[function], _needed(function, engines)) for engines, packages in carried.items()}
    for kind, needed in questions:
        assert needed
        folders = [str(folder) for folder in (code, *map(packages_of, kind))]
        program = (
            "import importlib, sys\n"
            f"sys.path[:0] = {folders!r}\n"
            f"for name in ['functions.{function}.handler', *{sorted(needed)!r}]:\n"
            "    importlib.import_module(name)\n"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-X", f"pycache_prefix={compiled}", "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"with {kind}: {done.stderr[-2000:]}"


def test_the_reading_of_a_function_sees_late_imports_through_several_floors() -> None:
    postgres = SearchEngines()
    assert {"psycopg_pool", "pyvips", "rawpy", "boto3"} <= _needed("inspect_image", postgres), "a process of its own"
    assert "cv2" in _needed("publish_image", postgres)
    assert "pyvips" not in _needed("publish_image", postgres)
    assert "symspellpy" in _needed("collect_search_events", postgres)
    assert "bcrypt" in _needed("auth_api", postgres)
    assert "qdrant_client" not in _needed("search_api", postgres)
    assert "qdrant_client" in _needed("search_api", SearchEngines(vector="qdrant"))


# --- what is built


def test_every_layer_is_built_for_amazon_linux_on_arm_and_fits_into_a_function(
    carried: dict[SearchEngines, dict[str, Kind]],
) -> None:
    """From a registry, or from what uv has kept of it."""
    kinds = {kind for packages in carried.values() for kind in packages.values()}
    assert len(kinds) >= 8
    for kind in sorted(kinds):
        built = build_layer(kind)
        assert [each.name for each in built.iterdir()] == ["python"]
        files = [file for file in built.rglob("*") if file.is_file()]
        assert sum(file.stat().st_size for file in files) + _OUR_CODE < _LAMBDA_TAKES, kind
        native = [file for file in files if file.read_bytes()[:4] == b"\x7fELF"]
        assert native, "psycopg's, at least"
        for file in native:
            machine = int.from_bytes(file.read_bytes()[18:20], "little")
            assert machine == 183, f"{file.name} of {kind} is not for ARM"  # EM_AARCH64
        found = {canonicalize_name(path.name.split("-")[0]) for path in built.glob("python/*.dist-info")}
        pinned = {name for layer in kind for name in _pins(LAYERS / layer / "requirements.txt")}
        assert found == pinned, kind
