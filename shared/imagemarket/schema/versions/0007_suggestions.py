"""What a search completes and corrects: phrases and words of the catalogue, and what is often searched."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_STATEMENTS = (
    # `images` counts the listed images whose title or tag a phrase is, `searches` how often it was searched and found
    # something. A phrase is in lower case; `shown` is how it was written.
    """
    CREATE TABLE suggestions (
        phrase    varchar(100) PRIMARY KEY,
        shown     varchar(100) NOT NULL,
        images    int NOT NULL DEFAULT 0,
        searches  int NOT NULL DEFAULT 0,
        weight    double precision NOT NULL
                  GENERATED ALWAYS AS (ln(1.0 + greatest(images, 0)) + 2 * ln(1.0 + searches)) STORED
    )
    """,
    # The beginnings that have many phrases have an index of their own each, best first; longer ones are few.
    "CREATE INDEX suggestions_by_1 ON suggestions (left(phrase, 1), weight DESC, phrase)",
    "CREATE INDEX suggestions_by_2 ON suggestions (left(phrase, 2), weight DESC, phrase)",
    "CREATE INDEX suggestions_by_3 ON suggestions (left(phrase, 3), weight DESC, phrase)",
    "CREATE INDEX suggestions_by_beginning ON suggestions (phrase text_pattern_ops)",
    "CREATE TABLE catalogue_words (word varchar(30) PRIMARY KEY, images int NOT NULL)",
    # What each image added, to be taken away again when it changes or goes.
    """
    CREATE TABLE suggestion_sources (
        image_id  uuid PRIMARY KEY,
        version   bigint NOT NULL,
        phrases   varchar(100)[] NOT NULL,
        words     varchar(30)[] NOT NULL
    )
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE suggestion_sources, catalogue_words, suggestions")
