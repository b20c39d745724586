"""What may be asked: filters, paging, words."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.catalog.taxonomy import SLUGS
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.platform.text import LINE_BREAK_HINTS, is_invisible
from imagemarket.platform.validation import BeyondLimit

MAX_RESULTS = 1000
"""How many results of one query can be walked through; beyond, narrowing the search helps more."""

VECTOR_CANDIDATES = 300
"""Of how many of the nearest by meaning a page is taken that ends among them; further down it is `MAX_RESULTS`."""

COMPUTED_COST = 5
"""What a page that is computed counts as, in pages that are kept. By CPU it is 27 (docs/benchmarks.md, 38 ms against
1.4); less, since the way through gateway and function is the same for both, and so that an office behind one address
can search."""

BY_IMAGE_COST = 40
"""What a search by a picture counts as: a decode and the model besides the search."""


class Mode(StrEnum):
    """How words find pictures: by the words themselves, by their meaning, or by both, fused."""

    KEYWORD = "keyword"
    SEMANTIC = "semantic"
    HYBRID = "hybrid"


class Sort(StrEnum):
    """In what order results come."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    OLDEST = "oldest"
    POPULAR = "popular"
    RANDOM = "random"


def _one_of(allowed: Iterable[str]) -> Any:
    """A validator and its JSON schema for a value from a closed list."""
    values = sorted(allowed)
    schema: dict[str, Any] = {"enum": values}

    def check(value: str) -> str:
        if value not in values:
            raise BeyondLimit(f"must be one of {', '.join(values)}", allowed=values)
        return value

    return (AfterValidator(check), Field(json_schema_extra=schema))


_category = _one_of(SLUGS)
CategorySlug = Annotated[str, _category[0], _category[1]]

_HEX = re.compile(r"#?([0-9a-f]{6})", re.IGNORECASE)


def _colour(value: str) -> str:
    if value in COLOUR_NAMES:
        return value
    found = _HEX.fullmatch(value)
    if found is None:
        raise ValueError(f"must be one of {', '.join(sorted(COLOUR_NAMES))}, or six hex digits such as ffa500")
    return f"#{found[1].lower()}"


_COLOUR_SCHEMA: dict[str, Any] = {"anyOf": [{"enum": sorted(COLOUR_NAMES)}, {"pattern": "^#?[0-9a-fA-F]{6}$"}]}
Colour = Annotated[str, AfterValidator(_colour), Field(json_schema_extra=_COLOUR_SCHEMA)]


