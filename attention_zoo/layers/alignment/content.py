"""Alignment by what a query says alone: by its likeness to each key, or by the place it names."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import get_part
from attention_zoo.core.rows import compare_rows
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.alignment.base import Prepared, StepwiseAlignment
from attention_zoo.layers.alignment.perceptron import compare_hidden


class NormalizedAlignment(StepwiseAlignment):
    """Base of alignments whose weights are normalised scores, without a state.

    Args:
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    A subclass gives `scores`.
    """

    def __init__(self, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        return {**super().get_config(), "normalizer": keras.saving.serialize_keras_object(self.normalizer)}

    def scores(self, query: Any, prepared: Prepared) -> Any:
        """Score queries [batch, query, width] against the keys: [batch, 1, query, key]."""

    def weigh(
        self, query: Any, prepared: Prepared, state: tuple, query_mask: Any, training: bool | None
    ) -> tuple[Any, tuple]:
        mask = ops.expand_dims(prepared.mask > 0.5, (1, 2))
        weights = self.normalizer.normalize(self.scores(query, prepared), mask, training)
        return ops.squeeze(weights, 1), state


@keras.saving.register_keras_serializable(package="attention_zoo")
class Alignment(NormalizedAlignment):
    """Look at what is like the query, by any score of the zoo: additive, dot, general, concat, cosine ...

    weights[t] = normalize(score(query[t], memory))

    Args:
        score: how queries and keys are compared, by name, dict or object; None is "additive".
        normalizer: how scores become weights; None is "softmax".
        units: channels to which queries and keys are projected before they are compared; None compares them as they
            are, which wants equal widths.

    Call:
        see `StepwiseAlignment`.

    Raises:
        ZooValueError: if units is under 1, or missing where the widths differ.

    Cost: a call as its score over batch x queries x keys; a step the same for one query, with the keys' projection
    made once for all steps.
    Source: Bahdanau, Cho, Bengio 2014, arXiv:1409.0473, section 3.1; Luong, Pham, Manning 2015, arXiv:1508.04025,
    section 3.1.
    """

    def __init__(self, score: Any = None, normalizer: Any = None, units: int | None = None, **kwargs: Any):
        super().__init__(normalizer, **kwargs)
        if units is not None:
            whole_number("units", units, unit="channels")
        self.score = get_part("score", score, "additive", self.dtype_policy)
        self.units = units

    def get_config(self) -> dict:
        score = keras.saving.serialize_keras_object(self.score)
        return {**super().get_config(), "score": score, "units": self.units}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        widths = (query_shape[-1], memory_shape[-1])
        if self.units is None and widths[0] != widths[1]:
            raise ZooValueError(f"units must be given where query and memory differ in width, got widths {widths}")
        if self.units is not None:
            self.query_dense = self._projection("query", query_shape)
            self.key_dense = self._projection("key", memory_shape)
        for part in (self.score, self.normalizer):
            if not part.built:
                part.build((1, self.units or widths[0], *widths))

    def _projection(self, name: str, shape: Any) -> keras.layers.Layer:
        dense = keras.layers.Dense(self.units, use_bias=False, name=name, dtype=self.dtype_policy)
        dense.supports_masking = True
        dense.build(shape)
        return dense

    def project_memory(self, memory: Any) -> Any:
        keys = memory if self.units is None else self.key_dense(memory)
        return self._halves(keys, side=1)

    def _halves(self, vectors: Any, side: int) -> Any:
        """Do what a score does to queries (side 0) or keys (side 1) alone, before it compares: [batch, length, n]."""
        heads = ops.expand_dims(vectors, 2)
        prepared = self.score.prepare_key(heads) if side else self.score.prepare_query(heads)
        if not hasattr(self.score, "project"):
            return ops.squeeze(prepared, 2)
        # A score with a hidden layer: its kernels are applied here, so that a step need not repeat the keys' half.
        rows = ops.transpose(prepared, (0, 2, 1, 3))
        return ops.squeeze(self.score.project(rows, rows)[side], 1)

    def scores(self, query: Any, prepared: Prepared) -> Any:
        query = self._halves(query if self.units is None else self.query_dense(query), side=0)
        query, keys = ops.expand_dims(query, 1), ops.expand_dims(prepared.keys, 1)
        if hasattr(self.score, "project"):
            scores = compare_hidden(query, keys, ops.reshape(self.score.direction, (-1,)))
        elif self.score.inner:
            scores = compare_rows(query * self.score.factor(query.shape[-1]), keys)
        else:
            scores = self.score.compare(query, keys)
        return self.score.cap(ops.cast(scores, "float32"))


@keras.saving.register_keras_serializable(package="attention_zoo")
class LocationBased(NormalizedAlignment):
    """Look at places that the query names, whatever lies there.

    weights[t] = normalize(W query[t] + b), over the first positions of the memory

    Args:
        max_length: positions that can be named; later ones get no weight.
        normalizer: how scores become weights; None is "softmax".

    Call:
        see `StepwiseAlignment`.

    Raises:
        ZooValueError: if max_length is under 1.

    Cost: time batch x queries x width x max_length.
    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.1, equation 8. Differs: a bias.
    """

    def __init__(self, max_length: int = 512, normalizer: Any = None, **kwargs: Any):
        super().__init__(normalizer, **kwargs)
        whole_number("max_length", max_length, unit="positions")
        self.max_length = max_length

    def get_config(self) -> dict:
        return {**super().get_config(), "max_length": self.max_length}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        self.places = keras.layers.Dense(self.max_length, name="places", dtype=self.dtype_policy)
        self.places.supports_masking = True
        self.places.build(query_shape)
        if not self.normalizer.built:
            self.normalizer.build((1, self.max_length, query_shape[-1], memory_shape[-1]))

    def prepare(self, memory: Any, memory_mask: Any = None) -> Prepared:
        prepared = super().prepare(memory, memory_mask)
        nameable = ops.arange(ops.shape(prepared.mask)[1]) < self.max_length
        return prepared._replace(mask=prepared.mask * ops.expand_dims(ops.cast(nameable, "float32"), 0))

    def scores(self, query: Any, prepared: Prepared) -> Any:
        keys = ops.arange(ops.shape(prepared.memory)[1])
        # Positions without a name repeat the last name: the mask hides them.
        scores = ops.take(self.places(query), ops.minimum(keys, self.max_length - 1), axis=2)
        return ops.expand_dims(ops.cast(scores, "float32"), 1)
