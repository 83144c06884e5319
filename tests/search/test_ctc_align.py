"""Forced alignment against all paths, and words with their times."""

import itertools

import numpy as np
import pytest

from attention_zoo.errors import ZooError
from attention_zoo.search.ctc import Path, Word
from attention_zoo.search.ctc_align import align, words

pytestmark = pytest.mark.once


def chances(steps, vocabulary, seed=0):
    """Return random log-probabilities [steps, vocabulary]."""
    values = np.random.default_rng(seed).normal(size=(steps, vocabulary)) * 2
    return (values - np.logaddexp.reduce(values, axis=1, keepdims=True)).astype("float32")


def spans(path):
    """Return units with their first step and the step after their last, of a path of labels."""
    groups = [(unit, len(list(group))) for unit, group in itertools.groupby(path)]
    ends = np.cumsum([count for _, count in groups]).tolist()
    return [(unit, end - count, end) for (unit, count), end in zip(groups, ends) if unit]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("units", [[], [1], [2, 1], [1, 1], [2, 2, 1], [1, 2, 1, 2]])
def test_it_is_the_likeliest_of_all_paths_that_say_the_units(units, seed):
    values = chances(6, 3, seed)
    paths = [one for one in itertools.product(range(3), repeat=6) if [unit for unit, _, _ in spans(one)] == units]
    best = max(paths, key=lambda one: values[np.arange(6), one].sum())
    found = align(values, units)
    assert list(zip(found.token_ids, found.starts, found.ends)) == spans(best)
    assert found.score == pytest.approx(values[np.arange(6), best].sum(), rel=1e-6)
    for score, (unit, start, end) in zip(found.scores, spans(best)):
        assert score == pytest.approx(values[start:end, unit].mean(), rel=1e-6)


def test_padded_steps_change_nothing():
    values = chances(6, 4)
    padded = np.full((10, 4), -1e4, "float32")
    padded[:, 0] = 0.0
    padded[:6] = values
    assert align(padded, [1, 1, 3]) == align(values, [1, 1, 3])


def test_units_that_do_not_fit_are_refused():
    values = chances(3, 4)
    assert align(values, [1, 2, 3]).starts == (0, 1, 2)
    with pytest.raises(ZooError, match="token_ids must fit into 3 steps, got 3 units that need 4"):
        align(values, [1, 1, 3])
    padded = np.concatenate([values, np.array([[0, -1e4, -1e4, -1e4]] * 4, "float32")])
    with pytest.raises(ZooError, match="fit into 3 steps"):
        align(padded, [1, 1, 3])
    with pytest.raises(ZooError, match="token_ids must be under 4 and not the blank 0, got 4"):
        align(values, [4])
    with pytest.raises(ZooError, match="not the blank 0, got 0"):
        align(values, [0])
    assert align(np.zeros((0, 4)), []).token_ids == ()


def test_words_have_the_times_of_their_units():
    path = Path((5, 6, 4, 4, 7, 4), (1, 2, 5, 6, 8, 9), (2, 5, 6, 7, 9, 10), (-1.0, -2.0, 0.0, 0.0, -0.5, 0.0), -9.0)
    found = words(path, lambda ids: "".join("....-xyz"[one] for one in ids), separator=4, step_seconds=0.04)
    assert found[0].text == "xy" and found[1].text == "z" and len(found) == 2
    assert (found[0].start, found[0].end) == pytest.approx((0.04, 0.2))
    assert (found[1].start, found[1].end) == pytest.approx((0.32, 0.36))
    assert found[0].score == pytest.approx((-1.0 - 3 * 2.0) / 4)
    assert words(Path((), (), (), (), 0.0), str, 4, 0.04) == []
    assert isinstance(found[0], Word)


def test_pieces_may_hold_the_blank_before_a_word():
    spelling = {4: " th", 5: "e", 6: " ", 7: "cat", 8: " sat"}
    path = Path((4, 5, 6, 7, 8, 6), (0, 1, 2, 3, 5, 8), (1, 2, 3, 5, 7, 9), (-1.0,) * 6, -9.0)
    found = words(
        path,
        lambda ids: "".join(spelling[one] for one in ids),
        separator=None,
        step_seconds=1.0,
        begins=lambda one: spelling[one].startswith(" "),
    )
    assert [(word.text, word.start, word.end) for word in found] == [("the", 0, 2), ("cat", 2, 5), ("sat", 5, 7)]
