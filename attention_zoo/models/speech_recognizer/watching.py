"""What a recognizer tells of its own attention: when it heard what it wrote, and whether that is true."""

import abc
from typing import Any

import numpy as np

from attention_zoo.models.speech_recognizer import examples as reading
from attention_zoo.models.task import Task


class Watching(Task):
    """Base of `SpeechRecognizer`."""

    methods = ("alignment", "attention", "gradient", "occlusion")

    @abc.abstractmethod
    def transcribe(self, sounds: Any, **search: Any) -> list:
        """Write down what is said."""

    def explain(self, sound: Any, text: str | None = None, **search: Any) -> Any:
        """Say when the recognizer heard each unit of what it wrote.

        Args:
            sound: one, as for `transcribe`; a long one is cut to its first `max_seconds`, and this is said.
            text: what is said to be written, in place of the recognizer's own transcript.
            **search: as for `transcribe`.

        Returns:
            An `Alignment` of the units with steps of time, to be saved as .html, .png, .svg or .json. Its weights are
            those of the decoder's attention, or, where there is none, the probability that CTC's path is there.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if the sound cannot be read or is silent to the recognizer.
        """
        # Imported here: it brings the drawing parts, which transcripts can do without.
        from attention_zoo.models.speech_recognizer.explaining import aligned

        reading.check_one(sound)
        score = None
        if text is None:
            best = self.transcribe(sound, **search)[0]
            text, score = best.text, best.score
        return aligned(self, sound, text, score)

    def network_inputs(self, inputs: Any) -> dict[str, np.ndarray]:
        """Return what the network reads of sounds and, where there is a decoder, of what it writes from them."""
        from attention_zoo.models.speech_recognizer.explaining import with_units

        arrays = self.preprocessor(inputs)
        if not self.config.decodes:
            return arrays
        return with_units(arrays, self.preprocessor.targets([one.text for one in self.transcribe(inputs)]))

    def answered(self, given: Any, answer: str | None = None) -> str:
        """Return the transcript that is to be explained."""
        reading.check_one(given)
        return self.transcribe(given)[0].text if answer is None else answer

    def trial(self, given: Any, answer: str, method: str) -> Any:
        """Return what an explanation calls important, stretch by stretch, and how versions of a sound are scored."""
        from attention_zoo.models.speech_recognizer import hiding

        return hiding.Trial(self, given, answer).tried(method)
