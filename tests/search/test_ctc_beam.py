"""Prefix beam search against the sum over all paths, with and without a language model."""

import itertools
import time

import numpy as np
import pytest

from attention_zoo.errors import ZooError
from attention_zoo.search.ctc import greedy
from attention_zoo.search.ctc_beam import CtcDecoding, prefix_beam

pytestmark = pytest.mark.once

# Everything is kept: what is found is then exact.
ALL = {"beam": 10_000, "least": 0.0, "banned": ()}


def chances(steps, vocabulary, seed=0, scale=1.5, batch=1):
    """Return random log-probabilities [batch, steps, vocabulary]."""
    values = np.random.default_rng(seed).normal(size=(batch, steps, vocabulary)) * scale
    return (values - np.logaddexp.reduce(values, axis=2, keepdims=True)).astype("float32")


def texts(values):
    """Return the log-probability of every text, summed over all paths."""
    steps, vocabulary = values.shape
    found = {}
    for path in itertools.product(range(vocabulary), repeat=steps):
        said = tuple(unit for unit, _ in itertools.groupby(path) if unit)
        found[said] = np.logaddexp(found.get(said, -np.inf), values[np.arange(steps), path].sum(dtype="float64"))
    return found


class Pairs:
    """A language model of pairs, whose states say how they came about."""

    def __init__(self, vocabulary, seed=1):
        values = np.random.default_rng(seed).normal(size=(vocabulary, vocabulary))
        self.table = values - np.logaddexp.reduce(values, axis=1, keepdims=True)

    def start(self):
        return 2

    def follow(self, state, token_id):
        return int(token_id)

    def scores(self, state):
        return self.table[state]

    def total(self, said):
        return sum(self.table[before, after] for before, after in itertools.pairwise((2, *said, 3)))


