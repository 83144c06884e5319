"""From features to what a search finds in them, on the backend of Keras."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from attention_zoo.audio import SpeechPreprocessor
from attention_zoo.blocks import StreamingEncoder, StreamingStep
from attention_zoo.blocks.decode import Generator, decode, in_batches
from attention_zoo.calibrate.reweight import apart
from attention_zoo.models.speech_recognizer.network import CTC, DECODER, ENCODER, MASK, MEMORY
from attention_zoo.runtime.transcription import Found, Heard, Hearing, by_ctc, by_decoder
from attention_zoo.search import Decoding

KEPT = 8  # searches of different settings that stay compiled
WIDE = 128  # frames that widths are rounded up to: few shapes are compiled

Rows = Sequence[np.ndarray]


class Listener:
    """Search in features with one network; what it compiles is kept.

    Args:
        model: a network of the family, with rules of attention or without.
        preprocessor: of the model, with the language model where there is one.
    """

    def __init__(self, model: keras.Model, preprocessor: SpeechPreprocessor):
        self.model, self.preprocessor = model, preprocessor
        self.network, self._ruled = apart(model)
        inputs = {tensor.name: tensor for tensor in self.network.inputs}
        self.decodes = "target_ids" in inputs
        self.sound = {name: inputs[name] for name in ("features", "frames")}
        self.factor = self.network.get_layer(ENCODER).factor
        told = {"ctc": self.network.get_layer(CTC).output}
        self.ctc = self._ruled(keras.Model(self.sound, told, name="listening"))
        self._generators: dict[Decoding, keras.Model] = {}

    @property
    def streams(self) -> bool:
        """True where the encoder goes chunk by chunk."""
        return isinstance(self.network.get_layer(ENCODER), StreamingEncoder)

    @property
    def step_seconds(self) -> float:
        """Seconds of a step."""
        return self.factor * self.preprocessor.log_mel.step_seconds

    def heard(
        self, rows: Rows, starts: Sequence[float], settings: Hearing, batch_size: int, timestamps: bool
    ) -> list[Heard]:
        """Search in pieces of sounds.

        Args:
            rows: features of each piece, float32 [frames, mels].
            starts: of each piece in its sound (seconds).
            settings: of the search.
            batch_size: pieces run at once, at least 1.
            timestamps: whether log-probabilities of CTC are wanted in any case.
        """
        language, units = self.preprocessor.language, self.preprocessor.units
        joint = self.decodes and settings.ctc_weight < 1
        chances = [np.zeros((0, 1))] * len(rows) if joint and not timestamps else self.chances(rows, batch_size)
        if joint:
            found = self._by_decoder(rows, settings, batch_size)
        else:
            found = [by_ctc(one, settings, language, units.separator) for one in chances]
        return [Heard(*one) for one in zip(found, chances, starts)]

    def _arrays(self, rows: Rows) -> dict[str, np.ndarray]:
        return self.preprocessor.arrays(rows, WIDE)

    def chances(self, rows: Rows, batch_size: int) -> list[np.ndarray]:
        """Return what CTC says of features: log-probabilities float32 [steps, units] each."""
        found: list[Any] = [None] * len(rows)
        for chosen, inputs in in_batches(
            [len(row) for row in rows], lambda few: self._arrays([rows[n] for n in few]), batch_size
        ):
            logits = np.asarray(self.ctc.predict_on_batch(inputs)["ctc"], "float32")
            told = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
            for row, number in zip(told, chosen):
                found[number] = row[: -(-len(rows[number]) // self.factor)]
        return found

    @cached_property
    def step(self) -> StreamingStep:
        """What reads one chunk of a stream, without rules; it tells the state before the first one."""
        return StreamingStep(self.network.get_layer(ENCODER), {"ctc": self.network.get_layer(CTC)}, name="stream")

    @cached_property
    def stepping(self) -> keras.Model:
        """The model that reads one chunk of a stream, with the rules of the network."""
        return self._ruled(self.step)

    def _by_decoder(self, rows: Rows, settings: Hearing, batch_size: int) -> list[Found]:
        told = decode(self.generator(settings.of_decoder()), rows, batch_size=batch_size, arrays=self._arrays)
        return by_decoder(told, settings, self.preprocessor.language)

    def generator(self, settings: Decoding) -> keras.Model:
        """Return the model that runs a search, compiled once for each setting."""
        if settings not in self._generators:
            while len(self._generators) >= KEPT:
                self._generators.pop(next(iter(self._generators)))
            layers = {"memory": MEMORY, "memory_mask": MASK, "ctc": CTC}
            outputs = {name: self.network.get_layer(layer).output for name, layer in layers.items()}
            encoder = keras.Model(self.sound, outputs, name="encoder")
            decoder = self.network.get_layer(DECODER)
            self._generators[settings] = self._ruled(Generator(encoder, decoder, settings, name="generator"))
        return self._generators[settings]
