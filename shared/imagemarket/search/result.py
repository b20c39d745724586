"""What a search answers."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.search.facets import Facets


class ContributorView(BaseModel):
    """Who made a picture."""

    id: UUID
    name: str


class RenditionView(BaseModel):
    """A clean thumbnail."""

    width: int
    height: int
    format: Literal["webp", "avif", "jpeg"]
    url: str


def _only_id_is_certain(schema: dict[str, Any]) -> None:
    schema["required"] = ["id"]


class SearchHit(BaseModel):
    """One picture in a list of results; with `fields`, that much of it."""

    model_config = ConfigDict(json_schema_extra=_only_id_is_certain)

    id: UUID
    title: str
    score: float = Field(description="Higher is better; comparable within one answer alone.")
    contributor: ContributorView
    tags: list[str] = Field(description="The contributor's first, then the model's, surest first.")
    categories: list[str]
    image_type: ImageType
    orientation: str
    license_types: list[LicenseType]
    width: int = Field(description="Pixels of the original.")
    height: int = Field(description="Pixels of the original.")
    thumbhash: str | None = Field(description="Base64 of a ThumbHash, to show until the thumbnail is there.")
    renditions: list[RenditionView] = Field(description="Smallest first, each size in three formats.")
    preview_url: str = Field(description="Redirects to the watermarked 1000 px preview in the best format.")


Part = Literal["keyword", "vector", "encoder", "documents", "facets", "cache"]


class Degradation(BaseModel):
    """A part of the search that did not answer, and what that means for this answer."""

    part: Part
    reason: Literal["late", "failed", "refused", "open", "full"] = Field(
        description="It took too long, it failed, it refused this query, it is left alone after failing, or it has too"
        " much to do."
    )
    effect: str = Field(description="What this answer lacks.")


class Spelling(BaseModel):
    """Words that no picture has, and those that were searched instead."""

    asked: str
    searched: str


class Interpretation(BaseModel):
    """Words that were read as more than words: as a filter, as something that moves pictures up, or as what is not
    wanted; and those that may have meant more and were not read so."""

    words: str
    parameter: Literal["orientation", "color", "category", "people", "q"] = Field(
        description="The parameter that says the same; `q` for a word or a phrase that is left out."
    )
    value: str = Field(
        description="What that parameter would be; of `q`, the word or phrase with a minus, and of what was not read,"
        " what would say it, or nothing."
    )
    effect: Literal["filter", "boost", "exclusion", "unread"] = Field(
        description="`unread`: it may have meant to leave something out, or more than it does, or it is no words."
    )


class Synonyms(BaseModel):
    """A word, or two side by side, and what was looked for as well."""

    word: str
    instead: list[str]


AnsweredBy = Literal["keyword", "semantic", "hybrid", "browse", "similar"]


class SearchPage(BaseModel):
    """A page of results."""

    results: list[SearchHit]
    page: int = Field(description="Which page this is, from 1, in pages of `limit`; also of one that a cursor led to.")
    facets: Facets
    facets_estimated: bool = Field(
        description="True when the facets count a part of the matches: beyond 10,000 by words, or the nearest by"
        " meaning, 300 at first and 1,000 further down. Their proportions hold, their numbers are lower bounds."
    )
    estimated_total: int = Field(
        description="How many pictures match: have the words, or are close in meaning. Exact while small, capped at"
        " 10,000. Where `facets_estimated`, at least so many."
    )
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")
    mode: AnsweredBy = Field(description="How the results were found; `browse` without words.")
    search_id: UUID = Field(description="Names this answer, to tell later which search led to a click.")
    spelling: Spelling | None = Field(
        default=None, description="Set where the words were corrected; `verbatim=true` searches them as they stand."
    )
    interpreted: list[Interpretation] = Field(default=[], description="What the words were taken for besides words.")
    synonyms: list[Synonyms] = Field(default=[], description="What was looked for besides the words themselves.")
    keyword_only: list[str] = Field(
        default=[],
        description="Words that the model of meaning knows nothing of: pictures must have them in their text.",
    )
    degraded: list[Degradation] = Field(description="Each part that did not answer; empty when all did.")


class Ranked(BaseModel):
    """Where an engine put a picture, from 1, and with which score of its own."""

    rank: int
    score: float


class Explanation(BaseModel):
    """How one result came to its place."""

    id: UUID
    keyword: Ranked | None = Field(description="By its words; null where they do not match.")
    vector: Ranked | None = Field(description="By its meaning; null where it is not among the nearest.")
    fused: float = Field(description="Both together, or the one that answered.")
    boosts: dict[str, float] = Field(description="Shares of `fused` that were added, by what earned them.")
    score: float


class ExplainedPage(BaseModel):
    """A page of results, computed for this request alone, and why it looks as it does."""

    page: SearchPage
    fusion: str = Field(description="`rrf`, or `convex:` and the share of the meaning.")
    explanations: list[Explanation]
