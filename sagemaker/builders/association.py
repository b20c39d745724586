"""How likely a word holds for a class that no table says anything of, from the likeness of their texts.

`words.tsv` says of some 400 words for what share of a class's pictures each holds. A logistic regression on three
cosines (of the word with the class's name and definition together, with the definition, with the name), on how far
the first stands out among the word's, and on their squares is fitted to those shares, and then says what is likely
of the other words. Nothing but the table and the definitions of WordNet goes in: no picture and no caption.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

_RIDGE = 1.0
_ROUNDS = 30
_FOLDS = 5

PRIOR = 0.25
"""The table holds words that people thought of because they fit many classes; of words out of a dictionary fewer
fit, so what the regression says counts a quarter (`./market bench lite_settings`)."""

LEAST = 0.1
"""Shares below it are left out."""


@dataclass(frozen=True)
class Likeness:
    """Cosines of each word (rows) with each class (columns)."""

    whole: Matrix
    definitions: Matrix
    names: Matrix

    def features(self, rows: NDArray[np.int_]) -> NDArray[np.float64]:
        """(rows x classes, features)."""
        whole = self.whole[rows].astype(np.float64)
        standing = (whole - whole.mean(axis=1, keepdims=True)) / whole.std(axis=1, keepdims=True)
        first = np.stack([whole, self.definitions[rows], self.names[rows], standing], axis=-1)
        ones = np.ones((*whole.shape, 1))
        return np.concatenate([first, first**2, ones], axis=-1).reshape(-1, 9).astype(np.float64)


def fit(features: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the logistic regression with soft targets, by Newton's method."""
    weights = np.zeros(features.shape[1])
    for _ in range(_ROUNDS):
        guess = _logistic(features @ weights)
        slope = features.T @ (shares - guess) - _RIDGE * weights
        bend = (features * (guess * (1 - guess))[:, None]).T @ features + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def associate(likeness: Likeness, table: Matrix, known: NDArray[np.int_]) -> tuple[Matrix, float]:
    """`(shares of all words, gain)`: `table` holds the shares of the words `known`, in their order. `gain` is by
    how much the regression, fitted on four fifths of the table's words, brings down the mean squared error on the
    last fifth against always saying the mean; averaged over the five."""
    gain = _gain(likeness, table, known)
    weights = fit(likeness.features(known), table.astype(np.float64).ravel())
    every = np.arange(len(likeness.whole))
    guess = _logistic(likeness.features(every) @ weights).reshape(likeness.whole.shape)
    return np.where(guess >= LEAST, PRIOR * guess, 0).astype(np.float32), gain


def _gain(likeness: Likeness, table: Matrix, known: NDArray[np.int_]) -> float:
    fold = np.random.default_rng(0).integers(0, _FOLDS, len(known))
    error = plain = 0.0
    for each in range(_FOLDS):
        held, rest = fold == each, fold != each
        weights = fit(likeness.features(known[rest]), table[rest].astype(np.float64).ravel())
        truth = table[held].ravel()
        guess = _logistic(likeness.features(known[held]) @ weights)
        error += float(((guess - truth) ** 2).sum())
        plain += float(((table[rest].mean() - truth) ** 2).sum())
    return 1 - error / plain


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))
