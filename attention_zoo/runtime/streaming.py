"""Transcribe while somebody speaks: chunks of sound in, words so far out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.runtime.transcription import Transcript
from attention_zoo.search.ctc import BLANK, SILENT


class SpeechStream:
    """Transcribe one sound that comes in pieces, as from a microphone; made by `stream` of a task or a runner.

        stream = model.stream(rate=48_000)
        for samples in microphone:
            print(stream.feed(samples))
        print(stream.finish().text)

    At each step the likeliest unit is taken (greedy), so that what was said is never taken back.

    Args:
        features: turns samples into features, with `feed` and `finish`.
        step: one step of the network, from {"features" [1, chunk, mels], "frames" [1], "state_<name>"} to {"ctc" [1,
            steps, units], "new_<name>"}.
        state: inputs "state_<name>" before anything was read.
        frames: in a chunk.
        factor: frames in a step.
        write: turns ids of units into text.
    """

    def __init__(
        self,
        features: Any,
        step: Callable[[dict[str, Any]], Mapping[str, Any]],
        state: Mapping[str, Any],
        frames: int,
        factor: int,
        write: Callable[[list[int]], str],
    ) -> None:
        self._features, self._step, self._state, self._write = features, step, dict(state), write
        self.frames, self.factor = frames, factor
        self._waiting: list[np.ndarray] = []
        self._ids: list[int] = []
        self._last, self._score, self._done = BLANK, 0.0, False

    @property
    def text(self) -> str:
        """What was said so far."""
        return self._write(self._ids)

    def feed(self, samples: Any) -> str:
        """Take the next samples, of whatever number, and return what was said so far.

        Args:
            samples: [samples] or [samples, channels] at the rate of the stream; may be empty.

        Raises:
            ZooValueError, ZooTypeError: if it is no sound, or the stream has ended.
        """
        if self._done:
            raise ZooValueError("this stream has ended; make another for another sound")
        self._listen(self._features.feed(samples), last=False)
        return self.text

    def finish(self) -> Transcript:
        """Return what was said, once the sound has ended."""
        if not self._done:
            self._listen(self._features.finish(), last=True)
            self._done = True
        return Transcript(self.text, self._score)

    def _listen(self, fresh: np.ndarray, last: bool) -> None:
        """Read all whole chunks, and at the end what is left."""
        waiting = np.concatenate([*self._waiting, fresh]) if self._waiting else fresh
        while len(waiting) >= self.frames:
            self._read(waiting[: self.frames])
            waiting = waiting[self.frames :]
        if last and len(waiting):
            self._read(waiting)
            waiting = waiting[:0]
        self._waiting = [waiting] if len(waiting) else []

    def _read(self, features: np.ndarray) -> None:
        real = len(features)
        chunk = np.zeros((1, self.frames, features.shape[1]), "float32")
        chunk[0, :real] = features
        told = self._step({"features": chunk, "frames": np.array([real], "int32"), **self._state})
        self._state = {f"state_{name[4:]}": value for name, value in told.items() if name.startswith("new_")}
        logits = np.array(told["ctc"], "float64")[0, : -(-real // self.factor)]
        chances = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        chances[:, [one for one in SILENT if one < chances.shape[1]]] = -np.inf
        for row in chances:
            unit = int(row.argmax())
            self._score += float(row[unit])
            if unit not in (BLANK, self._last):
                self._ids.append(unit)
            self._last = unit
