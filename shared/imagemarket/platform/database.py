"""PostgreSQL: one small pool per process, short transactions, errors of the house."""

from __future__ import annotations

import atexit
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, TypeAlias, cast

from imagemarket.platform.errors import DependencyUnavailable

if TYPE_CHECKING:
    import psycopg
    from pgvector import HalfVector
    from psycopg_pool import ConnectionPool

Row = dict[str, Any]
Connection: TypeAlias = "psycopg.Connection[Row]"
"""One that a `Database` hands out; the driver itself is imported when the first is asked for."""

_PING_AFTER_IDLE_SECONDS = 15.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_CHECKOUT_SECONDS = 5.0
"""How long a connection is waited for."""


def dsn_of(secret: str, *, address: str, authorities: str) -> str:
    """The libpq connection string of a login (`{username, password}`) to the database at `host:port/name`.

    The server proves its name by a certificate of `authorities`: `public`, those that botocore carries (Amazon's are
    among them, which RDS Proxy's certificates are of), or a file of some in PEM. `none` goes without TLS, and to
    this machine alone.

    Raises `ValueError` for `none` to another machine.
    """
    from psycopg.conninfo import make_conninfo

    server, _, name = address.partition("/")
    host, _, port = server.rpartition(":")
    login = json.loads(secret)
    if authorities == "none":
        if host not in _LOOPBACK:
            raise ValueError(f"MARKET_DATABASE_AUTHORITIES is none, and {host} is not this machine")
        tls = {"sslmode": "disable"}
    else:
        tls = {
            "sslmode": "verify-full",
            "sslrootcert": _public_authorities() if authorities == "public" else authorities,
        }
    return make_conninfo(
        host=host, port=int(port), dbname=name, user=login["username"], password=login["password"], **tls
    )


def _public_authorities() -> str:
    from pathlib import Path

    import botocore

    return str(Path(botocore.__file__).with_name("cacert.pem"))


def half_vector(values: Iterable[float]) -> HalfVector:
    """A statement's parameter for `%s::halfvec`."""
    from pgvector import HalfVector

    return HalfVector(list(values))


def _send_vectors_in_binary(connection: Connection) -> None:
    """Registers pgvector's binary form: writing 768 numbers out costs 20 times as much. pgvector's own registration
    asks the server for the ids of its types, which the casts in the statements make unnecessary."""
    from pgvector import HalfVector
    from pgvector.psycopg.halfvec import HalfVectorBinaryDumper

    connection.adapters.register_dumper(HalfVector, HalfVectorBinaryDumper)


class Database:
    """Hands out transactions on pooled connections.

    The pool opens at first use and holds no idle minimum: a Lambda process serves one request at a
    time, and a search asks two engines side by side. A connection that lay idle for long (a frozen
    Lambda) is pinged before it is used.
    """

    def __init__(
        self,
        dsn: Callable[[], str],
        *,
        statement_timeout_ms: int = 2000,
        max_connections: int = 4,
        application_name: str = "imagemarket",
    ) -> None:
        self._dsn = dsn
        self._statement_timeout_ms = statement_timeout_ms
        self._max_connections = max_connections
        self._application_name = application_name
        self._pool: ConnectionPool[Connection] | None = None
        self._last_used: dict[int, float] = {}
        self._opening = threading.Lock()

    def _open(self) -> ConnectionPool[Connection]:
        with self._opening:  # a search asks for its first connections side by side
            return self._pool or self._open_pool()

    def _open_pool(self) -> ConnectionPool[Connection]:
        import psycopg
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool

        self._pool = ConnectionPool(
            self._dsn(),
            connection_class=cast("type[Connection]", psycopg.Connection),
            kwargs={
                "row_factory": dict_row,
                "application_name": self._application_name,
                "connect_timeout": 5,
                # No statement is prepared on the server: after some runs its plan would no longer know the values,
                # and with filters and words these decide between ways that differ a hundredfold. RDS Proxy would
                # also keep a connection to one client for it.
                "prepare_threshold": None,
                "options": f"-c statement_timeout={self._statement_timeout_ms} -c timezone=UTC",
            },
            min_size=0,
            max_size=self._max_connections,
            timeout=_CHECKOUT_SECONDS,
            # By default it would try ever more seldom for five minutes, and a database that is back stay unused.
            reconnect_timeout=_CHECKOUT_SECONDS,
            configure=_send_vectors_in_binary,
            check=self._ping_if_idle,
            open=True,
        )
        atexit.register(self._pool.close)  # from Python 3.13 on its threads cannot be waited for after this
        return self._pool

    def _ping_if_idle(self, connection: Connection) -> None:
        idle_since = self._last_used.get(id(connection))
        if idle_since is None or time.monotonic() - idle_since > _PING_AFTER_IDLE_SECONDS:
            from psycopg_pool import ConnectionPool

            ConnectionPool.check_connection(cast("Any", connection))

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction: committed at the end, rolled back on any exception.

        Raises `DependencyUnavailable` when the database cannot be reached, breaks off, or a
        statement runs over its time; every other error of the database is a bug and passes.
        """
        return self._connected(autocommit=False)

    def session(self) -> AbstractContextManager[Connection]:
        """A connection on which every statement is a transaction of its own, and every pipeline one: what a statement
        sets for its transaction holds for those behind it. Spares the round trips of BEGIN and COMMIT; raises as
        `transaction` does."""
        return self._connected(autocommit=True)

    @contextmanager
    def _connected(self, *, autocommit: bool) -> Iterator[Connection]:
        from psycopg import OperationalError
        from psycopg.errors import DeadlockDetected, QueryCanceled, SerializationFailure
        from psycopg_pool import PoolTimeout

        try:
            with self._open().connection() as connection:
                if connection.autocommit is not autocommit:
                    connection.autocommit = autocommit
                try:
                    yield connection
                finally:
                    self._last_used[id(connection)] = time.monotonic()
        except (PoolTimeout, QueryCanceled, DeadlockDetected, SerializationFailure) as error:
            raise DependencyUnavailable("The database did not answer in time; try again.") from error
        except OperationalError as error:
            raise DependencyUnavailable("The database is not answering; try again.") from error

    def fetch_all(self, sql: str, parameters: Any = None) -> list[Row]:
        """All rows of one statement in a transaction of its own, which takes one round trip in place of three."""
        with self._connected(autocommit=True) as connection:
            return connection.execute(cast("LiteralString", sql), parameters).fetchall()

    def fetch_one(self, sql: str, parameters: Any = None) -> Row | None:
        """The first row of one statement in a transaction of its own."""
        with self._connected(autocommit=True) as connection:
            return connection.execute(cast("LiteralString", sql), parameters).fetchone()

    def close(self) -> None:
        """Closes the pool; the next use opens a new one."""
        if self._pool is not None:
            atexit.unregister(self._pool.close)
            self._pool.close()
            self._pool = None


def allow_seconds(connection: Connection, seconds: int) -> None:
    """Lets each statement of the transaction run for so long, in place of the database's own limit; 0 is no limit."""
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds}s",))
