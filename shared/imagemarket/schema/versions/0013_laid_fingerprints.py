"""Fingerprints by what a picture shares with its mirror images: a quarter of the places to look at."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

_ODD_ROWS, _ODD_COLUMNS = 0x00FF00FF00FF00FF, 0x5555555555555555
_BANDS = (
    # as a signed number: the band's bits; then the bits that say how the hash is laid
    (0x1FFFFF, 1, 8),
    (0x1FFFFF << 21, 33, 24),
    (-1 << 42, 49, 42),
)


def _laid(row_bit: int, column_bit: int) -> str:
    return (
        f"phash # ((phash >> {row_bit} & 1) * {_ODD_ROWS}::bigint)"
        f" # ((phash >> {column_bit} & 1) * {_ODD_COLUMNS}::bigint)"
    )


def upgrade() -> None:
    added = ", ".join(
        f"ADD COLUMN laid_{number} bigint NOT NULL GENERATED ALWAYS AS ({_laid(row_bit, column_bit)}) STORED"
        for number, (_, row_bit, column_bit) in enumerate(_BANDS)
    )
    dropped = ", ".join(f"DROP COLUMN band_{number}" for number in range(3))
    op.execute(f"ALTER TABLE image_fingerprints {dropped}, {added}")
    for number, (mask, _, _) in enumerate(_BANDS):
        # `laid` once more, since an index-only scan is only considered where the index has the columns themselves
        op.execute(
            f"CREATE INDEX idx_fingerprints_laid_{number} ON image_fingerprints ((laid_{number} & {mask}))"
            f" INCLUDE (laid_{number}, image_id)"
        )
    op.execute("ANALYZE image_fingerprints")  # without it the planner takes each value of a new index for common


def downgrade() -> None:
    dropped = ", ".join(f"DROP COLUMN laid_{number}" for number in range(3))
    op.execute(
        f"""
        ALTER TABLE image_fingerprints {dropped},
            ADD COLUMN band_0 int NOT NULL GENERATED ALWAYS AS ((phash & 2097151)::int) STORED,
            ADD COLUMN band_1 int NOT NULL GENERATED ALWAYS AS (((phash >> 21) & 2097151)::int) STORED,
            ADD COLUMN band_2 int NOT NULL GENERATED ALWAYS AS (((phash >> 42) & 4194303)::int) STORED
        """
    )
    for number in range(3):
        op.execute(
            f"CREATE INDEX idx_fingerprints_band_{number} ON image_fingerprints (band_{number})"
            " INCLUDE (phash, image_id)"
        )
