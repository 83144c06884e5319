"""Masks, speeds, loudness and noise: what they change, what they leave, and that a seed says all."""

import numpy as np
import pytest

from attention_zoo.audio.augmenting import SpecAugment, at_gain, at_speed, with_noise
from attention_zoo.errors import ZooValueError

pytestmark = pytest.mark.once


def some_features(frames=(200, 120, 60), mels=80):
    batch = np.random.default_rng(0).normal(5, 1, (len(frames), max(frames), mels)).astype(np.float32)
    for row, count in zip(batch, frames):
        row[count:] = 0
    return batch, np.array(frames)


def runs(flags):
    """Return the lengths of runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


def test_masks_are_bands_and_stretches_no_wider_than_allowed():
    features, frames = some_features()
    masked, augment = [], SpecAugment(2, 20, 2, 30, 0.2)
    for seed in range(50):
        found = augment(features, frames, np.random.default_rng(seed))
        for row, before, count in zip(found, features, frames):
            assert not row[count:].any()
            gone = row[:count] == 0
            bands, times = gone.all(axis=0), gone.all(axis=1)
            # Nothing else is changed.
            np.testing.assert_array_equal(row[:count][~times][:, ~bands], before[:count][~times][:, ~bands])
            assert gone.sum() == bands.sum() * count + times.sum() * (80 - bands.sum())
            assert bands.sum() <= 40 and times.sum() <= 2 * min(30, 0.2 * count)
            assert len(runs(bands)) <= 2 and len(runs(times)) <= 2
            masked.append((bands.sum(), times.sum() / count))
    # Two masks of 10 bands each on average, less where they overlap.
    assert 13 < np.mean([bands for bands, _ in masked]) < 20
    assert 0.1 < np.mean([share for _, share in masked]) < 0.2


def test_masks_depend_on_the_generator_alone_and_leave_what_was_given():
    features, frames = some_features()
    before = features.copy()
    one, same, other = (SpecAugment()(features, frames, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
    np.testing.assert_array_equal(features, before)
    np.testing.assert_array_equal(SpecAugment(0, 0, 0, 0)(features, frames, np.random.default_rng(0)), features)


def test_warping_moves_what_is_inside_and_keeps_both_ends_and_the_length():
    ramp = np.repeat(np.arange(1, 201, dtype=np.float32)[None, :, None], 8, axis=2)
    ramp[:, 150:] = 0
    moved = []
    for seed in range(20):
        found = SpecAugment(0, 0, 0, 0, warp=20)(ramp, np.array([150]), np.random.default_rng(seed))[0, :, 0]
        assert found[0] == 1 and found[149] == 150 and not found[150:].any()
        assert (np.diff(found[:150]) > 0).all()  # time never goes back
        moved.append(np.abs(found[:150] - ramp[0, :150, 0]).max())
    assert max(moved) <= 20 + 1e-3 and np.mean(moved) > 5
    short = ramp[:, :30]
    np.testing.assert_array_equal(SpecAugment(0, 0, 0, 0, warp=20)(short, [30], np.random.default_rng(0)), short)


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
def test_another_speed_changes_length_and_pitch_together(speed):
    wave = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(32_000) / 16_000)
    found = at_speed((wave, 16_000), speed)
    assert found.rate == 16_000 and len(found.samples) == pytest.approx(32_000 / speed, abs=1)
    spectrum = np.abs(np.fft.rfft(found.samples))
    assert spectrum.argmax() * 16_000 / len(found.samples) == pytest.approx(1_000 * speed, abs=1)
    with pytest.raises(ZooValueError, match=r"speed must be from 0\.5 to 2 in steps of 0\.01, got 3"):
        at_speed((wave, 16_000), 3)


def test_gain_and_noise_are_in_decibels():
    wave = (0.1 * np.sin(np.arange(16_000))).astype(np.float32)
    np.testing.assert_allclose(at_gain(wave, 6.0206), 2 * wave, atol=1e-6)
    assert np.abs(at_gain(wave, 60)).max() == 1
    other = np.sign(np.sin(np.arange(999) / 7)).astype(np.float32)
    for noises in ((), (other,)):
        noisy = with_noise(wave, 20, np.random.default_rng(0), noises)
        ratio = np.mean(wave**2) / np.mean((noisy - wave) ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(20, abs=0.1)
        np.testing.assert_array_equal(noisy, with_noise(wave, 20, np.random.default_rng(0), noises))
    assert not with_noise(np.zeros(9, np.float32), 20, np.random.default_rng(0)).any()
    with pytest.raises(ZooValueError, match="must not be silent"):
        with_noise(wave, 20, np.random.default_rng(0), [np.zeros(5, np.float32)])


def test_what_cannot_work_is_refused():
    with pytest.raises(ZooValueError, match="time_masks must be a whole number of at least 0"):
        SpecAugment(time_masks=-1)
    with pytest.raises(ZooValueError, match="time_share must be from 0 to 1"):
        SpecAugment(time_share=20)
