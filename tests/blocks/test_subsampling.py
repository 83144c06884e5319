"""Steps out of frames: the formula, what a step sees, padding, chunks."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks.subsampling import FrameMask, Subsampling
from attention_zoo.errors import ZooError

MELS = 6


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def layer():
    layer = Subsampling(8, filters=3)
    layer.build((None, None, MELS))
    for seed, weight in enumerate(layer.weights):
        weight.assign(0.5 * numbers(*weight.shape, seed=seed))
    return layer


def halved(inputs, kernel, bias):
    """Convolve [time, bands, channels] frame by frame, zeros around."""
    time, bands = (-(-size // 2) for size in inputs.shape[:2])
    inputs = np.pad(inputs, ((1, 2), (1, 2), (0, 0)))
    found = np.zeros((time, bands, kernel.shape[-1]))
    for t in range(time):
        for band in range(bands):
            seen = inputs[2 * t : 2 * t + 3, 2 * band : 2 * band + 3]
            found[t, band] = np.einsum("tfc,tfco->o", seen, kernel) + bias
    return np.maximum(found, 0)


@pytest.mark.parametrize("frames", [1, 4, 6, 11])
def test_steps_equal_their_formula(layer, frames):
    x = numbers(1, frames, MELS, seed=frames)
    kernel, bias, second, offset, project, last = (array(weight) for weight in layer.weights)
    steps = halved(halved(x[0][..., None], kernel, bias), second, offset)
    wanted = steps.reshape(len(steps), -1) @ project + last
    assert len(wanted) == -(-frames // 4)
    np.testing.assert_allclose(array(layer(x, np.array([frames])))[0], wanted, atol=1e-5)


def test_a_batch_gives_each_sound_what_it_gets_alone(layer):
    sizes = [1, 4, 6, 7, 13]
    batch = 9.0 * numbers(len(sizes), 16, MELS)  # what stands at padding is large, too
    together = array(layer(batch, np.array(sizes)))
    assert together.shape == (len(sizes), 4, 8)
    for row, size in enumerate(sizes):
        steps = -(-size // 4)
        alone = array(layer(batch[row : row + 1, :size], np.array([size])))[0]
        np.testing.assert_allclose(together[row, :steps], alone, atol=1e-4)  # numbers up to 60
        assert not together[row, steps:].any()


def test_a_step_sees_its_own_frames_and_three_before(layer):
    x, frames = numbers(1, 20, MELS), np.array([20])
    before, seen = array(layer(x, frames))[0], {step: [] for step in range(5)}
    for frame in range(20):
        changed = x.copy()
        changed[0, frame] += 5.0
        for step in np.flatnonzero(np.abs(array(layer(changed, frames))[0] - before).max(-1) > 1e-5):
            seen[step].append(frame)
    assert seen == {step: list(range(max(4 * step - 3, 0), 4 * step + 4)) for step in range(5)}


@pytest.mark.parametrize("chunk", [4, 8])
def test_chunks_give_what_the_whole_gives(layer, chunk):
    x, frames = numbers(2, 24, MELS), np.array([24, 13])
    state, found = layer.start_stream(2), []
    for first in range(0, 24, chunk):
        steps, state = layer.stream(x[:, first : first + chunk], np.clip(frames - first, 0, chunk), state)
        found.append(array(steps))
    np.testing.assert_allclose(np.concatenate(found, 1), array(layer(x, frames)), atol=1e-5)


def test_masks_tell_which_steps_hold_a_frame():
    features, frames = np.zeros((3, 9, MELS), "float32"), np.array([9, 4, 0])
    wanted = [[True, True, True], [True, False, False], [False, False, False]]
    assert array(FrameMask()(features, frames)).tolist() == wanted


def test_shapes_are_known_before_anything_is_computed():
    features, frames = keras.Input((None, MELS)), keras.Input((), dtype="int32")
    assert Subsampling(8, 2)(features, frames).shape == (None, None, 8)
    assert FrameMask(2)(features, frames).shape == (None, None)
    assert FrameMask()(keras.Input((9, MELS)), frames).shape == (None, 3)


@pytest.mark.parametrize("make", [lambda: Subsampling(0), lambda: Subsampling(8, 0), lambda: FrameMask(0)])
def test_wrong_arguments_are_named(make):
    with pytest.raises(ZooError, match="must be a whole number"):
        make()
