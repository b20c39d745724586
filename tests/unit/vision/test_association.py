"""The regression that says what is likely of words that no table knows."""

from __future__ import annotations

import numpy as np

from sagemaker.builders.association import LEAST, PRIOR, Likeness, associate, fit


def test_the_fit_finds_the_weights_that_made_the_shares() -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.normal(0, 1, (4000, 2)), np.ones((4000, 1))], axis=1)
    weights = np.asarray([1.5, -2.0, 0.5])
    shares = 1 / (1 + np.exp(-features @ weights))
    np.testing.assert_allclose(fit(features, shares), weights, atol=0.05)


def test_words_near_a_class_are_likely_and_far_ones_are_left_out() -> None:
    rng = np.random.default_rng(2)
    whole = rng.normal(0, 0.1, (60, 50)).astype("f")
    near = rng.random((60, 50)) < 0.1
    whole[near] += 0.6
    likeness = Likeness(whole, whole, whole)
    table = near[:40].astype("f")
    shares, gain = associate(likeness, table, np.arange(40))
    assert gain > 0.9
    assert shares[40:][near[40:]].mean() > 0.85 * PRIOR
    assert (shares[40:][~near[40:]] == 0).mean() > 0.98
    assert shares[shares > 0].min() >= PRIOR * LEAST


def test_likeness_that_means_nothing_explains_nothing() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.1, (60, 50)).astype("f")
    _, gain = associate(Likeness(noise, noise, noise), (rng.random((40, 50)) < 0.1).astype("f"), np.arange(40))
    assert gain < 0.02
