"""Fingerprints in three bands, and why an image is held for a duplicate."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

_STATEMENTS = (
    # Two of 21 bits and one of 22 in place of four of 16: among five million hashes a band of 16 bits shares each
    # value 76 times, one of 21 bits twice.
    *(f"ALTER TABLE image_fingerprints DROP COLUMN band_{band}" for band in range(4)),
    """
    ALTER TABLE image_fingerprints
        ADD COLUMN band_0 int NOT NULL GENERATED ALWAYS AS ((phash & 2097151)::int) STORED,
        ADD COLUMN band_1 int NOT NULL GENERATED ALWAYS AS (((phash >> 21) & 2097151)::int) STORED,
        ADD COLUMN band_2 int NOT NULL GENERATED ALWAYS AS (((phash >> 42) & 4194303)::int) STORED
    """,
    *(
        f"CREATE INDEX idx_fingerprints_band_{band} ON image_fingerprints (band_{band}) INCLUDE (phash, image_id)"
        for band in range(3)
    ),
    # Outlives the image's end: it says why. `other_id` is the earlier image.
    """
    CREATE TABLE duplicate_evidence (
        image_id    uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        other_id    uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        found_by    varchar(20) NOT NULL CHECK (found_by IN ('sha256', 'perceptual_hash', 'embedding')),
        distance    smallint,
        cosine      real,
        inliers     int,
        agreement   real,
        cells       int,
        verdict     varchar(10) NOT NULL CHECK (verdict IN ('certain', 'probable')),
        found_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (image_id, other_id)
    )
    """,
    "CREATE INDEX duplicate_evidence_other ON duplicate_evidence (other_id)",
)


def upgrade() -> None:
    # The driver's own cursor: SQLAlchemy would read a percent sign as a parameter.
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("The bands of before are not kept; restore a snapshot instead.")