def _iso_day(value: Any) -> Any:
    """A number is no day, though it could be read as seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("must be a date such as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]

_MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")


def _month(value: str) -> str:
    if not _MONTH.fullmatch(value):
        raise ValueError("must be a month such as 2026-01; days go by date_from and date_to")
    return value


_MONTH_SCHEMA: dict[str, Any] = {"pattern": f"^{_MONTH.pattern}$"}
Month = Annotated[str, AfterValidator(_month), Field(json_schema_extra=_MONTH_SCHEMA)]


class Filters(BaseModel):
    """What a result must be. Of a filter with several values any one is enough; filters add up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: list[CategorySlug] = Field(
        default=[], max_length=10, description="Category slug; repeat it to allow several."
    )
    orientation: list[Literal["landscape", "portrait", "square"]] = Field(
        default=[], max_length=3, description="Shape of the picture; repeat it to allow several."
    )
    color: list[Colour] = Field(
        default=[],
        max_length=len(COLOUR_NAMES),
        description="A colour that stands out, by name or as six hex digits; repeat it to allow several.",
    )
    color_tolerance: float = Field(
        default=15,
        ge=5,
        le=50,
        description="How far from a colour in hex digits a picture's may be, as distance in CIELAB: at 15 they look"
        " alike, at 50 they are of one family.",
    )
    contributor: UUID | None = Field(default=None, description="Id of the contributor.")
    license: list[LicenseType] = Field(
        default=[], max_length=3, description="License on offer; repeat it to allow several."
    )
    type: list[ImageType] = Field(
        default=[], max_length=3, description="How the picture was made; repeat it to allow several."
    )
    people: bool | None = Field(default=None, description="Whether people are in the picture.")
    safe: bool = Field(default=True, description="Leave out what may not suit everyone; on unless switched off.")
    min_width: int | None = Field(default=None, ge=1, le=100_000, description="Pixels of the original at least.")
    min_height: int | None = Field(default=None, ge=1, le=100_000, description="Pixels of the original at least.")
    min_aspect_ratio: float | None = Field(
        default=None, ge=0.01, le=100, description="Width divided by height at least, such as 1.33."
    )
    max_aspect_ratio: float | None = Field(
        default=None, ge=0.01, le=100, description="Width divided by height at most, such as 1.78."
    )
    date: Month | None = Field(
        default=None, description="Month of publication (UTC), such as 2026-01; `date_from` and `date_to` add up to it."
    )
    date_from: Day | None = Field(default=None, description="First day of publication (UTC).")
    date_to: Day | None = Field(default=None, description="Last day of publication (UTC), included.")

    @model_validator(mode="before")
    @classmethod
    def _blank_is_absent(cls, data: Any) -> Any:
        """A form sends the fields that nobody filled in as empty strings; one that is no field of ours stays, and is
        refused as it would be with a value."""
        if not isinstance(data, dict):
            return data
        kept: dict[str, Any] = {}
        for name, value in data.items():
            filled = [each for each in value if each != ""] if isinstance(value, list) else value
            if filled not in ("", []) or name not in cls.model_fields:
                kept[name] = filled
        return kept

    @field_validator("date_to")
    @classmethod
    def _not_before_its_beginning(cls, value: Day | None, info: ValidationInfo) -> Day | None:
        beginning = info.data.get("date_from")
        if value is not None and beginning is not None and value < beginning:
            day = beginning.isoformat()
            raise BeyondLimit(f"must not be before date_from ({day})", minimum=day)
        return value

    @field_validator("max_aspect_ratio")
    @classmethod
    def _not_below_its_beginning(cls, value: float | None, info: ValidationInfo) -> float | None:
        least = info.data.get("min_aspect_ratio")
        if value is not None and least is not None and value < least:
            raise BeyondLimit(f"must not be below min_aspect_ratio ({least:g})", minimum=least)
        return value

    @property
    def month(self) -> tuple[Day | None, Day | None]:
        """The first and the last day of `date`."""
        if self.date is None:
            return None, None
        year, month = (int(each) for each in self.date.split("-"))
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])

    @property
    def narrow(self) -> bool:
        """Whether anything but what may not suit everyone is left out."""
        return any(getattr(self, name) != getattr(_UNFILTERED, name) for name in _NARROWING)

    def filters(self) -> Filters:
        """These filters alone."""
        return Filters(**{name: getattr(self, name) for name in Filters.model_fields})

    def without_own_filter(self) -> dict[str, Filters]:
        """Of each facet whose own filter is in use: all the other filters. What it then counts is what
        choosing another value in its place would find."""
        alone = self.filters()
        unset = _UNFILTERED
        return {
            facet: alone.model_copy(update={facet: getattr(unset, facet)})
            for facet in FACET_FILTERS
            if getattr(alone, facet) != getattr(unset, facet)
        }


_UNFILTERED = Filters()
_NARROWING = tuple(name for name in Filters.model_fields if name not in {"safe", "color_tolerance"})

FACET_FILTERS = ("category", "orientation", "color", "license", "type", "contributor", "people", "date")
"""The filters that choose among a facet's values; each has its facet's name."""

HitField = Literal[
    "id",
    "title",
    "score",
    "contributor",
    "tags",
    "categories",
    "image_type",
    "orientation",
    "license_types",
    "width",
    "height",
    "thumbhash",
    "renditions",
    "preview_url",
]


