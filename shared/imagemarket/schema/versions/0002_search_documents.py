"""What PostgreSQL searches: one row an image, with every filter column, the words and the vector."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    # Accents are folded before stemming, on both sides of a match.
    "CREATE TEXT SEARCH CONFIGURATION market_english (COPY = english)",
    """
    ALTER TEXT SEARCH CONFIGURATION market_english
        ALTER MAPPING FOR hword, hword_part, word WITH unaccent, english_stem
    """,
    # Words as they stand: finds what the stemmer drops or joins, such as "The Who".
    "CREATE TEXT SEARCH CONFIGURATION market_simple (COPY = simple)",
    """
    ALTER TEXT SEARCH CONFIGURATION market_simple
        ALTER MAPPING FOR hword, hword_part, word WITH unaccent, simple
    """,
    # `listed` is false for an image that left the catalogue: its row stays behind without its
    # content, so that an older document arriving late finds a newer version here.
    """
    CREATE TABLE search_documents (
        image_id          uuid PRIMARY KEY,
        version           bigint NOT NULL,
        listed            boolean NOT NULL,
        title             varchar(255) NOT NULL DEFAULT '',
        description       text NOT NULL DEFAULT '',
        tags              varchar(100)[] NOT NULL DEFAULT '{}',
        categories        varchar(100)[] NOT NULL DEFAULT '{}',
        contributor_id    uuid,
        contributor_name  varchar(100) NOT NULL DEFAULT '',
        image_type        varchar(12) NOT NULL DEFAULT '',
        license_types     varchar(12)[] NOT NULL DEFAULT '{}',
        orientation       varchar(15) NOT NULL DEFAULT '',
        colours           varchar(10)[] NOT NULL DEFAULT '{}',
        width             int NOT NULL DEFAULT 0,
        height            int NOT NULL DEFAULT 0,
        people            boolean,
        published_at      timestamptz NOT NULL DEFAULT now(),
        popularity        real NOT NULL DEFAULT 0,
        thumbhash         varchar(60),
        renditions        jsonb NOT NULL DEFAULT '[]',
        model_version     varchar(80),
        embedding         halfvec(768),
        words             tsvector NOT NULL DEFAULT '',
        indexed_at        timestamptz NOT NULL DEFAULT now()
    )
    """,
    # Uncompressed and, the vector being moved out first, in the row: ranking reads the words of every match.
    "ALTER TABLE search_documents ALTER COLUMN words SET STORAGE EXTERNAL",
    # No list of entries still to be sorted in: every search would read it from end to end.
    """
    CREATE INDEX search_documents_words ON search_documents
        USING gin (words) WITH (fastupdate = off) WHERE listed
    """,
    """
    CREATE INDEX search_documents_filters ON search_documents
        USING gin (categories, colours, license_types) WITH (fastupdate = off) WHERE listed
    """,
    "CREATE INDEX search_documents_newest ON search_documents (published_at DESC, image_id DESC) WHERE listed",
    """
    CREATE INDEX search_documents_popular ON search_documents
        (popularity DESC, published_at DESC, image_id DESC) WHERE listed
    """,
    """
    CREATE INDEX search_documents_contributor ON search_documents
        (contributor_id, published_at DESC, image_id DESC) WHERE listed
    """,
    """
    CREATE INDEX search_documents_vectors ON search_documents
        USING hnsw (embedding halfvec_cosine_ops) WITH (m = 16, ef_construction = 64) WHERE listed
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE search_documents")
    op.execute("DROP TEXT SEARCH CONFIGURATION market_english")
    op.execute("DROP TEXT SEARCH CONFIGURATION market_simple")
