"""The words that follow from the classifier's classes."""

from __future__ import annotations

import pytest

from imagemarket.catalog.taxonomy import SLUGS
from sagemaker.builders.lite import read_classes
from sagemaker.builders.vocabulary import CATEGORY_WORDS, open_words


@pytest.fixture(scope="module")
def holds() -> dict[tuple[str, str], float]:
    """`(word, name of a class)` to the share of that class's pictures for which the word holds."""
    vocabulary = read_classes()
    return {
        (word, name): float(vocabulary.shares[row, column])
        for row, word in enumerate(vocabulary.wide)
        for column, name in enumerate(vocabulary.names)
    }


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("dog", "toy poodle"),
        ("pet", "golden retriever"),
        ("cat", "siamese cat"),
        ("big cat", "tiger"),
        ("bird", "bald eagle"),
        ("insect", "ladybug"),
        ("animal", "giant panda"),
        ("vehicle", "school bus"),
        ("bus", "trolleybus"),
        ("train", "steam locomotive"),
        ("airplane", "airplane"),
        ("musical instrument", "violin"),
        ("food", "pizza"),
        ("fruit", "banana"),
        ("vegetable", "broccoli"),
        ("mushroom", "bolete mushroom"),
        ("landscape", "valley"),
        ("beach", "seashore"),
        ("mountain", "volcano"),
        ("flower", "daisy"),
        ("computer", "laptop computer"),
        ("bathroom", "toilet"),
        ("kitchen", "microwave oven"),
        ("furniture", "rocking chair"),
        ("bridge", "suspension bridge"),
        ("clock", "wall clock"),
        ("sport", "tennis racket"),
        ("person", "bridegroom"),
        ("clothing", "jeans"),
    ],
)
def test_wider_words_follow_from_the_right_classes(holds: dict[tuple[str, str], float], word: str, name: str) -> None:
    assert holds[word, name] >= 0.5


@pytest.mark.parametrize(
    ("word", "name"),
    [("dog", "siamese cat"), ("animal", "school bus"), ("food", "toy poodle"), ("bird", "crane"), ("person", "valley")],
)
def test_and_not_from_others(holds: dict[tuple[str, str], float], word: str, name: str) -> None:
    assert holds.get((word, name), 0.0) == 0.0


def test_every_category_is_reached_by_some_class() -> None:
    vocabulary = read_classes()
    assert set(vocabulary.categories) == set(CATEGORY_WORDS) == SLUGS
    assert (vocabulary.category_shares.max(axis=1) >= 0.6).all()


def test_the_names_are_words_to_search_by() -> None:
    vocabulary = read_classes()
    assert len(vocabulary.names) == len(vocabulary.definitions) == 1000
    for word in {*vocabulary.names, *vocabulary.wide}:
        assert word == word.strip().lower()
        assert 0 < len(word) <= 100


def test_the_open_vocabulary_has_thousands_of_words_each_once_and_in_the_singular() -> None:
    words = [word.word for word in open_words()]
    classes = read_classes()
    assert len(words) == len(set(words))
    assert len({*words, *classes.names, *classes.wide}) > 3000
    assert not {"dogs", "cars", "trees", "houses", "flowers"} & set(words)
    for word in ("dog", "kitchen", "swimming", "joy", "winter", "cozy", "sunshine", "tulip", "bread", "vintage"):
        assert word in words
    # Acts and the like are taken by name: most of WordNet's no picture shows.
    assert not {"approval", "fraud", "holocaust", "usage", "outcome", "interim"} & set(words)


def test_wider_words_lead_from_a_beagle_to_an_animal() -> None:
    wider = {word.word: word.wider for word in open_words()}
    seen, waiting = set(), ["beagle"]
    while waiting:
        word = waiting.pop()
        seen.add(word)
        waiting += [each for each in wider.get(word, ()) if each not in seen]
    assert {"beagle", "dog", "mammal", "animal"} <= seen
    assert "cat" not in seen


def test_a_word_of_wordnet_holds_for_the_classes_below_it() -> None:
    classes = {word.word: set(word.classes) for word in open_words()}
    names = read_classes().names
    assert {names[place] for place in classes["dog"]} >= {"beagle", "toy poodle", "golden retriever"}
    assert "siamese cat" not in {names[place] for place in classes["dog"]}
    assert classes["dog"] <= classes["mammal"]
