"""Write a word of the vocabulary or copy one of the source: one distribution over both."""

from abc import abstractmethod
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.masks import MASKED
from attention_zoo.core.segments import present_ids, segment_sum
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.memory.energies import Energies, logarithm, over_memory


def copied_words(weights: Any, ids: Any, size: int) -> Any:
    """Sum the weights of all places where the source has the same word.

    Args:
        weights: [batch, query, key].
        ids: int [batch, key], the words of the source; what is no number of a word is not copied.
        size: words.

    Returns:
        float32 [batch, query, word].
    """
    ids, present = present_ids(ids, size)
    weights = ops.where(ops.expand_dims(present, 1), ops.cast(weights, "float32"), 0.0)
    return ops.transpose(segment_sum(ops.transpose(weights, (0, 2, 1)), ids, size), (0, 2, 1))


class _Copying(keras.layers.Layer):
    """Shared by the layers that write or copy; a subclass gives `generated_and_copied`."""

    def __init__(self, vocabulary_size: int, extra_words: int = 0, log_probabilities: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("vocabulary_size", vocabulary_size, unit="words")
        if extra_words < 0:
            raise ZooValueError(f"extra_words must be at least 0, got {extra_words}")
        self.supports_masking = True
        self.vocabulary_size, self.extra_words = vocabulary_size, extra_words
        self.log_probabilities = log_probabilities

    def get_config(self) -> dict:
        names = ("vocabulary_size", "extra_words", "log_probabilities")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def dense(self, name: str, units: int, width: int, use_bias: bool = True) -> keras.layers.Layer:
        """Make and build a projection of the last axis."""
        dense = keras.layers.Dense(units, use_bias=use_bias, name=name, dtype=self.dtype_policy)
        dense.build((None, None, width))
        dense.supports_masking = True
        return dense

    def tapped(self, weights: Any) -> Any:
        """Show the weights of the source's places, float32 [batch, query, key]."""
        return tap(Site(site_path(self), "mix", ("batch", "query", "key")), weights)

    def call(self, query: Any, memory: Any, ids: Any, query_mask: Any = None, memory_mask: Any = None) -> Any:
        generated, copied = self.generated_and_copied(query, memory, ids, over_memory(memory_mask))
        output = ops.pad(generated, ((0, 0), (0, 0), (0, self.extra_words))) + copied
        return ops.cast(logarithm(output) if self.log_probabilities else output, self.compute_dtype)

    @abstractmethod
    def generated_and_copied(self, query: Any, memory: Any, ids: Any, mask: Any) -> tuple[Any, Any]:
        """Return the probabilities of writing [batch, query, word] and of copying [batch, query, word or extra]."""

    @property
    def words(self) -> int:
        """Words of the vocabulary and of the source together."""
        return self.vocabulary_size + self.extra_words

    def compute_output_shape(self, query_shape: Any, memory_shape: Any = None, ids_shape: Any = None) -> tuple:
        return (*query_shape[:2], self.words)


@keras.saving.register_keras_serializable(package="attention_zoo")
class PointerGenerator(_Copying):
    """Mix a distribution over the vocabulary with the attention over the source, by a learned switch.

    a = softmax over k of v . tanh(W_h m_k + W_s q + b), c = sum_k a_k m_k, p = sigmoid(w . [c; q] + b_p),
    output(w) = p softmax(V' (V [q; c] + b) + b')(w) + (1 - p) (sum of a_k where the source has w at k)

    Args:
        vocabulary_size: words that can be written.
        extra_words: words of one source that the vocabulary may lack; they have the numbers from `vocabulary_size` on.
        units: hidden units of the score and of the distribution; None is the width of the query.
        log_probabilities: True returns log p, with about -69 for zero: what a loss wants.

    Call:
        query: [batch, query, width], states of the decoder (joined with its inputs, if the switch shall see them).
        memory: [batch, key, memory width], the source as encoded.
        ids: int [batch, key], the words of the source; one that is out of range cannot be copied.
        query_mask: bool [batch, query]; passed on, changes nothing here.
        memory_mask: bool [batch, key]; False marks padding.

    Returns:
        [batch, query, vocabulary_size + extra_words]; rows sum to 1, also where nothing can be copied.

    Raises:
        ZooValueError: if vocabulary_size or units is under 1, or extra_words under 0.

    Cost: time batch x query x (key x units + units x vocabulary), memory batch x query x (key x units + vocabulary).
    Source: See, Liu, Manning 2017, arXiv:1704.04368, sections 2.1 and 2.2. Differs: the decoder's input enters the
    switch through the query; coverage (2.3) is not part of it.
    """

    def __init__(self, vocabulary_size: int, extra_words: int = 0, units: int | None = None, **kwargs: Any):
        super().__init__(vocabulary_size, extra_words, **kwargs)
        if units is not None:
            whole_number("units", units)
        self.units = units

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}

    def build(self, query_shape: Any, memory_shape: Any, ids_shape: Any = None) -> None:
        units, joined = self.units or query_shape[-1], query_shape[-1] + memory_shape[-1]
        self.energies = Energies(units, use_bias=True, name="energies", dtype=self.dtype_policy)
        self.energies.build(query_shape, memory_shape)
        self.hidden = self.dense("hidden", units, joined)
        self.vocabulary = self.dense("vocabulary", self.vocabulary_size, units)
        self.switch = self.dense("switch", 1, joined)

    def generated_and_copied(self, query: Any, memory: Any, ids: Any, mask: Any) -> tuple[Any, Any]:
        scores = self.energies(query, memory)
        weights = ops.softmax(scores if mask is None else ops.where(mask, scores, MASKED), axis=-1)
        weights = self.tapped(weights if mask is None else ops.where(mask, weights, 0.0))
        context = ops.matmul(ops.cast(weights, memory.dtype), memory)
        joined = ops.concatenate([query, context], axis=-1)
        written = ops.softmax(ops.cast(self.vocabulary(self.hidden(joined)), "float32"), axis=-1)
        site = Site(f"{site_path(self)}/switch", "gate", ("batch", "query", "choice"))
        share = tap(site, ops.sigmoid(ops.cast(self.switch(joined), "float32")))
        copied = copied_words((1.0 - share) * weights, ids, self.words)
        # What cannot be copied is written: rows sum to 1 even if the whole source is hidden.
        return (1.0 - ops.sum(copied, axis=-1, keepdims=True)) * written, copied


