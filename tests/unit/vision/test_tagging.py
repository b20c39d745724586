"""From confidences to what people read."""

from __future__ import annotations

import numpy as np
import pytest

from imagemarket.vision.bundle import Calibration, Scale, Understanding
from imagemarket.vision.tagging import Reader, Vocabulary, scale
from imagemarket.vision.towers import Sight

_WIDER = {"beagle": ["hound"], "hound": ["dog"], "dog": ["animal"]}
_CLAIMS = Understanding(category_from=0.5, people_from=0.75, no_people_below=0.03)


def _reader(*words: str) -> Reader:
    return Reader(Vocabulary(words=list(words), categories=["animals", "people"], wider=_WIDER, breadth={}), _CLAIMS)


def _sight(words: list[float], categories: tuple[float, float] = (0, 0)) -> Sight:
    return Sight(np.zeros(1, "f"), np.asarray(words, "f"), np.asarray(categories, "f"))


def test_a_wider_word_is_as_sure_as_its_surest_narrower_one() -> None:
    held = _reader("beagle", "dog", "cat").confidences(_sight([0.7, 0.2, 0.1]))
    assert held == {
        "beagle": pytest.approx(0.7),
        "hound": pytest.approx(0.7),
        "dog": pytest.approx(0.7),
        "animal": pytest.approx(0.7),
        "cat": pytest.approx(0.1),
    }


def test_of_words_that_exclude_each_other_the_surest_stays() -> None:
    held = _reader("winter", "summer", "day", "night", "dog").confidences(_sight([0.2, 0.6, 0.5, 0.1, 0.9]))
    assert set(held) == {"summer", "day", "dog", "animal"}


def test_a_picture_without_colour_has_no_hue() -> None:
    said = {
        tag.tag: tag.confidence
        for tag in _reader().tags({"blue": 0.4, "sky": 0.5}, {"black and white": 1.0}, people=None)
    }
    assert said == {"black and white": 1.0, "sky": 0.5}


def test_a_colour_is_sure_when_it_covers_half() -> None:
    said = {tag.tag: tag.confidence for tag in _reader().tags({}, {"blue": 0.6, "red": 0.25}, people=None)}
    assert said == {"blue": 1.0, "red": 0.5}


@pytest.mark.parametrize(
    ("person", "face", "people"),
    [(0.9, 0.0, True), (0.0, 0.99, True), (0.01, 0.0, False), (0.01, 0.8, None), (0.3, 0.0, None)],
)
def test_people_are_there_not_there_or_unknown(person: float, face: float, people: bool | None) -> None:
    reader = _reader("person")
    assert reader.people(reader.confidences(_sight([person]), face), face) is people


def test_where_nobody_is_there_is_no_person_among_the_tags() -> None:
    assert [tag.tag for tag in _reader().tags({"person": 0.02, "cup": 0.5}, {}, people=False)] == ["cup"]


def test_that_somebody_may_be_there_is_no_tag() -> None:
    assert [tag.tag for tag in _reader().tags({"person": 0.45, "cup": 0.4}, {}, people=None)] == ["cup"]
    assert [tag.tag for tag in _reader().tags({"person": 0.55, "cup": 0.4}, {}, people=None)] == ["person", "cup"]


def test_a_person_is_as_sure_as_a_face() -> None:
    assert _reader("person").confidences(_sight([0.3]), 0.99) == {"person": 0.99}
    assert _reader("person").confidences(_sight([0.3]), 0.9) == {"person": pytest.approx(0.3)}


def test_categories_are_claimed_or_the_likeliest_stands_alone() -> None:
    reader = _reader("dog")
    assert reader.categories(_sight([0], (0.6, 0.9))) == ["people", "animals"]
    assert reader.categories(_sight([0], (0.2, 0.1))) == ["animals"]
    assert reader.categories(_sight([0], (0, 0))) == []


@pytest.mark.parametrize(
    ("held", "people", "sentence"),
    [
        ({"dog": 0.9, "grass": 0.5}, None, "Shows dog, perhaps with grass; mostly green."),
        ({"dog": 0.9}, True, "Shows dog and people; mostly green."),
        ({"dog": 0.5, "grass": 0.45}, None, "May show dog or grass; mostly green."),
        ({"dog": 0.1}, False, "Possibly shows dog; mostly green."),
        ({}, None, "Shows nothing that the model knows; mostly green."),
    ],
)
def test_the_sentence_claims_no_more_than_the_model(held: dict[str, float], people: bool | None, sentence: str) -> None:
    assert _reader().describe(held, {"green": 0.6}, people=people) == sentence


_CALIBRATED = Understanding(
    calibration=Calibration(
        words={"table": Scale(there=1, gone=1, offset=0), "class": Scale(there=0.5, gone=0, offset=-1)},
        colour=2,
        person=Scale(there=1, gone=1, offset=0),
        face=3,
    ),
    category_from=0.5,
    people_from=0.75,
    no_people_below=0.03,
)


def _calibrated(**origins: str) -> Reader:
    vocabulary = Vocabulary(words=list(origins), categories=[], wider=_WIDER, breadth={}, origins=origins)
    return Reader(vocabulary, _CALIBRATED)


def test_each_origin_of_a_word_has_its_own_curve() -> None:
    held = _calibrated(dog="table", cat="class", animal="table").confidences(_sight([0.8, 0.8, 0.1]))
    assert held["dog"] == pytest.approx(0.8)
    assert held["cat"] == pytest.approx(1 / (1 + np.exp(1) / 0.8**0.5))
    assert held["animal"] == pytest.approx(0.8)  # as much speaks for it as for a dog


def test_a_face_speaks_for_a_person_whatever_the_words_say() -> None:
    reader = _calibrated(person="table")
    alone = [reader.confidences(_sight([evidence]), 0)["person"] for evidence in (0, 0.4)]
    faces = [reader.confidences(_sight([evidence]), 0.99)["person"] for evidence in (0, 0.4)]
    assert alone == [pytest.approx(0.001), pytest.approx(0.4)]
    assert faces[0] > alone[0]
    assert faces[1] > 0.9


def test_a_colour_is_as_likely_to_be_spoken_of_as_it_is_all_there_is() -> None:
    said = {tag.tag: tag.confidence for tag in _calibrated().tags({}, {"blue": 1.0, "red": 0.5}, people=None)}
    assert said == {"blue": 1.0, "red": 0.25}


@pytest.mark.parametrize("curve", [Scale(there=1, gone=1, offset=0), Scale(there=0.5, gone=0, offset=-1)])
def test_confidence_rises_with_evidence(curve: Scale) -> None:
    confidences = [scale(evidence, curve) for evidence in np.linspace(0, 1, 50)]
    assert confidences == sorted(confidences)
    assert 0 < confidences[0] < confidences[-1] < 1
