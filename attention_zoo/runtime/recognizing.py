"""Transcribe with a bundle: from a sound file to words with NumPy, soundfile and onnxruntime."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.runtime.generating import ENCODER, STEP, GeneratingRunner
from attention_zoo.runtime.streaming import SpeechStream
from attention_zoo.runtime.transcription import Found, Heard, Hearing, Transcript, by_ctc, by_decoder, transcribed

STREAM = "stream"


class SpeechRunner(GeneratingRunner):
    """Transcribe with an exported recognizer; made by `runtime.load`.

    Attributes:
        preprocessor: the bundle's, with its language model where there is one.
        description: the contents of `bundle.json`; its "hearing" holds what a search does where nothing is asked for.
    """

    keys = ("hearing", "factor")
    needs = (ENCODER,)
    options = ("beam", "nbest", "timestamps")

    @property
    def decodes(self) -> bool:
        """True where there is a decoder beside CTC."""
        return STEP in self.graphs

    @property
    def step_seconds(self) -> float:
        """Seconds of a step."""
        return self.description["factor"] * self.preprocessor.log_mel.step_seconds

    def transcribe(
        self,
        sounds: Any,
        beam: int | None = None,
        nbest: int = 1,
        timestamps: bool = False,
        *,
        batch_size: int = 16,
        **search: Any,
    ) -> list[Transcript]:
        """Write down what is said.

        A sound longer than the preprocessor's `max_seconds` is cut where it is quiet.

        Args:
            sounds: one or many: paths, bytes of files, pairs (array, rate), `attention_zoo.audio.Sound`s.
            beam: hypotheses kept alive; 1 is greedy search, None is the bundle's own.
            nbest: transcripts of each sound, at most `beam`.
            timestamps: whether words come with their times (seconds).
            batch_size: pieces run at once, at least 1.
            **search: further fields of `Hearing`: ctc_weight, lm_weight, length_bonus, max_length.

        Returns:
            One `Transcript` a sound, in order.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a sound cannot be read or a number cannot work.
        """
        preprocessor = self.preprocessor
        asked = {"beam": beam, "nbest": nbest, **search}
        settings = Hearing.of(self.description["hearing"], asked, preprocessor.language)
        rows, starts, counts = preprocessor.rows(sounds)
        heard = iter(self._heard(rows, starts, settings, whole_number("batch_size", batch_size)))
        timing = (preprocessor.units, self.step_seconds) if timestamps else None
        return [
            transcribed([next(heard) for _ in range(count)], preprocessor.decode, settings.nbest, timing)
            for count in counts
        ]

    def _heard(
        self, rows: Sequence[np.ndarray], starts: Sequence[float], settings: Hearing, batch_size: int
    ) -> list[Heard]:
        """Return what the search finds in each piece's features."""
        found: list[Any] = [None] * len(rows)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        for first in range(0, len(order), batch_size):
            chosen = order[first : first + batch_size]
            inputs = self.preprocessor.arrays([rows[number] for number in chosen])
            encoded = self.run(inputs, graph=ENCODER)
            logits = encoded["ctc"]
            told = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
            chances = [row[: -(-len(rows[n]) // self.description["factor"])] for row, n in zip(told, chosen)]
            best = self._found(encoded, chances, settings)
            for number, hypotheses, chance in zip(chosen, best, chances):
                found[number] = Heard(hypotheses, chance, starts[number])
        return found

    def _found(self, encoded: Mapping[str, Any], chances: Sequence[np.ndarray], settings: Hearing) -> list[Found]:
        language, units = self.preprocessor.language, self.preprocessor.units
        if not self.decodes or settings.ctc_weight == 1:
            return [by_ctc(one, settings, language, units.separator) for one in chances]
        return by_decoder(self.search(encoded, settings.of_decoder()), settings, language)

    def stream(self, rate: int | None = None) -> SpeechStream:
        """Return what transcribes one sound while it comes.

        Args:
            rate: of the samples that will come (Hz); None is that of the features.

        Returns:
            A `SpeechStream`, with `feed(samples)` and `finish()`.

        Raises:
            ZooValueError: if the bundle has no graph for it, or the rate is none.
        """
        if STREAM not in self.graphs:
            raise ZooValueError("a stream wants a bundle of network 'streaming', and this one has no graph for it")
        state = {}
        for entry in self.description["graphs"][STREAM]["inputs"]:
            if entry["name"].startswith("state_"):
                state[entry["name"]] = np.zeros((1, *entry["shape"][1:]), entry["dtype"])
        features, write = self.preprocessor.stream(rate), self.preprocessor.decode
        factor, chunk = self.description["factor"], self.description["chunk"]
        return SpeechStream(features, lambda inputs: self.run(inputs, graph=STREAM), state, chunk, factor, write)

    def records(self, inputs: Sequence[str], **options: Any) -> Iterable[dict[str, Any]]:
        """Transcribe sounds, one dict each; options as for `transcribe`."""
        noun = self.preprocessor.noun
        for one, found in zip(inputs, self.transcribe(list(inputs), **options)):
            yield {noun: str(one), **found.record()}
