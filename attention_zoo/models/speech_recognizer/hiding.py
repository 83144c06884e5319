"""Whether an explanation of a transcript is true: stretches of the sound are hidden, and what was written is scored."""

from typing import Any

import numpy as np

from attention_zoo.calibrate.capture import capture, output_name
from attention_zoo.calibrate.faithfulness import occlusion
from attention_zoo.calibrate.gradients import attention_gradients
from attention_zoo.models.inspecting import Score
from attention_zoo.models.speech_recognizer.explaining import aligned, crossing, said_ids, with_units
from attention_zoo.models.speech_recognizer.network import ENCODER
from attention_zoo.models.versions import in_rows
from attention_zoo.search import EOS_ID
from attention_zoo.search.ctc_posterior import log_probability, occupancies
from attention_zoo.visualise.rollout import attention_rollout

PARTS = 24  # stretches that a sound is cut into, at most
CTC, TOKENS = "ctc", "tokens"


class Trial:
    """One sound, what was written, and how both go together when stretches of the sound are hidden.

    A stretch that is hidden has the mean features of the training data. Where a decoder writes, it is asked for its
    own units; else all paths of CTC that say them count.

    Args:
        task: a `SpeechRecognizer`.
        sound: one.
        written: its transcript.

    Raises:
        ZooFileError, ZooValueError, ZooTypeError: if the sound cannot be read, or nothing was written.
    """

    def __init__(self, task: Any, sound: Any, written: str):
        self.task, self.sound, self.written = task, sound, written
        self.ids = said_ids(task, written)
        self.inputs = task.preprocessor([sound])
        factor, frames = task.listener.factor, int(self.inputs["frames"][0])
        self.steps = -(-frames // factor)
        if task.config.decodes:
            self.inputs = with_units(self.inputs, [self.ids])
        starts = np.linspace(0, self.steps, min(PARTS, self.steps) + 1).astype(int)[:-1]
        self.starts, self.owners = starts, np.searchsorted(starts, np.arange(self.steps), side="right") - 1
        self._of_frames = np.repeat(self.owners, factor)[:frames]

    def score(self, shown: np.ndarray) -> np.ndarray:
        """Return the probability of what was written, the geometric mean of its units: [versions]."""
        return in_rows(lambda chosen: self._chances(shown[chosen]), len(shown))

    def _chances(self, shown: np.ndarray) -> np.ndarray:
        inputs = {name: np.repeat(array, len(shown), axis=0) for name, array in self.inputs.items()}
        inputs["features"][:, : len(self._of_frames)] *= shown[:, self._of_frames, None]
        found = self._told(inputs)
        if self.task.config.decodes:
            truth = np.append(self.ids, EOS_ID)
            return np.exp(found[:, np.arange(len(truth)), truth].mean(axis=1))
        return np.exp(log_probability(found[:, : self.steps], self.ids) / len(self.ids))

    def _told(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Return log-probabilities of units, [versions, steps (of a decoder: units), vocabulary]."""
        logits = np.asarray(self.task.model.predict_on_batch(inputs)[self._output], np.float32)
        return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)

    @property
    def _output(self) -> str:
        return TOKENS if self.task.config.decodes else CTC

    def tried(self, method: str) -> tuple[np.ndarray, Score]:
        """Return what an explanation says of each stretch, and how versions of the sound are scored."""
        return self.importance(method), self.score

    def importance(self, method: str) -> np.ndarray:
        """Return what an explanation says of each stretch: the sum over its steps.

        Args:
            method: "alignment" (what `explain` draws: when each unit was heard), "attention" (of a decoder the same;
                else the encoder's maps followed through its layers), "gradient" or "occlusion".
        """
        if method == "occlusion":
            return occlusion(self.score, len(self.starts))
        steps = {"alignment": self._alignment, "attention": self._attention, "gradient": self._gradient}[method]()
        return np.add.reduceat(steps, self.starts)

    def _alignment(self) -> np.ndarray:
        return aligned(self.task, self.sound, self.written, None).weights.sum(axis=0)

    def _attention(self) -> np.ndarray:
        if self.task.config.decodes:
            return self._alignment()
        watched = capture(self.task.model, only=f"{ENCODER}*")
        found = watched.predict_on_batch(self.inputs)
        layers = [found[output_name(path)] for path in self._mixing(watched.sites)]
        if not layers:
            return np.ones(self.steps)
        return attention_rollout([np.asarray(one)[0][..., : self.steps, : self.steps] for one in layers])

    def _mixing(self, sites: Any) -> list[str]:
        """Return the sites of the encoder at which all steps look at each other."""
        return [one.path for one in sites.values() if one.kind == "mix" and one.axes[-2:] == ("query", "key")]

    def _gradient(self) -> np.ndarray:
        told = self._told(self.inputs)[0]
        if self.task.config.decodes:
            truth = np.append(self.ids, EOS_ID)
            wanted = np.zeros_like(told)
            wanted[np.arange(len(truth)), truth] = 1.0
            toward, count = wanted - np.exp(told), len(truth)
            toward[count:] = 0.0
        else:
            toward, count = np.zeros_like(told), len(self.ids)
            toward[: self.steps] = occupancies(told[: self.steps], self.ids) - np.exp(told[: self.steps])
        slopes = attention_gradients(self.task.model, self.inputs, toward[None] / count, self._output)
        sites = crossing(slopes) or [path for path in slopes if slopes[path].ndim == 4]
        width = max(slopes[path].shape[-1] for path in sites)
        return np.concatenate([slopes[path].reshape(-1, width) for path in sites]).sum(axis=0)[: self.steps]
