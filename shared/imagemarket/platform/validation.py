"""Why a request is not valid, in words for people: pydantic's findings as fields, sentences and limits."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

_TOLD_LETTERS = 100
_TOLD_FINDINGS = 20
_TOLD_BYTES = 8192
"""Of all findings about one request, as JSON: the sender alone says how many there are, and each may name what is taken
instead."""
_MINUS_NOTHING = r"(?!-[0.]+$)"
_SPELT = {
    int: ("int_parsing", re.compile(_MINUS_NOTHING + r"-?[0-9]+")),
    float: ("float_parsing", re.compile(_MINUS_NOTHING + r"-?[0-9]*\.?[0-9]+")),
}
"""How numbers of an address are written. Python reads more (`1_0`, ` 10`, `+10`, `1.0` for a whole number), which a
client means as something else or sends by mistake."""

Json = dict[str, Any]

GIVEN_AGAIN = "given_again"
"""The finding of ours about a parameter that is repeated and takes one value, of which another reader may see the
first and this one the last."""

NOT_UTF8 = "not_utf8"
"""The finding of ours about a part of the address that holds U+FFFD, decoders' stand-in for bytes that are no UTF-8."""


class BeyondLimit(ValueError):
    """What a validator of ours raises where a value breaks a limit that clients can read: `limit` has the words of
    `FieldLimit` in `imagemarket.platform.http`."""

    def __init__(self, detail: str, **limit: Any) -> None:
        super().__init__(detail)
        self.limit = limit


def field_errors(errors: Sequence[Mapping[str, Any]], known: Callable[[str], Any]) -> list[Json]:
    """The first findings, at most 20 or 8 KiB but one in any case, each as `{in, field, detail}` with `value` and
    `limit` where they may be told.

    `known` gives the model that a place (`body`, `query`, …) is read into, to name what was probably meant. Values of
    the address's own parameters alone are repeated: one of a body may be a password, one that nobody asked for a token.
    """
    told: list[Json] = []
    left = _TOLD_BYTES
    for error in errors[:_TOLD_FINDINGS]:
        field = _field_error(error, known)
        left -= len(json.dumps(field))
        if told and left < 0:
            break
        told.append(field)
    return told


def misspelt_numbers(model: Any, given: Iterable[tuple[str, str]]) -> list[Json]:
    """A finding for each of an address's parameters that the model reads as a number and that is not written as one.
    One without a value is left to the model, which may take it as absent."""
    fields = getattr(model, "model_fields", {})
    findings: list[Json] = []
    for name, value in given:
        finding, spelling = _SPELT.get(_plain(fields[name].annotation) if name in fields else None, ("", None))
        if value and spelling and not spelling.fullmatch(value):
            findings.append({"type": finding, "loc": ("query", name), "msg": "", "input": value})
    return findings


def sentence_of(error: Mapping[str, Any]) -> str:
    """The sentence about a finding outside of a request: in a file, or in the words of a command."""
    return _sentence(error, "", error["loc"], lambda _: None)


def _field_error(error: Mapping[str, Any], known: Callable[[str], Any]) -> Json:
    place, *path = error["loc"]
    kind = error["type"]
    if kind == "json_invalid":
        path = []  # where in the text, not which field
    asked_for = place in {"query", "path"} and kind not in {"extra_forbidden", "missing"}
    return {
        "in": place,
        "field": _name(place, path),
        "detail": _sentence(error, place, path, known),
        **(_value_of(error.get("input")) if asked_for else {}),
        **_limit_of(error),
    }


def _name(place: str, path: Sequence[Any]) -> str:
    """`parts[2].etag`; of a parameter that is repeated its name alone, as its value says which."""
    name = ""
    for step in path:
        if isinstance(step, int):
            name += "" if place == "query" else f"[{step}]"
        else:
            name += ("." if name else "") + shown(str(step))
    return shown(name) if path else "body"


def shown(text: str) -> str:
    """A client's own words in an answer: as much of them as is needed, and such as UTF-8 has."""
    short = text if len(text) <= _TOLD_LETTERS else f"{text[:_TOLD_LETTERS]}…"
    return short.encode("utf-8", "backslashreplace").decode("utf-8")


def _value_of(value: Any) -> Json:
    if not isinstance(value, str | int | float):
        return {}
    return {"value": value if not isinstance(value, str) else shown(value)}


def _limit_of(error: Mapping[str, Any]) -> Json:
    """The limit in words of our own, which stay when the library's change."""
    kind, context = _kind(error), error.get("ctx") or {}
    if kind in {"literal_error", "enum"}:
        return {"limit": {"allowed": _alternatives(context.get("expected", ""))}}
    limit = getattr(context.get("error"), "limit", {})
    if kind in _LIMIT_WORDS:
        told, word = _LIMIT_WORDS[kind]
        limit = {word: _as_written(context.get(told))}
    return {"limit": limit} if limit else {}


