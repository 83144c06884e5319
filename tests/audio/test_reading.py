"""Reading sounds: whatever file or array, one channel of float32 at one rate; what is wrong is one sentence."""

import io
import re
import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile

from attention_zoo.audio import Resampler, Sound, as_items, blocks, info, read_sound, resample
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once


def tone(rate=16_000, seconds=0.5, frequency=440.0, loudness=0.5):
    return (loudness * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def written(name, samples, rate=16_000, **options):
        soundfile.write(tmp_path / name, samples, rate, **options)
        return tmp_path / name

    return written


# What a format loses: a step of its whole numbers (soundfile cuts them off); of Ogg what a listener does not hear.
FORMATS = {
    "wav": ("a.wav", {"subtype": "PCM_16"}, 3.1e-5),
    "8 bits": ("a.wav", {"subtype": "PCM_U8"}, 8e-3),
    "24 bits": ("a.wav", {"subtype": "PCM_24"}, 1e-6),
    "float": ("a.wav", {"subtype": "DOUBLE"}, 1e-7),
    "a-law": ("a.wav", {"subtype": "ALAW"}, 2e-2),
    "flac": ("a.flac", {}, 3.1e-5),
    "ogg": ("a.ogg", {}, 5e-2),
    "opus": ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 5e-2),
    "sphere": ("a.sph", {"format": "NIST", "subtype": "PCM_16"}, 3.1e-5),
}


@pytest.mark.parametrize("case", FORMATS)
@pytest.mark.parametrize("as_bytes", [False, True])
def test_files_of_many_kinds_are_the_same_sound(case, as_bytes, write):
    name, options, tolerance = FORMATS[case]
    path = write(name, tone(), **options)
    found = read_sound(path.read_bytes() if as_bytes else path)
    assert found.dtype == np.float32 and found.shape == (8_000,)
    middle = slice(500, -500)  # an Ogg encoder fades in
    np.testing.assert_allclose(found[middle], tone()[middle], atol=tolerance)


def test_channels_become_their_mean(write):
    left, right = tone(frequency=300), tone(frequency=500)
    both = np.stack([left, right], axis=1)
    mean = (left + right) / 2
    np.testing.assert_allclose(read_sound(write("a.wav", both, subtype="FLOAT")), mean, atol=1e-7)
    for array in (both, both.T):
        np.testing.assert_allclose(read_sound((array, 16_000)), mean, atol=1e-7)


def test_whole_numbers_are_scaled_by_their_kind():
    wave = tone(loudness=0.5).astype(np.float64)
    kinds = {
        "int16": np.round(wave * 2**15).astype(np.int16),
        "int32": np.round(wave * 2**31).astype(np.int32),
        "int8": np.round(wave * 2**7).astype(np.int8),
        "uint8": np.round(wave * 2**7 + 128).astype(np.uint8),
        "float64": wave,
        "float16": wave.astype(np.float16),
    }
    for kind, array in kinds.items():
        # Half a step of 8 bits; float16 has 11 bits.
        np.testing.assert_allclose(read_sound(Sound(array, 16_000)), wave, atol=4.1e-3, err_msg=kind)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_every_rate_becomes_the_one_that_is_wanted(rate, write):
    path = write("a.wav", tone(rate, frequency=1_000.0), rate, subtype="FLOAT")
    found = read_sound(path)
    assert len(found) == 8_000
    # The filter lets 1 kHz pass within 1 %; both ends swing.
    np.testing.assert_allclose(found[200:-200], tone(frequency=1_000.0)[200:-200], atol=6e-3)


def test_what_is_above_half_the_new_rate_is_gone():
    found = resample(tone(48_000, frequency=11_000.0), 48_000, 16_000)
    assert np.abs(found[200:-200]).max() < 0.002 * 0.5  # 54 dB lower; an alias would be as loud as the tone


@pytest.mark.parametrize("source", [8_000, 14_400, 16_000, 22_050, 44_100, 44_101, 96_000])
def test_a_sound_that_comes_in_chunks_is_resampled_as_the_whole(source):
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, 3 * source + 17).astype(np.float32)
    resampler, found, place = Resampler(source, 16_000), [], 0
    while place < len(samples):
        size = int(random.integers(1, 5_000))
        found.append(resampler.feed(samples[place : place + size]))
        place += size
    found = np.concatenate([*found, resampler.finish()])
    whole = resample(samples, source, 16_000)
    # The same products in the same order; only their sums may be rounded otherwise.
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert len(found) == len(whole)


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("kind", ["file", "array"])
def test_blocks_put_together_are_the_whole_without_clicks(rate, kind, write):
    samples = np.random.default_rng(0).normal(0, 0.1, 3 * rate).astype(np.float32)
    source = write("a.wav", samples, rate, subtype="FLOAT") if kind == "file" else (samples, rate)
    pieces = list(blocks(source, seconds=0.37))
    assert len(pieces) >= 8
    np.testing.assert_allclose(np.concatenate(pieces), read_sound(source), atol=1e-6)


