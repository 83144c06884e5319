"""The scorer beside a decoder against the sum over all paths; a search with both against one by lists."""

import itertools
import math

import numpy as np
import pytest
from speaking import VOCABULARY, Speaker, agree, beams, hypotheses, spoken

from attention_zoo.search import Decoding, NumpyArrays, ctc_prefix

pytestmark = pytest.mark.once

STEPS = 4
SOURCES = [[5, 9, 17, 3], [8, 3], [3]]


def chances(steps=STEPS, vocabulary=VOCABULARY, seed=0, batch=1, scale=1.5):
    """Return random log-probabilities [batch, steps, vocabulary]."""
    values = np.random.default_rng(seed).normal(size=(batch, steps, vocabulary)) * scale
    return (values - np.logaddexp.reduce(values, axis=2, keepdims=True)).astype("float32")


class Sums:
    """Probabilities of texts and of what they begin with, summed over all paths."""

    def __init__(self, values):
        steps, vocabulary = values.shape
        shares = np.exp(values.astype("float64"))
        self.texts, self.begins = {}, {}
        for path in itertools.product(range(vocabulary), repeat=steps):
            said = tuple(unit for unit, _ in itertools.groupby(path) if unit)
            self.texts[said] = self.texts.get(said, 0.0) + math.prod(
                shares[step, unit] for step, unit in enumerate(path)
            )
        for said, share in self.texts.items():
            for length in range(len(said) + 1):
                self.begins[said[:length]] = self.begins.get(said[:length], 0.0) + share

    def score(self, said, token):
        """Return the score of a token after what was said."""
        said = tuple(said)
        after = self.texts.get(said) if token == 3 else self.begins.get((*said, token))
        return math.log(after / self.begins[said]) if after and token else -1e9


def scored(values, rows):
    """Return the scores of all tokens after rows of units, one source for each row."""
    settings = Decoding(beam=1)
    prepared = ctc_prefix.prepare(NumpyArrays, values)
    state = ctc_prefix.start(NumpyArrays, prepared, len(rows))
    for tokens in np.array(rows).T:
        state = ctc_prefix.read(NumpyArrays, settings, prepared, state, tokens.astype("int32"))
    return ctc_prefix.score(NumpyArrays, settings, prepared, state)


@pytest.mark.parametrize("said", [(), (4,), (5, 4), (4, 4), (6, 6, 5)])
def test_scores_are_those_of_the_sum_over_all_paths(said):
    values = chances(batch=2, vocabulary=7)
    found = scored(values, [(2, *said)] * 2)
    for row in range(2):
        sums = Sums(values[row])
        wanted = [sums.score(said, token) for token in range(7)]
        # Token 3 is the end, though CTC could say it as a unit.
        np.testing.assert_allclose(found[row], wanted, atol=2e-5)


def test_what_has_no_room_cannot_be():
    found = scored(chances(), [(2, 4, 4, 5)])[0]
    assert found[3] > -50 and (np.delete(found, 3) == -1e9).all()
    assert (scored(chances(), [(2, 4, 4, 4)])[0] <= -1e8).all()


def test_many_steps_and_padding_change_nothing():
    values = chances(steps=200, batch=1, scale=4.0)
    rows = [(2, 5, 5, 7, 4, 8, 8)]
    # 233 steps need a round of doubling that 200 do not; 65 is just over a power of two.
    for padding in (33, 65 + 56):
        padded = np.full((1, 200 + padding, VOCABULARY), -1e4, "float32")
        padded[..., 0] = 0.0
        padded[:, :200] = values
        np.testing.assert_allclose(scored(padded, rows), scored(values, rows), atol=1e-4)


def test_the_recurrence_is_the_one_step_by_step():
    random = np.random.default_rng(0)
    for steps in (1, 2, 3, 64, 65):
        # What comes first must still count at the end.
        decay, inputs = -random.exponential(0.01, size=(3, steps)), -random.exponential(3.0, size=(3, steps))
        inputs[:, 1:] -= 20.0
        wanted, last = [], np.full(3, -1e9)
        for step in range(steps):
            last = np.logaddexp(decay[:, step] + last, inputs[:, step])
            wanted.append(last)
        for count in (steps, np.int32(steps)):  # the latter as where the number is unknown until it runs
            found = ctc_prefix._recurrence(NumpyArrays, decay, inputs, count)
            np.testing.assert_allclose(found, np.stack(wanted, 1), atol=1e-9)


SETTINGS = {
    "usual": {"beam": 4, "nbest": 4},
    "much": {"beam": 3, "nbest": 3, "ctc_weight": 0.9, "length_penalty": 0.0},
    "little, to the end": {"beam": 4, "nbest": 2, "ctc_weight": 0.05, "early_stopping": False},
    "greedy": {"beam": 1},
    "coverage": {"beam": 3, "nbest": 2, "coverage_penalty": 0.3},
    "cut": {"beam": 3, "nbest": 3, "max_length": 2},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_search_with_both_is_that_by_lists(name):
    settings = Decoding(**{"ctc_weight": 0.4, "max_length": 6, **SETTINGS[name]})
    values = chances(batch=len(SOURCES), seed=3)
    found = spoken(Speaker(1), SOURCES, settings, ctc=values)
    weight = settings.ctc_weight
    for row, source in enumerate(SOURCES):
        sums = Sums(values[row])

        def joint(logs, said, sums=sums):
            beside = [sums.score(said, token) for token in range(VOCABULARY)]
            return [(1 - weight) * one + weight * other if other > -1e8 else -1e9 for one, other in zip(logs, beside)]

        wanted = beams(Speaker(1), source, settings, joint)
        agree(hypotheses(found, row)[: len(wanted)], wanted)


def test_padding_of_a_source_changes_nothing():
    values = chances(steps=9, batch=2, seed=5)
    padded = np.full((2, 20, VOCABULARY), -1e4, "float32")
    padded[..., 0] = 0.0
    padded[:, :9] = values
    settings = Decoding(beam=3, nbest=3, ctc_weight=0.5, max_length=12)
    wanted = spoken(Speaker(2), SOURCES[:2], settings, ctc=values)
    found = spoken(Speaker(2), SOURCES[:2], settings, ctc=padded)
    np.testing.assert_array_equal(found["token_ids"], wanted["token_ids"])
    np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-4)


def test_ctc_alone_leads_where_it_is_sure():
    values = np.full((1, 6, VOCABULARY), -20.0, "float32")
    for step, unit in enumerate([5, 0, 5, 7, 0, 4]):
        values[0, step, unit] = 0.0
    found = spoken(Speaker(3), [[5, 3]], Decoding(beam=3, ctc_weight=0.9), ctc=values)
    assert found["token_ids"][0, 0, :5].tolist() == [5, 5, 7, 4, 0]
