"""Speech and series: streams equal wholes, few queries look, delays are found."""

import numpy as np
import pytest
from keras import ops

from attention_zoo.core.fourier import circular_convolve, circular_correlate
from attention_zoo.core.tape import Tape
from attention_zoo.errors import ZooValueError
from attention_zoo.layers import series
from attention_zoo.layers.multi_head import MultiHeadAttention

HEADS = {"num_heads": 2, "key_dim": 4}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def streamed(layer, inputs, mask):
    """Read a sequence chunk by chunk, each with as much of what follows as there is."""
    state, outputs = layer.start_stream(len(inputs)), []
    for first in range(0, inputs.shape[1], layer.chunk):
        end = min(first + layer.chunk, inputs.shape[1])
        last = min(end + layer.right, inputs.shape[1])
        seen = None if mask is None else mask[:, first:last]
        output, state = layer.stream(inputs[:, first:last], state, ahead=last - end, mask=seen)
        outputs.append(array(output))
    return np.concatenate(outputs, 1)


@pytest.mark.parametrize("position", ["none", "rotary", "alibi", "t5_bias", "shaw", "transformer_xl"])
@pytest.mark.parametrize("sizes", [(3, 1, 2), (4, 0, 0), (2, 2, 3)])
def test_a_stream_gives_what_the_whole_gives(position, sizes):
    chunk, left, right = sizes
    layer = series.StreamingAttention(**HEADS, chunk=chunk, left=left, right=right, position=position, use_gate=True)
    inputs, mask = numbers(2, 11, 8), np.ones((2, 11), bool)
    mask[1, 7:] = False
    whole = array(layer(inputs, query_mask=mask, value_mask=mask))
    np.testing.assert_allclose(streamed(layer, inputs, mask), whole, atol=1e-5)
    np.testing.assert_allclose(streamed(layer, inputs, None), array(layer(inputs)), atol=1e-5)


def test_what_a_stream_remembers_never_grows():
    layer = series.StreamingAttention(**HEADS, chunk=3, left=2, num_key_value_heads=1)
    layer(numbers(2, 5, 8))
    state = layer.start_stream(2)
    sizes = {name: tuple(part.shape) for name, part in state.items()}
    assert sizes["key"] == (2, 6, 1, 4)
    for step in range(4):
        _, state = layer.stream(numbers(2, 3, 8, seed=step), state)
        assert {name: tuple(part.shape) for name, part in state.items()} == sizes


def test_a_frame_sees_its_chunk_and_no_more():
    layer = series.StreamingAttention(**HEADS, chunk=3, left=1, right=1)
    with Tape() as tape:
        layer(numbers(1, 12, 8))
    seen = array(next(iter(tape.maps.values())))[0, 0] > 0
    assert [np.flatnonzero(row).tolist() for row in seen[[0, 5, 6]]] == [[0, 1, 2, 3], [*range(7)], [*range(3, 10)]]


@pytest.mark.parametrize("position", ["sinusoidal", "learned", "rotary_2d"])
def test_a_stream_refuses_places_that_count_from_its_start(position):
    with pytest.raises(ZooValueError, match="start"):
        series.StreamingAttention(**HEADS, position=position)


def test_a_stream_refuses_to_look_farther_ahead_than_it_was_made_to():
    layer = series.StreamingAttention(**HEADS, chunk=3, right=1)
    with pytest.raises(ZooValueError, match="built"):
        layer.start_stream(1)
    layer(numbers(1, 5, 8))
    with pytest.raises(ZooValueError, match="ahead"):
        layer.stream(numbers(1, 5, 8), layer.start_stream(1), ahead=2)


