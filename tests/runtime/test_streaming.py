"""A stream says what one pass over the whole says, however its samples are cut."""

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.runtime.streaming import SpeechStream
from attention_zoo.search.ctc import greedy

pytestmark = pytest.mark.once

FACTOR, CHUNK, UNITS = 4, 16, 7


class Frames:
    """Features that are the samples themselves, one band; the last two are held back."""

    def __init__(self):
        self.held = np.zeros(0, "float32")

    def feed(self, samples):
        self.held = np.concatenate([self.held, samples])
        out, self.held = self.held[:-2], self.held[-2:]
        return out[:, None]

    def finish(self):
        out, self.held = self.held, self.held[:0]
        return out[:, None]


def logits_of(features):
    """Say a unit for each step by the sum of its frames."""
    steps = -(-len(features) // FACTOR)
    sums = np.array([features[FACTOR * step : FACTOR * (step + 1)].sum() for step in range(steps)])
    units = np.arange(UNITS)
    return -np.abs(units - np.abs(sums[:, None]) % UNITS)


def step(inputs):
    """Remember how many chunks were read, and say units of this one."""
    real = int(inputs["frames"][0])
    logits = np.full((1, CHUNK // FACTOR, UNITS), -1e4)
    logits[..., 0] = 0.0
    found = logits_of(inputs["features"][0, :real])
    logits[0, : len(found)] = found
    return {"ctc": logits, "new_chunks": inputs["state_chunks"] + 1}


def stream():
    return SpeechStream(
        Frames(), step, {"state_chunks": np.zeros(1)}, CHUNK, FACTOR, lambda ids: "".join(map(str, ids))
    )


@pytest.mark.parametrize("cut", [1, 5, 16, 1000])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 203])
def test_pieces_of_any_size_say_what_the_whole_says(length, cut):
    sound = np.random.default_rng(length).normal(size=length).astype("float32") * 3
    logits = logits_of(sound[:, None])
    wanted = greedy(logits[None] - np.logaddexp.reduce(logits, axis=-1, keepdims=True)[None])[0]
    made = stream()
    said = [made.feed(sound[start : start + cut]) for start in range(0, length, cut)]
    done = made.finish()
    assert done.text == "".join(map(str, wanted.token_ids))
    np.testing.assert_allclose(done.score, wanted.score, atol=1e-4)
    assert all(done.text.startswith(one) for one in said)


def test_a_stream_that_has_ended_takes_no_more():
    made = stream()
    made.feed(np.ones(3, "float32"))
    assert made.finish() == made.finish()
    with pytest.raises(ZooValueError, match="this stream has ended"):
        made.feed(np.ones(3, "float32"))


def test_a_stream_without_sound_says_nothing():
    made = stream()
    assert made.feed(np.zeros(0, "float32")) == ""
    assert made.finish().text == ""