def _as_written(value: Any) -> Any:
    """100 for 100.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_LIMIT_WORDS = {
    "greater_than_equal": ("ge", "minimum"),
    "less_than_equal": ("le", "maximum"),
    "string_too_short": ("min_length", "min_characters"),
    "string_too_long": ("max_length", "max_characters"),
    "too_short": ("min_length", "min_items"),
    "too_long": ("max_length", "max_items"),
    "string_pattern_mismatch": ("pattern", "pattern"),
}
"""Of a finding: where its context has the limit, and what we call it."""


def _kind(error: Mapping[str, Any]) -> str:
    kind: str = error["type"]
    if kind in {"too_short", "too_long"} and isinstance(error.get("input"), str):  # so pydantic has it of secrets
        return f"string_{kind}"
    if kind in _BOUNDS and str(error.get("input")).strip("+- ").lower() in {"nan", "inf", "infinity"}:
        return "finite_number"
    return kind


def _sentence(error: Mapping[str, Any], place: str, path: Sequence[Any], known: Callable[[str], Any]) -> str:
    kind, context = _kind(error), error.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown(place, path, known)
    if kind == "missing":
        return "is missing" if path else "is missing: send a JSON object"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    if kind == "json_invalid":
        return f"is not valid JSON ({str(context.get('error', 'it cannot be read')).rstrip('.').lower()})"
    if kind in {"literal_error", "enum"}:
        *others, last = _alternatives(context.get("expected", ""))
        return f"must be one of {', '.join(others)} or {last}" if others else f"must be {last}"
    if kind in _LIMITS:
        sentence, single = _LIMITS[kind]
        limit = context.get("min_length", context.get("max_length"))
        return single if limit == 1 else sentence.format(limit=limit)
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**{name: _as_written(value) for name, value in context.items()})
    for beginning, sentence in _KINDS.items():
        if kind == beginning or kind.startswith(f"{beginning}_"):
            return sentence
    return error["msg"][:1].lower() + error["msg"][1:]


_LIMITS = {
    "string_too_short": ("takes at least {limit} characters", "must not be empty"),
    "string_too_long": ("takes at most {limit} characters", "takes a single character"),
    "too_short": ("takes at least {limit} of them", "must not be empty"),
    "too_long": ("takes at most {limit} of them", "takes one value alone"),
}
_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must match {pattern}",
}
_KINDS = {
    "string_unicode": "holds half of a surrogate pair, which is no character",
    "string": "must be text",
    "int_parsing_size": "has too many digits",
    "int_parsing": "must be a whole number in digits",
    "int": "must be a whole number",
    "float_parsing": "must be a number in digits, such as 1.5",
    "float": "must be a number",
    "finite_number": "must be a number",
    "bool": "must be true or false",
    "uuid": "must be an id such as 01930000-0000-7000-8000-000000000001",
    "list": "must be a list",
    "date": "must be a date such as 2026-01-31",
    "datetime": "must be a time such as 2026-01-31T12:00:00Z",
    "url": "must be a URL",
    "model": "must be a JSON object",
    "dict": "must be a JSON object",
    "json": "must be JSON",
    "none_required": "must be left out",
    NOT_UTF8: "must be UTF-8, percent-encoded as in caf%C3%A9",
    GIVEN_AGAIN: "is given more than once, and takes one value",
}


def _alternatives(expected: str) -> list[str]:
    """Out of the library's `'a', 'b' or 'c'`."""
    return re.findall(r"'((?:[^'\\]|\\.)*)'", expected) or [expected]


def takes_several(annotation: Any) -> bool:
    """Whether a parameter of this type may be repeated."""
    if get_origin(annotation) in {Annotated, Union, types.UnionType}:
        return any(takes_several(each) for each in get_args(annotation))
    return (get_origin(annotation) or annotation) in {list, set, frozenset, tuple}


def _unknown(place: str, path: Sequence[Any], known: Callable[[str], Any]) -> str:
    what = "parameter" if place == "query" else "field"
    *way, last = path
    names = _names_at(known(place), way)
    near = difflib.get_close_matches(str(last).lower()[:_TOLD_LETTERS], names, n=1, cutoff=0.6)
    if near:
        return f"is no {what} of this request; did you mean {near[0]}?"
    if place == "query" and not names:
        return "is no parameter of this request, which takes none"
    return f"is no {what} of this request" + (f", which takes {', '.join(sorted(names))}" if names else "")


def _names_at(model: Any, way: Iterable[Any]) -> list[str]:
    """The fields of the model at the end of a way through nested models and lists."""
    for step in way:
        if not isinstance(step, int):
            fields = getattr(_plain(model), "model_fields", {})
            model = fields[step].annotation if step in fields else None
    return list(getattr(_plain(model), "model_fields", {}))


def _plain(annotation: Any) -> Any:
    """The model in `list[Model]`, `Model | None` and `Annotated[…]`."""
    while True:
        origin = get_origin(annotation)
        if origin in {list, Annotated, Union, types.UnionType}:
            inner = [each for each in get_args(annotation) if each is not type(None)]
            annotation = inner[0] if inner else None
        else:
            return annotation
