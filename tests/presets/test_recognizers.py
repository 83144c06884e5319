"""The pretrained recognizers: the same words on every backend, their times, and what they say to silence."""

import numpy as np
import pytest

import attention_zoo as az
from attention_zoo.audio import read_sound

# As every backend wrote them when the presets were made: as loaded, and greedily. Two of an4 are wrong ("j o h n",
# "november ninth sixty five"); the digits are all right.
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WRITTEN = {
    ("an4_conformer", "beam"): ["no", "no", "enter seven", "ten o eight seven", "ener ninet sixty five"],
    ("an4_conformer", "greedy"): ["no", "no", "enter seven", "tje o eight en", "enuer ninet sixty five"],
    ("fsdd_conformer", "beam"): DIGITS,
    ("fsdd_conformer", "greedy"): DIGITS,
}
SEARCHES = {"beam": {}, "greedy": {"beam": 1, "lm_weight": 0.0}}
STREAMING = "an4_streaming"


def sounds_of(name):
    return list(az.data.load(name, sample=True)["test"]["sound"])


@pytest.mark.parametrize(("name", "search"), WRITTEN)
def test_every_backend_writes_the_recorded_words(name, search):
    found = az.load(name).transcribe(sounds_of(name.split("_")[0]), **SEARCHES[search])
    assert [one.text for one in found] == WRITTEN[name, search]


@pytest.mark.once
def test_words_stand_in_order_within_the_sound():
    task, sound = az.load("an4_conformer"), sounds_of("an4")[4]
    (found,) = task.transcribe(sound, timestamps=True)
    assert [word.text for word in found.words] == found.text.split() and len(found.words) == 4
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0 and times[-1] <= len(read_sound(sound, task.preprocessor.rate)) / task.preprocessor.rate + 0.1


@pytest.mark.once
def test_silence_has_no_words():
    assert az.load("an4_conformer").transcribe((np.zeros(16_000, "float32"), 16_000))[0].text == ""


@pytest.mark.once
def test_another_rate_and_two_channels_change_no_word():
    task, sound = az.load("an4_conformer"), sounds_of("an4")[2]
    samples = read_sound(sound, 16_000)
    wide = np.stack([np.repeat(samples, 3)] * 2, axis=1)
    assert task.transcribe((wide, 48_000))[0].text == task.transcribe(sound)[0].text


def test_a_stream_writes_what_the_whole_sound_says():
    task = az.load(STREAMING)
    for sound in sounds_of("an4"):
        samples, stream = read_sound(sound, 16_000), task.stream(16_000)
        for start in range(0, len(samples), 1600):
            stream.feed(samples[start : start + 1600])
        assert stream.finish().text == task.transcribe(sound, beam=1, lm_weight=0.0)[0].text
    assert task.latency == pytest.approx(0.64)
