"""The text classifier: raw strings in, answers out."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo import data
from attention_zoo.errors import ZooValueError
from attention_zoo.models.classifier import Classifier
from attention_zoo.models.classifier.examples import Raw
from attention_zoo.models.learning import Learning
from attention_zoo.models.text_classifier.config import TextClassifierConfig
from attention_zoo.models.text_classifier.network import build_network
from attention_zoo.text import TextPreprocessor
from attention_zoo.text.strings import as_text, as_texts
from attention_zoo.training import Batches

CHUNK = 1024  # texts padded together while they are encoded


def _are_texts(inputs: Any) -> bool:
    """Tell texts from token ids."""
    if isinstance(inputs, np.ndarray):
        return inputs.dtype.kind in "OUS"
    return isinstance(inputs, Sequence) or hasattr(inputs, "to_list")


class TextClassifier(Classifier):
    """Classify texts by one label each, or by any number of labels.

    Make one by `new`, `load`, or `attention_zoo.load(name)`.
    """

    config_class = TextClassifierConfig
    preprocessor_class = TextPreprocessor
    raw = Raw("text", as_texts, data.read_table, _are_texts)

    @classmethod
    def build(cls, config: TextClassifierConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls,
        labels: Iterable[str] | None = None,
        texts: Iterable[str] | None = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        **config: Any,
    ) -> Self:
        """Make an untrained classifier.

        Args:
            labels: names, in the order of the logits; None takes those of the first data that `fit` sees.
            texts: what the tokenizer is trained on; None takes the texts of the first data that `fit` sees.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `TextClassifierConfig`. `backbone` may also be a backbone of keras-hub or the local
                folder of a preset, whose weights are then taken over; token ids are those of our own tokenizer.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        return cls._new(labels, None if texts is None else as_texts(texts), seed, dtype, config)

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        found = {"vocabulary_size": self.preprocessor.vocabulary_size, "layout": self.preprocessor.layout}
        for name, value in found.items():
            if getattr(self.config, name) != value:
                raise ZooValueError(f"{name} is {getattr(self.config, name)!r}, but the preprocessor's is {value!r}")

    def learn_inputs(self, inputs: Sequence[str]) -> None:
        """Train the tokenizer."""
        config = self.config
        self._preprocessor = TextPreprocessor.train(
            inputs,
            kind=config.tokens,
            vocabulary_size=config.vocabulary_size,
            lowercase=config.lowercase,
            max_length=config.max_length,
            layout=config.layout,
            max_sentences=config.max_sentences,
            min_frequency=config.min_frequency,
        )
        self.config = config.change(vocabulary_size=self._preprocessor.vocabulary_size)

    def batches(self, inputs: Sequence[str], targets: Any, learning: Learning, shuffle: bool) -> Batches:
        """Return texts as padded batches of token ids; texts of like length lie together."""
        return Batches(
            rows(self.preprocessor, inputs),
            targets,
            batch_size=learning.batch_size,
            seed=learning.seed,
            shuffle=shuffle,
            longest=self.preprocessor.max_length,
            augment=learning.augment if shuffle else None,
        )

    def trial(self, given: str, label: str, method: str) -> Any:
        """Return what an explanation of a text calls important, token by token, and how versions of it are scored."""
        from attention_zoo.models.text_classifier import explaining

        text = as_text(given, "text")
        token_ids, tokens = self.preprocessor([text])["token_ids"], self.preprocessor.tokens(text)
        importance = explaining.importance(self, text, token_ids, tokens, label, method)

        def score(shown: np.ndarray) -> np.ndarray:
            return self.chances(explaining.hidden_logits(self.model, token_ids, tokens, shown), label)

        return importance, score

    def explain(self, text: str, labels: Iterable[str] | None = None) -> Any:
        """Say where the classifier looked in a text, and what each token does to the scores.

        Args:
            text: one string.
            labels: the labels whose scores are explained; None takes the three best.

        Returns:
            An `Explanation`, to be saved as .html, .png, .svg or .json. Attention is not a reason by itself (Jain,
            Wallace 2019, arXiv:1902.10186), so it also holds the effects: how far a label's score falls when a token
            is masked.

        Raises:
            ZooTypeError, ZooValueError: if the text cannot work or a label is unknown.

        Cost: one run of the model for each token.
        """
        # Imported here: it brings the drawing parts, which predictions can do without.
        from attention_zoo.models.classifier.effects import chosen_labels, effects_of, maps_of
        from attention_zoo.models.text_classifier import explaining

        text = as_text(text, "text")
        labels = self._wanted_labels(labels)
        token_ids = self.preprocessor([text])["token_ids"]
        tokens = self.preprocessor.tokens(text)
        logits = explaining.masked_logits(self.model, token_ids, tokens)
        answer = self._decide(logits[:1], all_scores=True)[0]
        effects = effects_of(logits, self.config)
        return explaining.explanation(
            text,
            tokens,
            dataclasses.replace(answer, scores=None),
            maps_of(self.model, token_ids),
            {label: effects[self.labels.index(label)] for label in chosen_labels(answer, labels, self.labels)},
            token_ids.shape[1:],
        )


def rows(preprocessor: TextPreprocessor, texts: Sequence[str]) -> list[np.ndarray]:
    """Return the token ids of each text without padding.

    Args:
        preprocessor: of the model.
        texts: strings.

    Returns:
        int32 [tokens] each, or [sentences, tokens] (each sentence padded to the longest of its text).
    """
    found: list[np.ndarray] = []
    for start in range(0, len(texts), CHUNK):
        found += [_trimmed(row) for row in preprocessor(texts[start : start + CHUNK])["token_ids"]]
    return found


def _trimmed(row: np.ndarray) -> np.ndarray:
    used = [
        np.flatnonzero((row != 0).any(axis=tuple(a for a in range(row.ndim) if a != axis))) for axis in range(row.ndim)
    ]
    return row[tuple(slice(int(places[-1]) + 1) for places in used)]
