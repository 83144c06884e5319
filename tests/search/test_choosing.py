"""Draws by chance, and NumPy under the names of `keras.ops`."""

import numpy as np
import pytest
from speaking import Speaker, spoken

from attention_zoo import search
from attention_zoo.search import Decoding, NumpyArrays

pytestmark = pytest.mark.once

LOGITS = np.log(np.array([[0.0001, 0.0001, 0.0001, 0.2, 0.05, 0.4, 0.1, 0.2497]], "float32"))


def frequencies(count=20_000, **options):
    """Draw many times from one row; return how often each token came, and its log-probabilities."""
    settings = Decoding(beam=1, sample=True, **options)
    noise = np.random.default_rng(0).random(count, "float32")
    values, tokens = search.choose(NumpyArrays, settings, LOGITS.repeat(count, 0), noise)
    return np.bincount(tokens[:, 0], minlength=8) / count, values[:, 0], tokens[:, 0]


def test_draws_come_as_often_as_their_probabilities():
    shares = np.exp(LOGITS[0])
    shares[:3] = 0
    found, values, tokens = frequencies()
    np.testing.assert_allclose(found, shares / shares.sum(), atol=0.012)
    np.testing.assert_allclose(values, LOGITS[0][tokens] - np.log(np.exp(LOGITS).sum()), atol=1e-5)


def test_temperature_sharpens_and_flattens():
    for temperature in (0.5, 2.0):
        shares = np.exp(LOGITS[0] / temperature)
        shares[:3] = 0
        np.testing.assert_allclose(frequencies(temperature=temperature)[0], shares / shares.sum(), atol=0.012)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"top_k": 1}, [5]),
        ({"top_k": 2}, [5, 7]),
        ({"top_k": 100}, [3, 4, 5, 6, 7]),
        ({"top_p": 0.3}, [5]),
        ({"top_p": 0.5}, [5, 7]),
        ({"top_p": 0.7}, [3, 5, 7]),
        ({"top_p": 0.5, "top_k": 1}, [5]),
        ({"top_p": 0.99}, [3, 4, 5, 6, 7]),
        ({"top_k": 3, "top_p": 0.999, "temperature": 2.0}, [3, 5, 7]),
    ],
)
def test_top_k_and_top_p_leave_out_the_unlikely_and_keep_the_rest_in_proportion(options, left):
    temperature = options.get("temperature", 1.0)
    shares = np.zeros(8)
    shares[left] = np.exp(LOGITS[0][left] / temperature)
    np.testing.assert_allclose(frequencies(**options)[0], shares / shares.sum(), atol=0.012)
    found, _, _ = frequencies(**options)
    assert np.flatnonzero(found).tolist() == left


@pytest.mark.parametrize(
    ("options", "first", "last"), [({}, 3, 7), ({"top_k": 3}, 5, 3), ({"top_p": 0.8}, 5, 3), ({"top_p": 0.1}, 5, 5)]
)
def test_the_ends_of_the_noise_draw_the_first_and_the_last_that_can_be_drawn(options, first, last):
    settings = Decoding(beam=1, sample=True, **options)
    noise = np.array([0.0, 1 - 2**-24], "float32")
    _, tokens = search.choose(NumpyArrays, settings, LOGITS.repeat(2, 0), noise)
    assert tokens[:, 0].tolist() == [first, last]


@pytest.mark.parametrize("size", [8, 50, 900])
def test_noise_near_one_draws_nothing_that_is_banned(size):
    random, banned = np.random.default_rng(0), range(size // 2, size)
    logits = random.normal(size=(200, size)).astype("float32") * 3
    settings = Decoding(beam=1, sample=True, banned=banned)
    for chance in (1 - 2**-24, 1.0):
        _, tokens = search.choose(NumpyArrays, settings, logits, np.full(200, chance, "float32"))
        assert tokens.max() < size // 2


def test_the_same_seed_says_the_same_whatever_the_batch():
    settings = Decoding(beam=1, sample=True, max_length=12, seed=4)
    sources, speaker = [[5, 9, 3], [8, 3], [6, 3]], Speaker(0)
    found = spoken(speaker, sources, settings, noise=search.noise(settings, range(3)))
    again = spoken(speaker, sources, settings, noise=search.noise(settings, range(3)))
    for name, value in found.items():
        np.testing.assert_array_equal(value, again[name])
    alone = spoken(speaker, sources[2:], settings, noise=search.noise(settings, [2]))
    np.testing.assert_array_equal(alone["token_ids"][0], found["token_ids"][2])
    other = spoken(speaker, sources, settings, noise=search.noise(settings.change(seed=5), range(3)))
    assert (other["token_ids"] != found["token_ids"]).any()


def test_noise_lies_within_its_bounds():
    drawn = search.noise(Decoding(beam=1, sample=True, max_length=1000), range(5))
    assert drawn.shape == (5, 1000) and drawn.dtype == np.float32
    assert drawn.min() >= 0 and drawn.max() < 1 and len(np.unique(drawn)) > 4900


@pytest.mark.parametrize("k", [1, 2, 5, 40])
def test_the_largest_come_first_and_ties_in_order(k):
    values = np.random.default_rng(0).integers(0, 30 if k > 5 else 1000, (3, 40)).astype("float32")
    found, places = NumpyArrays.top_k(values, k)
    np.testing.assert_array_equal(found, -np.sort(-values, axis=-1)[:, :k])
    np.testing.assert_array_equal(np.take_along_axis(values, places, -1), found)
    if k == 40:
        np.testing.assert_array_equal(places, np.argsort(-values, axis=-1, kind="stable"))
