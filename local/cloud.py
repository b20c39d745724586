"""The whole local cloud: its parts in the order in which they need each other, up, down and repaired."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from local import deployment
from local.emulator import (
    answers,
    aws_environment,
    clear_scratch,
    emulator_part,
    endpoint_of,
    forget_unfinished,
    renew_functions,
)
from local.layout import (
    LOOPBACK,
    REPOSITORY,
    Layout,
    LocalError,
    digest_of,
    free_port,
    make_private,
    port_is_free,
    write_private,
)
from local.opensearch import install_opensearch, installed_folder, opensearch_part, url_of
from local.postgres import make_cluster, make_database, postgres_part
from local.processes import Part, Standing, Supervisor
from local.progress import console, step
from local.tooling import install_node_tools
from local.valkey import COUNTERS, valkey_part

_FREE_DISK_MIB = 1024


@contextmanager
def _only_one(layout: Layout) -> Iterator[None]:
    """One `up`, `down` or `reset` of a state at a time; the kernel lets go of the lock when its holder dies."""
    path = layout.run / "lock"
    while True:
        make_private(layout.run)
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                console.print("Another ./market is at work on this state; waiting for it …")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                yield
                return  # else a reset took the folder away: another would take the new one beside us


class Cloud:
    """The parts of one state folder."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.supervisor = Supervisor(layout)
        self._bundle_sources = [REPOSITORY / "sagemaker" / "builders", REPOSITORY / "requirements" / "models.txt"]

    def parts(self) -> list[Part]:
        """Every part, in the order in which they start."""
        layout = self.layout
        ports = layout.ports()
        return [
            postgres_part(layout.data / "postgres", ports["postgres"], layout.secret("postgres")),
            valkey_part(layout.data, ports["valkey"]),
            valkey_part(layout.data, ports["counters"], COUNTERS),
            *([self._opensearch(ports["opensearch"])] if layout.uses_opensearch else []),
            self._models(ports["models"]),
            emulator_part(layout),
            self._front_door(),
        ]

    def asked_by_functions(self) -> set[str]:
        """The parts whose addresses functions are given. The emulator is none of them: functions go with it."""
        given = {**deployment.stage_environment(self.layout), **aws_environment(self.layout)}
        addresses = {int(port) for value in given.values() for port in re.findall(rf"\b{LOOPBACK}:(\d+)", value)}
        return {part.name for part in self.parts() if part.port in addresses} - {"aws"}

    def _opensearch(self, port: int) -> Part:
        return opensearch_part(installed_folder(self.layout), self.layout.data / "opensearch", port)

    def _models(self, port: int) -> Part:
        # fmt: off
        command = [
            str(self.layout.python), "-m", "sagemaker.server.app",
            "--host", LOOPBACK, "--port", str(port), "--bundle", str(self.layout.model_bundle),
        ]
        # fmt: on
        return Part(
            name="models",
            title="Model server",
            port=port,
            command=command,
            environment={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}"},
            ready=lambda: answers(f"http://{LOOPBACK}:{port}/ping"),
            sources=[
                *(REPOSITORY / "sagemaker" / "server", REPOSITORY / "shared" / "imagemarket" / "vision"),
                *self._bundle_sources,
            ],
        )

    def _front_door(self) -> Part:
        layout = self.layout
        # fmt: off
        command = [
            str(layout.python), "-m", "local.front_door",
            "--port", str(layout.port), "--aws", endpoint_of(layout), "--outputs", str(layout.outputs_file),
        ]
        # fmt: on
        return Part(
            name="front",
            title="Front door",
            port=layout.port,
            command=command,
            environment={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}"},
            ready=lambda: not port_is_free(layout.port),
            sources=[REPOSITORY / "local" / "front_door.py"],
        )

    def up(self, *, search: str | None = None, then: Callable[[], None] = lambda: None) -> None:
        """Start what is missing, deploy what changed. Safe to interrupt and to run again. `search` chooses
        the engine that finds pictures by words; its index is then made anew. `then` is done before another `down` or
        `reset` of this state may begin."""
        with _only_one(self.layout):
            self._check_room()
            if strays := self.supervisor.sweep_strays():
                console.print(f"Ended {strays} processes that had outlived a part that was killed")
            changed = search is not None and self._choose_search(search)
            self._start_all()
            if changed and search is not None:
                self._reindex(search)
            then()

    def _choose_search(self, engine: str) -> bool:
        unused = self._opensearch(self.layout.ports()["opensearch"])
        changed = self.layout.use_for_search(engine)
        if not self.layout.uses_opensearch and self.supervisor.process(unused.name) is not None:
            self.supervisor.stop(unused)
        return changed

    def _reindex(self, engine: str) -> None:
        with step(f"Search documents into {engine}") as say:
            done = subprocess.run(
                [str(self.layout.python), "-m", "imagemarket.cli", "search", "reindex", "--engine", engine],
                cwd=REPOSITORY,
                env=os.environ | self.environment() | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise LocalError(f"the search documents could not be written:\n{(done.stdout + done.stderr)[-3000:]}")
            say("written")

    def _check_room(self) -> None:
        self._keep_private()
        free = shutil.disk_usage(self.layout.data).free // 2**20
        if free < _FREE_DISK_MIB:
            raise LocalError(
                f"{free} MiB are free under {self.layout.data}; {_FREE_DISK_MIB} MiB are needed: free some space"
            )
        port = self.layout.port
        if self.supervisor.port("front") != port and not port_is_free(port):
            other = next((each for each in range(port + 1, 65536) if port_is_free(each)), free_port())
            raise LocalError(
                f"port {port} is in use by another program: stop that, "
                f"or choose another with MARKET_PORT={other} ./market up"
            )
        self.layout.remember_port()

    def _keep_private(self) -> None:
        """Nobody else may read what is kept here: passwords, the signing key, originals, mail."""
        layout = self.layout
        make_private(layout.data)
        for folder in (layout.data, layout.run, layout.logs, layout.state / "mail", layout.state / "cdk.out"):
            if folder.exists():
                folder.chmod(0o700)

    def _part_on_free_port(self, name: str) -> Part:
        """The part as it is to start now: an inner one moves where another program took its port, which may happen
        long after it was chosen, while others install and start. The front door's is a person's choice."""
        port = self.layout.ports().get(name)
        if port is not None and self.supervisor.process(name) is None and not port_is_free(port):
            self.layout.choose_another_port(name)
        return next(part for part in self.parts() if part.name == name)

    def _start_all(self) -> None:
        layout = self.layout
        with step("Node tools") as say:
            say("installed" if install_node_tools(layout, say) else "there")
        self.build_models()
        if layout.uses_opensearch:
            with step("OpenSearch's jars"):
                install_opensearch(layout)
        with step("PostgreSQL data folder"):
            make_cluster(layout.data / "postgres", layout.secret("postgres"))
        before = self.supervisor.process("aws")
        if before is None:
            clear_scratch(layout)
            forget_unfinished(layout)
        started: set[str] = set()
        for name in [part.name for part in self.parts()]:
            part = self._part_on_free_port(name)
            with step(part.title) as say:
                if self.supervisor.start(part):
                    started.add(part.name)
                    say(f"started on port {part.port}")
                else:
                    say("up")
            if part.name == "postgres":
                make_database(part.port, layout.secret("postgres"), deployment.DATABASE)
        if before is not None and "aws" not in started and started & self.asked_by_functions():
            with step("Functions") as say:
                say(f"{renew_functions(before)} processes renewed, which had given up what was down")
        with step("Deployment") as say:
            if deployment.is_deployed(layout):
                say("nothing changed")
            else:
                deployment.deploy(layout, say)
                say("done")

    def build_models(self) -> None:
        """The model bundle, where it is missing or its builder has changed. Raises `LocalError`."""
        layout = self.layout
        stamp = layout.made / "models" / "lite.stamp"
        wanted = digest_of(self._bundle_sources)
        with step("Model bundle") as say:
            if stamp.exists() and stamp.read_text() == wanted and layout.model_bundle.is_dir():
                say("there")
                return
            command = [str(layout.python), "-m", "sagemaker.builders.lite", "--out", str(layout.model_bundle)]
            layout.model_bundle.parent.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise LocalError(f"the model bundle could not be built:\n{(done.stdout + done.stderr)[-3000:]}")
            write_private(stamp, wanted)
            say("built")

    def down(self) -> int:
        """Stop every part, last started first, and what they left. How many were up."""
        with _only_one(self.layout):
            return self._stop_all()

    def _stop_all(self) -> int:
        stopped = 0
        for part in reversed(self.parts()):
            if self.supervisor.process(part.name) is None:
                continue
            with step(f"Stopping {part.title}"):
                stopped += self.supervisor.stop(part)
        self.supervisor.sweep_strays()
        clear_scratch(self.layout)
        return stopped

    def reset(self) -> None:
        """Stop everything and remove the state: database, objects, accounts. The environment stays."""
        with _only_one(self.layout):
            self._stop_all()
            self.layout.outputs_file.unlink(missing_ok=True)
            for folder in (
                *(self.layout.data, self.layout.logs, self.layout.state / "cdk.out", self.layout.state / "mail"),
                self.layout.run,  # with the lock, last
            ):
                shutil.rmtree(folder, ignore_errors=True)

    def standings(self) -> list[Standing]:
        return [self.supervisor.standing(part) for part in self.parts()]

    def environment(self) -> dict[str, str]:
        """The variables with which `aws`, boto3, `psql` and the product's command line reach the stack."""
        from imagemarket.cli.stage import SETTINGS_OUTPUT  # half a second, which the other commands do without

        layout = self.layout
        ports = layout.ports()
        outputs = layout.outputs()
        named = {
            "MARKET_URL": layout.base_url,
            "MARKET_PORT": str(layout.port),
            "MARKET_STATE": str(layout.state),
            "MARKET_CLONE": str(REPOSITORY),
            "MARKET_STAGE": "local",
            "MARKET_PUBLIC_BASE_URL": layout.base_url,
            "MARKET_MEDIA_BASE_URL": f"{layout.base_url}/media",
            "MARKET_CACHE_URL": f"valkey://{LOOPBACK}:{ports['valkey']}/0",
            "MARKET_COUNTERS_URL": f"valkey://{LOOPBACK}:{ports['counters']}/0",
            "MARKET_MODEL_BUNDLE": str(layout.model_bundle),
            "MARKET_CDN_DISTRIBUTION_ID": "none",
            "MARKET_DATABASE_ADDRESS": deployment.database_address(layout),
            "MARKET_DATABASE_AUTHORITIES": "none",
            "MARKET_MODEL_ENDPOINT_NAME": "imagemarket-local-analyse",
            "PGHOST": LOOPBACK,
            "PGPORT": str(ports["postgres"]),
            "PGUSER": "postgres",
            "PGPASSWORD": layout.secret("postgres"),
            "PGDATABASE": deployment.DATABASE,
        }
        if layout.uses_opensearch:
            named |= {"MARKET_KEYWORD_ENGINE": "opensearch", "MARKET_OPENSEARCH_ENDPOINT": url_of(ports["opensearch"])}
        told = json.loads(outputs.get(SETTINGS_OUTPUT, "{}"))
        settings = {f"MARKET_{name.upper()}": value for name, value in told.items() if value}
        return aws_environment(layout) | settings | named

    def post(self, path: str, body: dict[str, object]) -> tuple[int, dict[str, object]]:
        """POST JSON to the API through the front door: the status and the answer."""
        request = urllib.request.Request(  # noqa: S310 - a loopback address of ours
            f"{self.layout.base_url}{path}",
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=40) as response:  # noqa: S310
                return response.status, json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, {"detail": text.decode(errors="replace")}
