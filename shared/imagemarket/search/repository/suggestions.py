"""The rows of suggestions, the catalogue's words, every image's share in both, and what was searched how often."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from imagemarket.platform.database import Connection, Database, Row


def lock_shares(connection: Connection, image_ids: list[UUID]) -> dict[UUID, tuple[int, list[str], list[str]]]:
    """The version, phrases and words by which images were counted, each row locked; those never seen get a row."""
    connection.execute(
        "INSERT INTO suggestion_sources (image_id, version, phrases, words)"
        " SELECT image_id, -1, '{}', '{}' FROM unnest(%s::uuid[]) AS n (image_id) ORDER BY image_id"
        " ON CONFLICT DO NOTHING",
        (image_ids,),
    )
    rows = connection.execute(
        "SELECT image_id, version, phrases, words FROM suggestion_sources WHERE image_id = ANY(%s)"
        " ORDER BY image_id FOR UPDATE",
        (image_ids,),
    ).fetchall()
    return {row["image_id"]: (row["version"], row["phrases"], row["words"]) for row in rows}


def write_shares(connection: Connection, shares: Mapping[UUID, tuple[int, Collection[str], Collection[str]]]) -> None:
    """The version, phrases and words by which images are counted from now on; their rows are locked."""
    connection.execute(
        """
        UPDATE suggestion_sources s
           SET version = n.version, phrases = string_to_array(n.phrases, E'\\n'),
               words = string_to_array(n.words, E'\\n')
          FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[]) AS n (image_id, version, phrases, words)
         WHERE s.image_id = n.image_id
        """,
        (
            list(shares),
            [version for version, _, _ in shares.values()],
            ["\n".join(sorted(phrases)) for _, phrases, _ in shares.values()],
            ["\n".join(sorted(words)) for _, _, words in shares.values()],
        ),
    )


def add_phrases(connection: Connection, changes: Mapping[str, int], shown: Mapping[str, str]) -> None:
    """Counts so many images more, or fewer, of each phrase, which is `shown` so where it is new; one that no image has
    and nobody searches goes."""
    if changes:
        connection.execute(
            """
            INSERT INTO suggestions (phrase, images, shown)
            SELECT phrase, images, shown FROM unnest(%s::text[], %s::int[], %s::text[]) AS n (phrase, images, shown)
             ORDER BY phrase
            ON CONFLICT (phrase) DO UPDATE SET images = suggestions.images + excluded.images
            """,
            (list(changes), list(changes.values()), [shown.get(phrase, phrase) for phrase in changes]),
        )
    connection.execute(
        "DELETE FROM suggestions WHERE phrase = ANY(%s) AND images <= 0 AND searches = 0", (_lessened(changes),)
    )


def add_words(connection: Connection, changes: Mapping[str, int]) -> None:
    """Counts so many images more, or fewer, of each of the catalogue's words; one that no image has goes."""
    if changes:
        connection.execute(
            """
            INSERT INTO catalogue_words (word, images)
            SELECT word, images FROM unnest(%s::text[], %s::int[]) AS n (word, images) ORDER BY word
            ON CONFLICT (word) DO UPDATE SET images = catalogue_words.images + excluded.images
            """,
            (list(changes), list(changes.values())),
        )
    connection.execute("DELETE FROM catalogue_words WHERE word = ANY(%s) AND images <= 0", (_lessened(changes),))


def _lessened(changes: Mapping[str, int]) -> list[str]:
    return [each for each, change in changes.items() if change < 0]


def count_searches(
    connection: Connection,
    counted: Sequence[tuple[str, date, str]],
    shown: Mapping[tuple[str, date], str],
    *,
    often: int,
) -> None:
    """Counts who searched for which phrase on which day (`counted`: phrase, day, visitor; once each), and by that how
    often it was searched on any day at most, from `often` on. `shown` says by phrase and day how one is written."""
    phrases, days, visitors = zip(*counted, strict=True)
    connection.execute(
        "INSERT INTO phrase_searches (phrase, day, visitor)"
        " SELECT * FROM unnest(%s::text[], %s::date[], %s::text[]) ON CONFLICT DO NOTHING",
        (list(phrases), list(days), list(visitors)),
    )
    connection.execute(
        "INSERT INTO suggestions (phrase, shown, searches)"
        " SELECT phrase, max(shown), max(searches) FROM"
        "  (SELECT s.phrase, asked.shown, count(*) AS searches FROM phrase_searches s"
        "     JOIN unnest(%s::text[], %s::date[], %s::text[]) AS asked (phrase, day, shown) USING (phrase, day)"
        "    GROUP BY s.phrase, s.day, asked.shown HAVING count(*) >= %s) days"
        "  GROUP BY phrase ORDER BY phrase"
        " ON CONFLICT (phrase) DO UPDATE SET searches = greatest(suggestions.searches, excluded.searches)",
        ([phrase for phrase, _ in shown], [day for _, day in shown], list(shown.values()), often),
    )
    connection.execute("DELETE FROM phrase_searches WHERE day < %s::date - 2", (max(days),))


def known_words(database: Database, words: Collection[str]) -> set[str]:
    """Those of the words that the catalogue has."""
    rows = database.fetch_all("SELECT word FROM catalogue_words WHERE word = ANY(%s)", (sorted(words),))
    return {row["word"] for row in rows}


def frequent_words(database: Database, most: int) -> dict[str, int]:
    """The catalogue's most frequent words with the number of pictures that have each."""
    rows = database.fetch_all("SELECT word, images FROM catalogue_words ORDER BY images DESC, word LIMIT %s", (most,))
    return {row["word"]: row["images"] for row in rows}


def beginning_with(database: Database, beginnings: Sequence[str], *, often: int, limit: int) -> list[Row]:
    """The best phrases that begin with any of these and that an image has or that are searched `often`: `text` as it is
    shown, and `images`, how many have it."""
    values: dict[str, Any] = {"limit": limit, "often": often}
    conditions: list[str] = []
    for number, beginning in enumerate(beginnings):
        letters = len(beginning)
        conditions.append(f"left(phrase, {letters}) = %(b{number})s" if letters <= 3 else f"phrase LIKE %(b{number})s")
        pattern = beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        values[f"b{number}"] = beginning if letters <= 3 else pattern
    return database.fetch_all(
        f"SELECT shown AS text, images FROM suggestions WHERE ({' OR '.join(conditions)})"
        " AND (images > 0 OR searches >= %(often)s) ORDER BY weight DESC, phrase LIMIT %(limit)s",
        values,
    )