def test_a_long_file_is_read_with_the_memory_of_a_block(write):
    path = write("a.flac", np.zeros(10 * 60 * 22_050, np.int16), 22_050)
    tracemalloc.start()
    with pytest.warns(UserWarning, match="silence"):
        count = sum(len(piece) for piece in blocks(path, seconds=5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10 * 60 * 16_000
    assert peak < 8 * 2**20  # the whole are 53 MB


def test_the_head_of_a_file_says_how_long_it_is(write):
    path = write("a.wav", np.zeros((22_050, 2)), 44_100, subtype="PCM_16")
    found = info(path)
    assert (found.samples, found.rate, found.channels, found.seconds) == (22_050, 44_100, 2, 0.5)
    assert found.format == "WAV PCM_16"
    assert info((np.zeros((2, 800)), 8_000)).seconds == 0.1


def test_one_or_several():
    pair, one = (tone(), 16_000), Sound(tone(), 8_000)
    assert as_items("a.wav") == ["a.wav"] and as_items(pair) == [pair] and as_items(one) == [one]
    assert as_items(("a.wav", "b.wav")) == ["a.wav", "b.wav"] and as_items((pair, pair)) == [pair, pair]
    assert as_items(np.array(["a.wav", "b.wav"])) == ["a.wav", "b.wav"]
    assert as_items(each for each in [b"x", one]) == [b"x", one]


def holed(value):
    samples = tone()
    samples[[70, 90]] = value
    return samples


BAD = {
    "no samples": ((np.zeros(0), 16_000), ZooValueError, "sound holds no samples"),
    "NaN": (
        (holed(np.nan), 16_000),
        ZooValueError,
        "2 samples of 8,000 that are NaN or infinite, the first is number 70",
    ),
    "infinite": ((holed(np.inf), 16_000), ZooValueError, "NaN or infinite"),
    "array alone": (tone(), ZooTypeError, "must come with a rate: a pair"),
    "list of numbers": ([0.1, 0.2], ZooTypeError, "must be a path, bytes or a pair"),
    "arrays alone": ([tone()], ZooTypeError, r"sounds\[0\] must come with a rate"),
    "negative rate": ((tone(), -16_000), ZooValueError, "rate of sound must be a whole number from 1,000"),
    "rate in kHz": ((tone(), 16), ZooValueError, r"from 1,000 to 768,000 \(Hz\), got 16"),
    "no rate": ((tone(), None), ZooValueError, "rate of sound must be a whole number"),
    "three parts": ([(tone(), 16_000, 1)], ZooTypeError, r"sounds\[0\] must be a pair \(array, rate\), got 3 parts"),
    "64 bits": ((np.ones(9, np.int64), 16_000), ZooTypeError, "got int64"),
    "complex": ((np.ones(9, complex), 16_000), ZooTypeError, "got complex128"),
    "not scaled": ((tone() * 32_768, 16_000), ZooValueError, "float samples from -1 to 1, got one of 16,384"),
    "three axes": ((np.ones((2, 2, 2)), 16_000), ZooValueError, r"got shape \[2, 2, 2\]"),
    "picture": ((np.ones((99, 99)), 16_000), ZooValueError, "at most 32 channels"),
    "nothing": ([], ZooValueError, "at least one sound"),
    "none": (None, ZooTypeError, "got NoneType"),
    "no bytes": (b"", ZooValueError, "is empty"),
    "other bytes": (b"hello, I am no sound", ZooValueError, "is no sound that can be read, or is damaged: Format"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_one_clear_sentence(case):
    given, kind, message = BAD[case]
    with pytest.raises(kind, match=message) as caught:
        for item in as_items(given):
            read_sound(item)
    assert "\n" not in str(caught.value)


def test_bad_files_are_named(tmp_path, write):
    (tmp_path / "text.wav").write_text("I am a text\n" * 100)
    (tmp_path / "none.wav").write_bytes(b"")
    whole = write("whole.flac", tone()).read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    write("head.wav", np.zeros(0))
    write("holes.wav", holed(np.nan), subtype="FLOAT")
    cases = {
        "text.wav": "is no sound that can be read, or is damaged",
        "none.wav": "is empty: no bytes of a sound",
        "cut.flac": "is no sound that can be read, or is damaged",
        "missing.wav": "does not exist",
        "": "is a folder, no sound",
        "head.wav": "holds no samples",
        "holes.wav": "2 samples of 8,000 that are NaN",
    }
    for name, message in cases.items():
        with pytest.raises((ZooFileError, ZooValueError), match=re.escape(str(tmp_path / name)) + ".*" + message):
            read_sound(tmp_path / name)
        with pytest.raises((ZooFileError, ZooValueError), match=message):
            list(blocks(str(tmp_path / name)))


def test_clipping_and_silence_are_told_and_let_through(write):
    clipped = np.clip(tone(loudness=3.0), -1, 1)
    share = np.mean(np.abs(clipped) >= 0.999)
    path = write("a.wav", clipped, subtype="FLOAT")
    with pytest.warns(UserWarning, match=rf"a\.wav\) is clipped: {share:.1%} of its samples are at full sc") as caught:
        np.testing.assert_array_equal(read_sound(path), clipped)
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match="is clipped"):
        assert np.abs(read_sound((tone(loudness=1.5), 16_000))).max() == 1
    with pytest.warns(UserWarning, match="nothing but silence"):
        assert not read_sound((np.zeros(800), 16_000)).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = []
        read_sound(path, report=lambda *fault: told.append(fault[0]))
        assert told == ["clipped"]
        assert len(read_sound((tone(seconds=0.05), 16_000))) == 800


def test_a_file_in_memory_is_bytes_and_not_a_stream():
    with pytest.raises(ZooTypeError, match="got BytesIO"):
        read_sound(io.BytesIO(b"RIFF"))
