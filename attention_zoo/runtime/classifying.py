"""Classify with a bundle."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.answers import Answer, decide
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.runtime.runner import MODEL, Runner

PREFIX = "attention."


class ClassifierRunner(Runner):
    """Answer with an exported classifier; made by `runtime.load`.

    Attributes:
        labels: names of the labels, in the order of the logits.
        preprocessor: the bundle's; of texts, `preprocessor.tokens(text)` are the tokens of the maps.
        description: the contents of `bundle.json`.
    """

    keys = ("labels", "multi_label", "thresholds", "temperature", "inputs", "outputs")
    options = ("all_scores",)

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, sessions: Mapping[str, Any]) -> None:
        super().__init__(description, preprocessor, sessions)
        self.labels = tuple(description["labels"])

    def predict(self, inputs: Any, all_scores: bool = False, *, batch_size: int = 32) -> list[Answer]:
        """Classify inputs.

        Inputs of like size are run together, so that little is spent on padding; answers come in the inputs' order.

        Args:
            inputs: one or many of what the model reads: texts (strings, or UTF-8 bytes), images (paths, bytes, PIL
                images, arrays), or rows (see `attention_zoo.multimodal.as_rows`).
            all_scores: True also gives each label's probability.
            batch_size: inputs run at once, at least 1.

        Returns:
            one `Answer` for each input.

        Raises:
            ZooValueError: if there is no input, one is empty or damaged, or `batch_size` is below 1.
            ZooTypeError: if an input is nothing that the model reads.
        """
        return self._decide(self._run_all(inputs, ["output"], batch_size)["output"], all_scores)

    def _run_all(self, inputs: Any, outputs: Sequence[str], batch_size: int) -> dict[str, np.ndarray]:
        """Return outputs of the graph, float32 [inputs, labels], in the order of the inputs."""
        batch_size = whole_number("batch_size", batch_size)
        inputs = self.preprocessor.items(inputs)
        batches = self._batches(inputs, batch_size)
        found = [self.run(self.preprocessor([inputs[index] for index in batch]), outputs) for batch in batches]
        order = np.argsort(np.concatenate(batches))
        return {name: np.concatenate([arrays[name] for arrays in found])[order] for name in outputs}

    def _batches(self, inputs: Sequence[Any], batch_size: int) -> list[list[int]]:
        """Return which inputs are run together: those of like size."""
        order = sorted(range(len(inputs)), key=lambda index: self.preprocessor.size(inputs[index]))
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def _decide(self, logits: np.ndarray, all_scores: bool) -> list[Answer]:
        return decide(
            logits,
            self.labels,
            multi_label=self.description["multi_label"],
            thresholds=self.description["thresholds"],
            temperature=self.description["temperature"],
            all_scores=all_scores,
        )

    def attention(self, one: Any) -> dict[str, np.ndarray]:
        """Return the attention maps of one input.

        Args:
            one: a text, or an image.

        Returns:
            by site, the map without its batch axis: [head, query, key] or [hop, key] over tokens, padding included (its
            weights are 0; the position of a token is the `index` of `preprocessor.tokens(text)`), or over the places
            of an image; or the weights of a gate.

        Raises:
            ZooValueError: if the bundle was exported without attention, or the input is empty, damaged or several.
            ZooTypeError: if it is nothing that the model reads.
        """
        names = [name for name in self._outputs[MODEL] if name.startswith(PREFIX)]
        if not names:
            raise ZooValueError("this bundle was exported without attention maps; export it with attention=True")
        inputs = self.preprocessor.items(one)
        if len(inputs) != 1:
            raise ZooValueError(f"attention wants one input, got {len(inputs)}")
        maps = self.run(self.preprocessor(inputs), names)
        return {name.removeprefix(PREFIX): array[0] for name, array in maps.items()}

    def records(self, inputs: Sequence[str], all_scores: bool = False) -> Iterable[dict[str, Any]]:
        """Classify inputs, one dict each; arguments as for `predict`."""
        noun = self.preprocessor.noun
        for one, answer in zip(inputs, self.predict(inputs, all_scores)):
            yield {noun: one, **dataclasses.asdict(answer)}