def test_prob_sparse_with_every_query_is_plain_attention():
    inputs, mask = numbers(2, 9, 8), np.ones((2, 9), bool)
    mask[0, 6:] = False
    plain, sparse = MultiHeadAttention(**HEADS), series.ProbSparseAttention(**HEADS, factor=9)
    plain(inputs), sparse(inputs)
    sparse.set_weights(plain.get_weights())
    for options in ({}, {"use_causal_mask": True}, {"query_mask": mask, "value_mask": mask}):
        np.testing.assert_allclose(array(sparse(inputs, **options)), array(plain(inputs, **options)), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_only_few_queries_look_and_the_rest_weigh_evenly(causal):
    layer = series.ProbSparseAttention(**HEADS, factor=2, causal=causal, seed=4)
    with Tape() as tape:
        output = array(layer(numbers(1, 60, 8)))
    maps = array(next(iter(tape.maps.values())))[0]
    seen = np.tril(np.ones((60, 60))) if causal else np.ones((60, 60))
    even = np.isclose(maps, seen / seen.sum(-1, keepdims=True), atol=1e-7).all(-1)
    # The first causal query has one key: even, whether it looks or not.
    assert set(60 - even.sum(-1)) <= {9, 10}
    np.testing.assert_allclose(array(layer(numbers(1, 60, 8))), output, atol=2e-6)


def test_queries_with_sharp_scores_are_the_ones_that_look():
    layer = series.ProbSparseAttention(1, 8, factor=1)
    inputs = 0.01 * numbers(1, 40, 8)
    loud = [3, 11, 30]
    inputs[:, loud] *= 500.0
    layer(inputs)
    layer.query_dense.kernel.assign(np.eye(8, dtype="float32")[:, None])
    layer.key_dense.kernel.assign(np.eye(8, dtype="float32")[:, None])
    with Tape() as tape:
        layer(inputs)
    maps = array(next(iter(tape.maps.values())))[0, 0]
    looking = np.flatnonzero(np.abs(maps - 1 / 40).max(-1) > 1e-6)
    assert len(looking) == 4 and set(loud) <= set(looking.tolist())


def test_another_seed_draws_another_sample():
    inputs = numbers(1, 200, 8)
    layers = [series.ProbSparseAttention(**HEADS, factor=1, seed=seed) for seed in (1, 2)]
    outputs = []
    for layer in layers:
        layer(inputs)
        layer.set_weights(layers[0].get_weights())
        outputs.append(array(layer(inputs)))
    assert not np.allclose(*outputs)


def test_auto_correlation_finds_the_period():
    time = np.arange(48)
    wave = np.stack([np.sin(2 * np.pi * time / 12), np.cos(2 * np.pi * time / 12)], -1)[None].astype("float32")
    layer = series.AutoCorrelation(1, 2, use_bias=False)
    layer(wave)
    for dense in (layer.query_dense, layer.key_dense):
        dense.kernel.assign(np.eye(2, dtype="float32")[:, None])
    with Tape() as tape:
        layer(wave)
    weights = array(next(iter(tape.maps.values())))[0, 0]
    # int(ln 48) = 3 delays, all of them whole periods: 0, 12, 24 and 36 agree equally well up to rounding.
    assert set(np.flatnonzero(weights)) <= {0, 12, 24, 36}
    assert np.isclose(weights.sum(), 1.0)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("length", [1, 2, 9, 16, 31])
def test_both_transforms_equal_that_of_numpy(length, fast):
    first, second = numbers(2, 3, length), numbers(2, 3, length, seed=1)
    spectra = np.fft.fft(first), np.fft.fft(second)
    wanted = np.fft.ifft(spectra[0] * spectra[1].conj()).real
    np.testing.assert_allclose(array(circular_correlate(first, second, fast=fast)), wanted, atol=1e-5)
    summed = array(circular_correlate(first, second, channels=True, fast=fast))
    np.testing.assert_allclose(summed, wanted.sum(1), atol=2e-5)
    wanted = np.fft.ifft(spectra[0] * spectra[1]).real
    np.testing.assert_allclose(array(circular_convolve(first, second, fast=fast)), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: series.StreamingAttention(**HEADS, chunk=0), "size"),
        (lambda: series.StreamingAttention(**HEADS, right=-1), "right"),
        (lambda: series.ProbSparseAttention(**HEADS, factor=0), "factor"),
        (lambda: series.ProbSparseAttention(**HEADS, position="alibi"), "position"),
        (lambda: series.AutoCorrelation(0, 4), "num_heads"),
        (lambda: series.AutoCorrelation(2, 4, factor=0.0), "factor"),
        (lambda: series.AutoCorrelation(2, 4, transform="slow"), "transform"),
        (lambda: series.ConformerAttention(2, dropout=1.0), "dropout"),
        (lambda: series.ConformerAttention(3).build((None, None, 8)), "multiple of num_heads"),
    ],
)
def test_wrong_arguments_are_named(make, word):
    with pytest.raises(ZooValueError, match=word):
        make()


def test_a_conformer_may_be_chunked():
    layer = series.ConformerAttention(2, pattern={"name": "chunked", "size": 3, "left": 0})
    inputs = numbers(1, 9, 8)
    before = array(layer(inputs))
    inputs[:, 3:6] += numbers(1, 3, 8, seed=1)
    after = array(layer(inputs))
    np.testing.assert_allclose(after[:, :3], before[:, :3], atol=1e-6)
    np.testing.assert_allclose(after[:, 6:], before[:, 6:], atol=1e-6)
    assert not np.allclose(after[:, 3:6], before[:, 3:6])