@pytest.mark.parametrize("seed", range(3))
def test_with_room_for_all_it_is_the_sum_over_all_paths(seed):
    values = chances(6, 4, seed)[0]
    wanted = texts(values)
    (found,) = prefix_beam(values[None], CtcDecoding(**ALL, nbest=len(wanted)))
    assert {one.token_ids for one in found} == set(wanted)
    for one in found:
        assert one.score == one.ctc == pytest.approx(wanted[one.token_ids], abs=1e-5)
    np.testing.assert_allclose([one.score for one in found], sorted(wanted.values(), reverse=True), atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_language_model_and_bonuses_are_added_to_the_score(seed):
    values, language = chances(5, 6, seed)[0][:, :4], Pairs(6)
    wanted = texts(values)
    settings = CtcDecoding(**ALL, nbest=40, language_weight=0.7, bonus=0.3, word_bonus=-0.4, separator=1)
    (found,) = prefix_beam(values[None], settings, language)

    def worth(said):
        words = sum(bool(list(group)) and not gap for gap, group in itertools.groupby(said, lambda one: one == 1))
        return wanted[said] + 0.7 * language.total(said) + 0.3 * len(said) - 0.4 * words

    best = sorted(wanted, key=lambda said: -worth(said))[:40]
    np.testing.assert_allclose([one.score for one in found], [worth(said) for said in best], atol=1e-5)
    for one in found:
        assert one.score == pytest.approx(worth(one.token_ids), abs=1e-5)
        assert one.ctc == pytest.approx(wanted[one.token_ids], abs=1e-5)
        assert one.language == pytest.approx(language.total(one.token_ids), abs=1e-9)


def test_a_narrow_beam_never_says_more_than_is_true_and_here_beats_the_best_path():
    for seed in range(20):
        values = chances(6, 4, seed, scale=3.0)
        wanted = texts(values[0])
        (found,) = prefix_beam(values, CtcDecoding(beam=3, nbest=3, banned=()))
        assert len({one.token_ids for one in found}) == len(found)
        for one in found:
            assert one.ctc <= wanted[one.token_ids] + 1e-5
        assert found[0].score >= greedy(values, banned=())[0].score - 1e-5


def test_a_text_that_left_the_beam_and_came_back_is_one_with_its_children():
    # Seeds of which it happens within the last steps.
    for seed in (2, 35, 59):
        values = chances(30, 3, seed, scale=3.0)
        (found,) = prefix_beam(values, CtcDecoding(beam=8, nbest=8, banned=(), least=0.0))
        assert len({one.token_ids for one in found}) == len(found) == 8


def test_padding_changes_nothing_and_a_batch_is_its_rows():
    values = chances(8, 6, batch=3)
    padded = np.full((3, 12, 6), -1e4, "float32")
    padded[..., 0] = 0.0
    padded[:, :8] = values
    settings = CtcDecoding(beam=4, nbest=4)
    found = prefix_beam(padded, settings)
    for row in range(3):
        (alone,) = prefix_beam(values[row : row + 1], settings)
        assert [one.token_ids for one in alone] == [one.token_ids for one in found[row]]
        np.testing.assert_allclose([one.score for one in alone], [one.score for one in found[row]], atol=1e-9)
    assert not any({1, 2, 3} & set(one.token_ids) for row in found for one in row)


def test_what_may_not_be_is_not_found_and_nothing_is_a_text_too():
    never = np.full((1, 3, 5), -np.inf)
    never[..., 0] = 0.0
    assert [one.token_ids for one in prefix_beam(never, CtcDecoding(beam=3, nbest=3))[0]] == [()]
    (nothing,) = prefix_beam(np.zeros((1, 0, 5)))
    assert nothing[0].token_ids == () and nothing[0].score == 0
    only = np.full((1, 2, 5), -np.inf)
    only[0, 0, 4] = only[0, 1, 0] = 0.0
    assert [one.token_ids for one in prefix_beam(only, CtcDecoding(beam=3, nbest=3, least=0.0))[0]] == [(4,)]


def test_units_that_are_unlikely_are_left_out():
    values = np.log(np.array([[[0.5, 0.0, 0.0, 0.0, 0.4999, 0.0001]] * 4]) + 1e-30)
    (found,) = prefix_beam(values, CtcDecoding(beam=50, nbest=50, least=0.001))
    assert {unit for one in found for unit in one.token_ids} == {4}
    (found,) = prefix_beam(values, CtcDecoding(beam=50, nbest=50, least=0.00005))
    assert {unit for one in found for unit in one.token_ids} == {4, 5}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"beam": 0}, "beam must be a whole number of at least 1 .texts., got 0"),
        ({"beam": 2, "nbest": 3}, r"nbest must be at most beam \(2\), got 3"),
        ({"least": 1.0}, "least must be under 1"),
        ({"least": -0.1}, "least must be finite"),
        ({"language_weight": float("nan")}, "language_weight must be finite"),
        ({"bonus": "much"}, "bonus must be a number, got str"),
        ({"word_bonus": 1.0}, "word_bonus wants a separator"),
        ({"separator": -1}, "separator must be a whole number"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, sentence):
    with pytest.raises(ZooError, match=sentence):
        CtcDecoding(**options)


def test_settings_are_named_and_come_back():
    settings = CtcDecoding(beam=3, separator=4, word_bonus=0.5)
    assert CtcDecoding.from_config(settings.get_config()) == settings
    assert settings.change(beam=7).beam == 7
    with pytest.raises(ZooError, match="'bean' is unknown; the nearest names are 'beam'"):
        settings.change(bean=3)
    with pytest.raises(ZooError, match=r"language_weight 0.5 wants a language model, got None"):
        prefix_beam(chances(3, 5), CtcDecoding(language_weight=0.5))
    with pytest.raises(ZooError, match="blank must be under the vocabulary's 5, got 9"):
        prefix_beam(chances(3, 5), CtcDecoding(blank=9))


def test_it_is_fast():
    values = chances(150, 40, scale=2.0)
    prefix_beam(values)
    taken = []
    for _ in range(5):
        start = time.process_time()
        prefix_beam(values)
        taken.append(time.process_time() - start)
    # Measured 5 ms of the processor; the bound leaves room for a slower one.
    assert min(taken) < 0.05