def _divided(value: Any) -> Any:
    """`a,b` is the same as `a` and `b`."""
    if isinstance(value, list):
        return [part.strip() for each in value for part in str(each).split(",")]
    return value


Fields = Annotated[
    list[HitField],
    BeforeValidator(_divided),
    Field(
        max_length=len(get_args(HitField)),
        description="Only these fields of each result, besides `id`; repeat it to name several, or put commas between."
        " All where absent.",
    ),
]


class Paging(Filters):
    """Which part of the results."""

    limit: int = Field(default=20, ge=1, le=100, description="Results on a page.")
    min_score: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Leave out results whose `score` is lower. Among similar pictures and in semantic mode that is the"
        " cosine, at most 1, and takes the place of the model's own least; elsewhere compare within one answer.",
    )
    page: int | None = Field(
        default=None,
        ge=1,
        le=MAX_RESULTS,
        description=f"Page number from 1, in place of a cursor; page x limit reaches to {MAX_RESULTS}.",
    )
    fields: Fields = []
    cursor: str | None = Field(
        default=None, max_length=300, description="`next_cursor` of the page before, with the same query."
    )

    @field_validator("page")
    @classmethod
    def _within_reach(cls, value: int | None, info: ValidationInfo) -> int | None:
        limit = info.data.get("limit")
        if value is not None and limit is not None and value * limit > MAX_RESULTS:
            most = MAX_RESULTS // limit
            raise BeyondLimit(f"with limit={limit} must be at most {most}; narrow the search instead", maximum=most)
        return value

    @field_validator("cursor")
    @classmethod
    def _cursor_or_page(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("page") is not None:
            raise ValueError("cannot be sent together with page")
        return value


class SearchQuery(Paging):
    """A search. Without words it browses; other orders than relevance sort what the words match."""

    q: str = Field(
        default="",
        max_length=200,
        validate_default=True,
        description="Words; what is in quotes is found just so, a minus or `NOT` excludes, `or` stands between"
        " alternatives. Signs that nobody sees (control characters, zero width, direction) are read as spaces, but for"
        " soft hyphens and other signs within a word, which are nothing. An"
        " image's id finds that image.",
    )
    mode: Mode = Field(default=Mode.HYBRID, description="How words find pictures.")
    sort: Sort = Field(
        default=Sort.RELEVANCE, description="Order of the results; without words, relevance means newest."
    )
    verbatim: bool = Field(
        default=False, description="Search the words as they stand: nothing corrected, added or interpreted."
    )

    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="Which of the random orders; the same seed gives the same order."
    )

    @field_validator("q")
    @classmethod
    def _plain(cls, value: str) -> str:
        import unicodedata

        joined = "".join(each for each in value if each not in LINE_BREAK_HINTS)
        kinds = ((each, unicodedata.category(each)[0]) for each in joined)
        seen = "".join(" " if kind == "C" or (is_invisible(each) and kind != "M") else each for each, kind in kinds)
        return " ".join(unicodedata.normalize("NFC", seen).split())

    @field_validator("q")
    @classmethod
    def _scores_need_words(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("min_score") and not value:
            raise ValueError("is needed with min_score: without words nothing scores above 0")
        return value

    @field_validator("sort")
    @classmethod
    def _meaning_has_no_other_order(cls, value: Sort, info: ValidationInfo) -> Sort:
        if value is not Sort.RELEVANCE and info.data.get("mode") is Mode.SEMANTIC and info.data.get("q"):
            raise ValueError("must be relevance in semantic mode, where every picture matches more or less")
        return value


class SimilarQuery(Paging):
    """Pictures like one picture."""


class LookQuery(BaseModel):
    """What a look at one picture came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_id: UUID | None = Field(default=None, description="`search_id` of the answer that led here.")
