"""Beam search in NumPy against searches in plain Python."""

import numpy as np
import pytest
from speaking import VOCABULARY, Speaker, agree, beams, everything, hypotheses, spoken

from attention_zoo import search
from attention_zoo.search import Decoding
from attention_zoo.search.loop import algorithm

pytestmark = pytest.mark.once

SOURCES = [[5, 9, 17, 3], [8, 3], [30, 21, 7, 6, 11, 2, 3], [3], []]
SETTINGS = {
    "plain sums": {"length_penalty": 0.0},
    "usual": {"nbest": 5},
    "two": {"beam": 2, "nbest": 2, "length_penalty": 0.6},
    "three to the end": {"beam": 3, "nbest": 3, "early_stopping": False},
    "sums to the end": {"beam": 4, "nbest": 4, "early_stopping": False, "length_penalty": 0.0},
    "coverage": {"beam": 4, "nbest": 4, "coverage_penalty": 0.4},
    "coverage to the end": {"beam": 3, "nbest": 2, "coverage_penalty": 0.2, "early_stopping": False},
    "cut": {"beam": 4, "nbest": 4, "max_length": 3},
    "one token": {"beam": 3, "nbest": 3, "max_length": 1},
    "more than the vocabulary": {"beam": 12, "nbest": 12},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_a_search_over_lists_finds(name, seed):
    settings = Decoding(**{"max_length": 14, **SETTINGS[name]})
    speaker = Speaker(seed, eos=seed - 1.0)
    found = spoken(speaker, SOURCES, settings)
    for row, source in enumerate(SOURCES):
        wanted = beams(speaker, source, settings)
        agree(hypotheses(found, row)[: len(wanted)], wanted)
        rest = hypotheses(found, row)[len(wanted) :]
        assert rest == [(-1e9, -1e9, [])] * len(rest)


@pytest.mark.parametrize("penalties", [{}, {"coverage_penalty": 0.3, "length_penalty": 1.5}])
def test_a_beam_wide_enough_finds_all_that_can_be_said(penalties):
    # 5 words: 1 + 5 + 25 sequences that end in time, and 125 that are cut.
    settings = Decoding(beam=156, nbest=156, max_length=3, early_stopping=False, **penalties)
    found = spoken(Speaker(3), SOURCES[:2], settings)
    for row in range(2):
        wanted = everything(Speaker(3), SOURCES[row], settings)
        assert len(wanted) == 156 and VOCABULARY == 9
        agree(hypotheses(found, row), wanted)


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_is_greedy_search(seed):
    speaker, settings = Speaker(seed), Decoding(beam=1, max_length=20)
    greedy = spoken(speaker, SOURCES, settings)
    beamed = {name: [] for name in greedy}
    for source in SOURCES:
        for name, value in one_beam(speaker, source, settings).items():
            beamed[name].append(value[0])
    for name, value in greedy.items():
        np.testing.assert_allclose(value, np.stack(beamed[name]), rtol=1e-6)
    for row, source in enumerate(SOURCES):
        agree(hypotheses(greedy, row), beams(speaker, source, settings))


def one_beam(speaker, source, settings):
    """Run the beam search itself with one beam."""
    from attention_zoo.search import beam

    arrays = type("Arrays", (search.NumpyArrays,), {"matmul": np.matmul})
    ids = np.array([source or [0]], "int32")
    prepared = speaker.prepare(arrays, speaker.encode(arrays, ids), ids != 0)
    state, carried = beam.start(arrays, settings, ids != 0), speaker.start(arrays, 1, settings.max_length)
    tokens = np.array([settings.bos_id], "int32")
    while state["index"] < settings.max_length and not state["done"].all():
        logits, carried, weights = speaker.step(arrays, tokens, carried, prepared, state["index"])
        chosen = search.choose(arrays, Decoding(beam=2), logits)
        state, parents, tokens = beam.advance(arrays, settings, state, *chosen, weights)
        assert parents.tolist() == [0]
    return beam.result(arrays, settings, state)


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 4, "nbest": 4}, {"beam": 3, "early_stopping": False}])
def test_a_batch_is_its_sentences_one_at_a_time(options):
    settings = Decoding(max_length=16, **options)
    together = spoken(Speaker(7), SOURCES, settings)
    for row, source in enumerate(SOURCES):
        agree(hypotheses(together, row), hypotheses(spoken(Speaker(7), [source], settings), 0), 1e-5)


@pytest.mark.parametrize("beam", [1, 4])
def test_who_has_nothing_to_say_says_nothing(beam):
    found = spoken(Speaker(0, eos=50.0), SOURCES, Decoding(beam=beam))
    assert not found["lengths"].any() and not found["token_ids"].any()
    np.testing.assert_allclose(found["scores"], 0.0, atol=1e-4)


def test_who_never_ends_is_cut():
    found = spoken(Speaker(0, ending=0.0, eos=-60.0), SOURCES, Decoding(beam=3, nbest=3, max_length=6))
    assert (found["lengths"] == 6).all() and (found["token_ids"] > 3).all()


def test_what_is_banned_is_never_said():
    speaker = Speaker(1, ending=0.1)
    speaker.weights["table"][:, :3] += 20.0
    for beam in (1, 3):
        found = spoken(speaker, SOURCES, Decoding(beam=beam, banned=(0, 1, 2, 5)))
        said = {token for row in range(len(SOURCES)) for token in hypotheses(found, row)[0][2]}
        assert said and not said & {0, 1, 2, 3, 5}
        assert (found["sums"] < -10).all(), "log-probabilities are those of all logits"


def test_logits_of_minus_infinity_give_no_nan():
    speaker = Speaker(2)
    speaker.weights["table"][:, 4:7] = -np.inf
    for options in ({"beam": 1}, {"beam": 5, "nbest": 5}, {"beam": 5, "nbest": 5, "early_stopping": False}):
        found = spoken(speaker, SOURCES, Decoding(max_length=9, **options))
        assert all(np.isfinite(found[name]).all() for name in ("scores", "sums"))
        assert not set(found["token_ids"].ravel().tolist()) & {4, 5, 6}


def test_a_sentence_that_is_done_changes_no_more():
    settings = Decoding(beam=2, nbest=2, max_length=8)
    arrays, random = search.NumpyArrays, np.random.default_rng(0)
    state, _ = search.begin(arrays, settings, np.ones((2, 3), bool))
    before = None
    for _ in range(6):
        chances = np.log(random.dirichlet(np.ones(3), 4)).astype("float32")
        tokens = np.array([[3, 4, 5], [4, 3, 6], [4, 5, 6], [6, 5, 4]], "int32")
        state, _, _ = algorithm(settings).advance(arrays, settings, state, chances, tokens)
        if state["done"][0]:
            now = {name: value[0].tolist() for name, value in search.result(arrays, settings, state).items()}
            assert before in (None, now)
            before = now
    assert before is not None and not state["done"][1]