@keras.saving.register_keras_serializable(package="attention_zoo")
class CopyNet(_Copying):
    """Let the words of the vocabulary and the places of the source compete in one softmax.

    output(w) = (exp(o_w . q) + sum of exp(tanh(W m_k) . q) where the source has w at k) / Z

    Args:
        vocabulary_size: words that can be written.
        extra_words: words of one source that the vocabulary may lack; they have the numbers from `vocabulary_size` on.
        log_probabilities: True returns log p, with about -69 for zero: what a loss wants.

    Call:
        query: [batch, query, width], states of the decoder.
        memory: [batch, key, memory width], the source as encoded.
        ids: int [batch, key], the words of the source; one that is out of range cannot be copied.
        query_mask: bool [batch, query]; passed on, changes nothing here.
        memory_mask: bool [batch, key]; False marks padding.

    Returns:
        [batch, query, vocabulary_size + extra_words]; rows sum to 1.

    Raises:
        ZooValueError: if vocabulary_size is under 1, or extra_words under 0.

    Cost: time batch x (query x width + memory width) x (key + vocabulary), memory batch x query x (key + vocabulary).
    Source: Gu, Lu, Li, Li 2016, arXiv:1603.06393, section 3.2. Differs: the selective read (3.3) is the decoder's.
    """

    def build(self, query_shape: Any, memory_shape: Any, ids_shape: Any = None) -> None:
        self.vocabulary = self.dense("vocabulary", self.vocabulary_size, query_shape[-1], use_bias=False)
        self.memory_dense = self.dense("memory", query_shape[-1], memory_shape[-1], use_bias=False)

    def generated_and_copied(self, query: Any, memory: Any, ids: Any, mask: Any) -> tuple[Any, Any]:
        _, present = present_ids(ids, self.words)
        present = ops.expand_dims(present, 1)
        present = present if mask is None else ops.logical_and(present, mask)
        keys = ops.transpose(ops.tanh(self.memory_dense(memory)), (0, 2, 1))
        copies = ops.where(present, ops.cast(ops.matmul(query, keys), "float32"), MASKED)
        scores = ops.concatenate([ops.cast(self.vocabulary(query), "float32"), copies], axis=-1)
        weights = ops.softmax(scores, axis=-1)
        size = self.vocabulary_size
        return weights[..., :size], copied_words(self.tapped(weights[..., size:]), ids, self.words)
