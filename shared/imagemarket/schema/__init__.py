"""The tables of PostgreSQL, by Alembic; brought up to date at each deploy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

# One number for every deployment of this schema: two deploys at once take turns.
_ADVISORY_LOCK = 0x696D6167


def configuration(folder: Path) -> Config:
    """Alembic's, for the revisions in a folder, whose path may hold percent signs."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))  # configparser reads it
    return config


def upgrade(dsn: str, revision: str = "head") -> None:
    """Brings the database at `dsn` (libpq form) to `revision`. Safe to run twice or side by side."""
    import psycopg
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    config = configuration(Path(__file__).parent)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
