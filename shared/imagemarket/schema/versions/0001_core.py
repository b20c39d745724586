"""Accounts, images and what the saga knows of them, the outbox."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE EXTENSION IF NOT EXISTS unaccent",
    "CREATE EXTENSION IF NOT EXISTS btree_gin",
    # --- accounts ----------------------------------------------------------------------------
    """
    CREATE TABLE users (
        id              uuid PRIMARY KEY,
        email           varchar(255) NOT NULL CHECK (email = lower(email)),
        password_hash   varchar(255) NOT NULL,
        role            varchar(20) NOT NULL CHECK (role IN ('contributor', 'buyer', 'admin')),
        display_name    varchar(100) NOT NULL,
        stripe_account  varchar(255),
        created_at      timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT users_email_key UNIQUE (email)
    )
    """,
    # A family is one login; each use of a refresh token replaces it by the next of its family.
    """
    CREATE TABLE refresh_tokens (
        token_sha256    bytea PRIMARY KEY,
        family_id       uuid NOT NULL,
        user_id         uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        issued_at       timestamptz NOT NULL,
        expires_at      timestamptz NOT NULL,
        replaced_at     timestamptz,
        revoked_at      timestamptz
    )
    """,
    "CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id)",
    "CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id)",
    "CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at)",
    """
    CREATE TABLE idempotency_keys (
        account_id      uuid NOT NULL,
        operation       varchar(60) NOT NULL,
        key             varchar(255) NOT NULL,
        request_sha256  bytea NOT NULL,
        answer          jsonb,
        claimed_at      timestamptz NOT NULL,
        expires_at      timestamptz NOT NULL,
        PRIMARY KEY (account_id, operation, key)
    )
    """,
    "CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at)",
    # --- images ------------------------------------------------------------------------------
    # Partitioned by month on the id itself: a UUIDv7 begins with its time, so the primary key
    # stays one column and foreign keys stay simple.
    """
    CREATE TABLE images (
        id               uuid NOT NULL,
        contributor_id   uuid NOT NULL REFERENCES users (id),
        title            varchar(255) NOT NULL,
        description      text NOT NULL DEFAULT '',
        image_type       varchar(12) NOT NULL CHECK (image_type IN ('photo', 'illustration', 'vector')),
        license_types    varchar(12)[] NOT NULL,
        status           varchar(20) NOT NULL DEFAULT 'processing' CHECK (status IN
                         ('processing', 'approved', 'rejected', 'pending_review', 'processing_failed')),
        rejection        jsonb,
        filename         varchar(255) NOT NULL,
        content_type     varchar(100) NOT NULL,
        announced_bytes  bigint NOT NULL,
        announced_sha256 bytea,
        s3_original_key  varchar(500) NOT NULL,
        multipart_id     varchar(1024),
        object_version   varchar(1024),
        version          bigint NOT NULL DEFAULT 1,
        format           varchar(10),
        width            int,
        height           int,
        file_size_bytes  bigint,
        sha256           bytea,
        phash            bigint,
        thumbhash        varchar(60),
        color_palette    jsonb,
        colours          varchar(10)[] NOT NULL DEFAULT '{}',
        technical_meta   jsonb,
        nsfw_score       real,
        people           boolean,
        ai_description   text,
        model_version    varchar(80),
        orientation      varchar(15) GENERATED ALWAYS AS (
                             CASE WHEN width > height THEN 'landscape'
                                  WHEN height > width THEN 'portrait'
                                  WHEN height = width THEN 'square' END) STORED,
        created_at       timestamptz NOT NULL DEFAULT now(),
        updated_at       timestamptz NOT NULL DEFAULT now(),
        published_at     timestamptz,
        PRIMARY KEY (id)
    ) PARTITION BY RANGE (id)
    """,
    "CREATE TABLE images_default PARTITION OF images DEFAULT",
    """
    CREATE FUNCTION uuid7_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$
    """,
    """
    CREATE FUNCTION ensure_image_partitions(first_month date, months int) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
        month timestamptz;
    BEGIN
        FOR n IN 0 .. months - 1 LOOP
            month := (date_trunc('month', first_month) + make_interval(months => n))::timestamp
                     AT TIME ZONE 'UTC';
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS images_%s PARTITION OF images FOR VALUES FROM (%L) TO (%L)',
                to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'),
                uuid7_floor(month),
                uuid7_floor(((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'));
        END LOOP;
    END $$
    """,
    "CREATE INDEX idx_images_contributor ON images (contributor_id, id DESC)",
    "CREATE INDEX idx_images_status ON images (status, id) WHERE status <> 'approved'",
    # Held by every image that is being processed or is in the catalogue; gone when it is refused.
    """
    CREATE TABLE image_fingerprints (
        image_id    uuid PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
        sha256      bytea NOT NULL,
        phash       bigint NOT NULL,
        band_0      smallint NOT NULL GENERATED ALWAYS AS (((phash & 65535) - 32768)::smallint) STORED,
        band_1      smallint NOT NULL GENERATED ALWAYS AS ((((phash >> 16) & 65535) - 32768)::smallint) STORED,
        band_2      smallint NOT NULL GENERATED ALWAYS AS ((((phash >> 32) & 65535) - 32768)::smallint) STORED,
        band_3      smallint NOT NULL GENERATED ALWAYS AS ((((phash >> 48) & 65535) - 32768)::smallint) STORED,
        CONSTRAINT image_fingerprints_sha256_key UNIQUE (sha256)
    )
    """,
    "CREATE INDEX idx_fingerprints_band_0 ON image_fingerprints (band_0) INCLUDE (phash, image_id)",
    "CREATE INDEX idx_fingerprints_band_1 ON image_fingerprints (band_1) INCLUDE (phash, image_id)",
    "CREATE INDEX idx_fingerprints_band_2 ON image_fingerprints (band_2) INCLUDE (phash, image_id)",
    "CREATE INDEX idx_fingerprints_band_3 ON image_fingerprints (band_3) INCLUDE (phash, image_id)",
    """
    CREATE TABLE image_renditions (
        image_id    uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        kind        varchar(12) NOT NULL CHECK (kind IN ('thumbnail', 'preview', 'clean')),
        long_edge   int NOT NULL,
        format      varchar(5) NOT NULL CHECK (format IN ('webp', 'avif', 'jpeg')),
        width       int NOT NULL,
        height      int NOT NULL,
        bytes       int NOT NULL,
        key         varchar(500) NOT NULL,
        PRIMARY KEY (image_id, kind, long_edge, format)
    )
    """,
    """
    CREATE TABLE image_tags (
        image_id    uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        tag         varchar(100) NOT NULL,
        confidence  real NOT NULL,
        source      varchar(20) NOT NULL CHECK (source IN ('ai', 'contributor', 'moderator')),
        PRIMARY KEY (image_id, tag)
    )
    """,
    "CREATE INDEX idx_tags_tag ON image_tags (tag)",
    """
    CREATE TABLE image_categories (
        image_id    uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        category    varchar(100) NOT NULL,
        source      varchar(20) NOT NULL CHECK (source IN ('ai', 'contributor', 'moderator')),
        PRIMARY KEY (image_id, category)
    )
    """,
    # Two model versions live side by side while a re-embedding runs; shorter vectors are padded
    # with zeros, which leaves cosines unchanged.
    """
    CREATE TABLE image_embeddings (
        image_id       uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        model_version  varchar(80) NOT NULL,
        embedding      halfvec(768) NOT NULL,
        PRIMARY KEY (image_id, model_version)
    )
    """,
    """
    CREATE TABLE processing_steps (
        image_id       uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        step           varchar(30) NOT NULL,
        input_version  varchar(1024) NOT NULL,
        status         varchar(10) NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
        attempts       int NOT NULL DEFAULT 1,
        output         jsonb,
        error          jsonb,
        started_at     timestamptz NOT NULL,
        finished_at    timestamptz,
        PRIMARY KEY (image_id, step)
    )
    """,
    """
    CREATE TABLE outbox (
        id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic          varchar(30) NOT NULL,
        image_id       uuid NOT NULL,
        payload        jsonb NOT NULL,
        created_at     timestamptz NOT NULL DEFAULT now(),
        dispatched_at  timestamptz
    )
    """,
    "CREATE INDEX outbox_waiting ON outbox (id) WHERE dispatched_at IS NULL",
)


def upgrade() -> None:
    # The driver's own cursor: SQLAlchemy would read the percent signs of format() as parameters.
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("The first schema has nothing before it; restore a snapshot instead.")
