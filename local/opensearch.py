"""A real OpenSearch with k-NN, from jars of Maven Central: fetched once, started here, for the stack and the tests."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from local.layout import LOOPBACK, REPOSITORY, Layout, LocalError, digest_of
from local.processes import Part
from local.tooling import run_logged

_SOURCES = REPOSITORY / "local" / "opensearch_node"
_MAVEN_TIMEOUT_S = 15
"""For each answer, a dozen of which it waits for before it gives up; without, for half an hour each."""
_TOOLS = {"java": "a Java 17 runtime", "javac": "its compiler", "mvn": "Maven"}


def missing_tools() -> list[str]:
    """What this machine lacks to run OpenSearch; empty where it can."""
    return [f"{tool} ({what})" for tool, what in _TOOLS.items() if shutil.which(tool) is None]


def installed_folder(layout: Layout) -> Path:
    """Where the node's classes and jars lie, or will."""
    return layout.made / "opensearch" / digest_of([_SOURCES])[:16]


def install_opensearch(layout: Layout) -> Path:
    """The folder with the node's classes and jars, fetched and compiled where it is not there yet.

    Raises:
        LocalError: Java or Maven is missing, or the jars could not be fetched.
    """
    folder = installed_folder(layout)
    if folder.is_dir():
        return folder
    if missing := missing_tools():
        raise LocalError(
            f"OpenSearch needs {', '.join(missing)}, which this machine lacks "
            "(Debian: apt install openjdk-17-jdk-headless maven)"
        )
    draft = folder.with_suffix(f".draft-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    jars, log = draft / "jars", layout.logs / "opensearch-install.log"
    command = ["mvn", "-q", "-B", "-f", str(_SOURCES / "pom.xml"), "dependency:copy-dependencies"]
    # Maven's own name for it until 3.8, and since 3.9
    command += [f"-D{name}={_MAVEN_TIMEOUT_S}000" for name in ("maven.wagon.rto", "aether.connector.requestTimeout")]
    run_logged(
        [*command, f"-DoutputDirectory={jars}", f"-Dmaven.repo.local={layout.made / 'cache' / 'maven'}"],
        log,
        cwd=layout.state,
        environment=os.environ,
        what="fetching OpenSearch's jars (mvn)",
    )
    for plugin in jars.glob("*.zip"):
        with zipfile.ZipFile(plugin) as archive:
            for name in archive.namelist():
                if name.endswith(".jar") and not (jars / name).exists():
                    archive.extract(name, jars)
        plugin.unlink()
    run_logged(
        ["javac", "-cp", f"{jars}/*", "-d", str(draft / "classes"), str(_SOURCES / "Node.java")],
        log,
        cwd=layout.state,
        environment=os.environ,
        what="compiling OpenSearch's starter (javac)",
    )
    try:
        draft.rename(folder)
    except OSError:  # another was quicker
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def opensearch_part(installed: Path, folder: Path, port: int, *, heap_mb: int = 768, short_lived: bool = False) -> Part:
    """The node over a data folder, its heap bounded. A short-lived one is up in half the time and slower for ever."""
    compiler = ["-XX:TieredStopAtLevel=1"] if short_lived else []

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url_of(port)}/_cluster/health", timeout=1) as answer:  # noqa: S310
                return json.load(answer)["status"] in {"yellow", "green"}
        except (OSError, ValueError, urllib.error.URLError):
            return False

    return Part(
        name="opensearch",
        title="OpenSearch",
        port=port,
        command=[
            *("java", f"-Xms{heap_mb // 2}m", f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"),
            *compiler,
            f"-Djna.tmpdir={installed}",
            *("-cp", f"{installed / 'classes'}:{installed / 'jars'}/*", "Node", str(folder), str(port)),
        ],
        ready=ready,
        patience_s=180,
    )


def url_of(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
