"""Shares of units over steps are those of all paths, counted one by one."""

import itertools

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.search.ctc_posterior import log_probability, occupancies, posteriors

pytestmark = pytest.mark.once


def chances(steps, size, seed=0):
    logits = np.random.default_rng(seed).normal(size=(steps, size)) * 2
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def by_counting(table, units):
    """Sum over every path of places: blanks and units in order."""
    labels = [0]
    for unit in units:
        labels += [unit, 0]
    shares = np.zeros((len(units), len(table)))
    for places in itertools.product(range(len(labels)), repeat=len(table)):
        if places[0] > 1 or places[-1] < len(labels) - 2:
            continue
        steps = list(itertools.pairwise(places))
        if any(not 0 <= after - before <= 2 for before, after in steps):
            continue
        if any(
            after - before == 2 and (labels[after] == 0 or labels[after] == labels[before]) for before, after in steps
        ):
            continue
        chance = np.exp(sum(table[step, labels[place]] for step, place in enumerate(places)))
        for step, place in enumerate(places):
            if place % 2:
                shares[place // 2, step] += chance
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("units", [[1], [1, 2], [2, 2], [1, 3, 1]])
def test_shares_are_those_of_all_paths(units):
    table = chances(5, 4, seed=len(units))
    np.testing.assert_allclose(posteriors(table, units), by_counting(table, units), atol=1e-6)


def test_a_long_sure_sound_gives_sure_shares_that_are_finite():
    table = np.full((400, 5), -30.0)
    table[:, 0] = 0.0
    for place, unit in enumerate([1, 2, 3, 4]):
        table[50 + 80 * place, :] = -30.0
        table[50 + 80 * place, unit] = 0.0
    found = posteriors(table, [1, 2, 3, 4])
    assert found.argmax(axis=1).tolist() == [50, 130, 210, 290]
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)


def test_what_cannot_be_said_is_refused():
    with pytest.raises(ZooValueError, match="must fit into 3 steps"):
        posteriors(chances(3, 4), [1, 2, 1, 2])


@pytest.mark.parametrize("units", [[1], [1, 2], [2, 2], [1, 3, 1]])
def test_occupancies_are_the_slopes_of_the_probability(units):
    table, size = chances(6, 4, seed=len(units)), 1e-5
    found = occupancies(table, units)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)
    moved = np.stack([table + size * move for move in np.eye(table.size).reshape(-1, *table.shape)])
    slopes = (log_probability(moved, units) - log_probability(table[None], units)) / size
    np.testing.assert_allclose(found, slopes.reshape(table.shape), atol=1e-4)


def test_probabilities_of_all_texts_sum_to_one():
    table = chances(4, 3)
    texts = [list(units) for count in range(1, 5) for units in itertools.product([1, 2], repeat=count)]
    told = sum(np.exp(log_probability(table[None], units)[0]) for units in texts)
    assert told + np.exp(table[:, 0].sum()) == pytest.approx(1.0)
