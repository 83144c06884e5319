"""Log-mel features: by the formula, at the speed that is said, and the same for a sound that comes in chunks."""

import time

import numpy as np
import pytest

from attention_zoo.audio import FeatureStream, LogMel, LogMelStream, resample
from attention_zoo.errors import ZooValueError

pytestmark = pytest.mark.once


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def by_the_formula(samples, rate, mels, low, high, preemphasis, size):
    """Compute what the docstring says in float64, term by term, without a fast transform."""
    window, step = round(0.025 * rate), round(0.010 * rate)
    emphasised = [samples[0] * (1 - preemphasis)]
    emphasised += [samples[t] - preemphasis * samples[t - 1] for t in range(1, len(samples))]

    def mel(frequency):
        return 1127 * np.log(1 + frequency / 700)

    edges = [mel(low) + (mel(high) - mel(low)) * place / (mels + 1) for place in range(mels + 2)]
    rows = []
    for start in range(0, len(samples) - window + 1, step):
        row = np.zeros(mels)
        for bin_ in range(size // 2 + 1):
            turn = -2j * np.pi * bin_ / size
            total = 0
            for k in range(window):
                hann = 0.5 - 0.5 * np.cos(2 * np.pi * k / window)
                total += hann * emphasised[start + k] * np.exp(turn * k)
            place = mel(bin_ * rate / size)
            for m in range(mels):
                left, middle, right = edges[m : m + 3]
                height = min((place - left) / (middle - left), (right - place) / (right - middle))
                row[m] += max(height, 0) * abs(total) ** 2
        rows.append(np.log(np.maximum(row, 1e-10)))
    return np.array(rows)


@pytest.mark.parametrize(("mels", "low", "high", "preemphasis"), [(8, 20, None, 0.97), (5, 300, 1_500, 0.0)])
def test_features_are_those_of_the_formula(mels, low, high, preemphasis):
    rate, samples = 4_000, noise(220)
    features = LogMel(rate, mels, low=low, high=high, preemphasis=preemphasis)
    wanted = by_the_formula(samples.astype(np.float64), rate, mels, low, high or rate / 2, preemphasis, features.size)
    found = features(samples)
    assert found.dtype == np.float32 and found.shape == wanted.shape == (4, mels)
    # Sums of a hundred squares in float32.
    np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_a_tone_is_loudest_in_its_own_band():
    features = LogMel()
    for frequency in (200, 1_000, 5_000):
        wave = np.sin(2 * np.pi * frequency * np.arange(16_000) / 16_000).astype(np.float32)
        band = int(features(wave).mean(axis=0).argmax())
        own = features.filters[round(frequency * features.size / 16_000)]
        assert own[band] == own.max()


@pytest.mark.parametrize("count", [1, 399, 400, 401, 559, 560, 800, 16_000])
def test_frames_are_counted_without_computing_them(count):
    features = LogMel(mels=40)
    found = features(noise(count))
    assert len(found) == features.frames(count) == 1 + max(count - 400, 0) // 160
    assert np.isfinite(found).all()


def test_silence_is_the_floor_and_no_infinity():
    np.testing.assert_allclose(LogMel()(np.zeros(800, np.float32)), np.log(1e-10), rtol=1e-6)


@pytest.mark.parametrize("largest", [50, 700, 40_000])
@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_chunks_of_any_size_give_the_frames_of_the_whole(rate, largest):
    features, samples, random = LogMel(rate, 40), noise(2 * rate + 33), np.random.default_rng(1)
    stream, found, place = LogMelStream(features), [], 0
    while place < len(samples):
        size = int(random.integers(0, largest))
        found.append(stream.feed(samples[place : place + size]))
        place += size
    found = np.concatenate([*found, stream.finish()])
    whole = features(samples)
    assert found.shape == whole.shape
    # float32 sums over other blocks: the last bit of numbers of about 10.
    np.testing.assert_allclose(found, whole, atol=4e-6)


def test_a_frame_comes_as_soon_as_its_window_is_full():
    stream = LogMelStream(LogMel())
    assert [len(stream.feed(noise(size))) for size in (399, 1, 159, 1, 320)] == [0, 1, 0, 1, 2]
    assert len(stream.finish()) == 0


def test_a_sound_shorter_than_a_window_is_one_frame_at_its_end():
    features, stream = LogMel(), LogMelStream(LogMel())
    assert len(stream.feed(noise(100))) == 0
    np.testing.assert_allclose(stream.finish(), features(noise(100)), atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100, 8_000])
def test_a_microphone_of_another_rate_gives_the_features_of_the_whole(rate):
    features, samples = LogMel(mels=40), noise(rate)
    stream = FeatureStream(features, rate, lambda frames: frames / 2)
    pieces = [stream.feed(samples[start : start + rate // 9]) for start in range(0, rate, rate // 9)]
    assert len(stream.feed([])) == 0 and stream.feed([]).shape == (0, 40)
    found = np.concatenate([*pieces, stream.finish()])
    np.testing.assert_allclose(found, features(resample(samples, rate, 16_000)) / 2, atol=2e-3)


def test_a_microphone_of_two_channels_gives_samples_first_however_few():
    features, samples = LogMel(mels=40), noise(900)
    stream = FeatureStream(features, 16_000, lambda frames: frames)
    both = np.stack([samples * 2, np.zeros_like(samples)], axis=1)
    found = [stream.feed(both[:1]), stream.feed(both[1:3]), stream.feed(both[3:])]
    np.testing.assert_allclose(np.concatenate(found), features(samples), atol=4e-6)


def test_features_take_less_than_a_hundredth_of_the_sound():
    features, samples = LogMel(), noise(30 * 16_000)
    taken = []
    for _ in range(3):
        start = time.process_time()
        features(samples)
        taken.append(time.process_time() - start)
    assert min(taken) < 30 / 100


def test_more_bands_than_frequencies_lengthen_the_transform():
    assert LogMel(mels=80).size == 512
    finer = LogMel(mels=128)
    assert finer.size == 1024 and finer.filters.shape == (513, 128) and (finer.filters.max(axis=0) > 0).all()
    assert finer(noise(400)).shape == (1, 128)


BAD = {
    "rate": ({"rate": 0}, "rate must be a whole number from 1,000"),
    "mels": ({"mels": 0}, "mels must be a whole number of at least 1"),
    "too many mels": ({"mels": 1_500}, "mels must be so few that each has a frequency, got 1500"),
    "window": ({"window_seconds": 0}, "window_seconds must be at least one sample"),
    "step": ({"step_seconds": 0.05}, "step_seconds must be at most window_seconds"),
    "high": ({"high": 9_000}, "0 <= low < high <= 8000"),
    "low": ({"low": 5_000, "high": 4_000}, "got 5000 and 4000"),
    "preemphasis": ({"preemphasis": 1}, "preemphasis must be at least 0 and under 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_work_is_refused(case):
    arguments, message = BAD[case]
    with pytest.raises(ZooValueError, match=message):
        LogMel(**arguments)
