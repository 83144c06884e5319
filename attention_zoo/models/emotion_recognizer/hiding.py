"""Whether an explanation of an answer about a row is true: stretches of its modalities are hidden."""

from typing import Any

import numpy as np

from attention_zoo.blocks.subsampling import FACTOR
from attention_zoo.calibrate.faithfulness import occlusion
from attention_zoo.calibrate.gradients import attention_gradients
from attention_zoo.errors import ZooValueError
from attention_zoo.models.emotion_recognizer.explaining import Encoded, Looks, logits_of
from attention_zoo.models.inspecting import Score
from attention_zoo.multimodal.kinds import CONVERSATION, FEATURES, FRAMES, SOUND, WORDS
from attention_zoo.text.preprocessor import MASK_ID

PARTS = 8  # stretches that a modality is cut into, at most
GREY = 128
# What a step is that says nothing: the mean of the training data, a grey picture, a word that is none.
NEUTRAL = {FEATURES: 0, SOUND: 0, FRAMES: GREY, WORDS: MASK_ID}


class Trial:
    """One row and the label that is explained, and how both go together when stretches of its modalities are hidden.

    Args:
        task: an `EmotionRecognizer`.
        given: rows, of which there must be one; of a conversation it is read alone.
        label: whose score is explained.

    Raises:
        ZooTypeError, ZooValueError, ZooFileError: if the row cannot work, or there are several.
    """

    def __init__(self, task: Any, given: Any, label: str):
        rows = task._rows(given)
        if len(rows) != 1:
            raise ZooValueError(f"row must be one row to be explained, got {len(rows):,}")
        self.task, self.label = task, label
        self.encoded: Encoded = task.preprocessor.encode(rows)[0]
        self.encoded.pop(CONVERSATION, None)
        self.starts: dict[str, np.ndarray] = {}
        for name, steps in self.encoded.items():
            count = len(steps)
            self.starts[name] = np.linspace(0, count, min(PARTS, count) + 1).astype(int)[:-1]

    def tried(self, method: str) -> tuple[np.ndarray, Score]:
        """Return what an explanation says of each stretch, and how versions of the row are scored."""
        if method == "occlusion":
            return occlusion(self.score, sum(map(len, self.starts.values()))), self.score
        steps = self._attention() if method == "attention" else self._gradient()
        found = [np.add.reduceat(steps[name], starts) for name, starts in self.starts.items()]
        return np.concatenate(found), self.score

    def score(self, shown: np.ndarray) -> np.ndarray:
        """Return the probability of the label of versions [versions, stretches of all modalities]."""
        return self.task.chances(logits_of(self.task, [self._version(one) for one in shown]), self.label)

    def _version(self, shown: np.ndarray) -> Encoded:
        version, begin = {}, 0
        for name, starts in self.starts.items():
            steps = self.encoded[name]
            own = np.repeat(shown[begin : begin + len(starts)], np.diff([*starts, len(steps)]))
            neutral = np.asarray(NEUTRAL[self.task.config.kind(name)], steps.dtype)
            version[name] = np.where(own.reshape(-1, *[1] * (steps.ndim - 1)), steps, neutral)
            begin += len(starts)
        return version

    def _counts(self) -> dict[str, int]:
        """Return how many steps the network has of each modality."""
        kind = self.task.config.kind
        return {name: -(-len(row) // (FACTOR if kind(name) == SOUND else 1)) for name, row in self.encoded.items()}

    def _of_frames(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return values of the network's steps as those of the row's."""
        if self.task.config.kind(name) != SOUND:
            return values
        return np.repeat(values / FACTOR, FACTOR)[: len(self.encoded[name])]

    def _attention(self) -> dict[str, np.ndarray]:
        """Return the share of each step: that of its modality by the fusion, times its own within it."""
        looks = Looks(self.task, self.encoded)
        gates = looks.gates or dict.fromkeys(self.encoded, 1.0 / len(self.encoded))
        return {
            name: self._of_frames(name, gates[name] * looks.steps(name, count))
            for name, count in self._counts().items()
        }

    def _gradient(self) -> dict[str, np.ndarray]:
        """Return attention times gradient of each step, at the places where the steps are summed up."""
        looks, arrays = Looks(self.task, self.encoded), self.task.preprocessor.arrays([self.encoded])
        values = attention_gradients(self.task.answering, arrays, self.task.labels.index(self.label))
        found = {}
        for name, count in self._counts().items():
            total = np.zeros(count)
            for path in looks.summing(name):
                axes = looks.sites[path].axes
                own = values[path].sum(axis=tuple(place for place, axis in enumerate(axes) if axis != "key"))
                total += own[len(own) - looks.padded[name] :][:count]
            found[name] = self._of_frames(name, total)
        return found
