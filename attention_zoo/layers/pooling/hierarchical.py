"""Sum a document up: words to sentences, sentences to one vector."""

from typing import Any

import keras
from keras import ops

from attention_zoo.layers.pooling.structured import AttentionPooling


@keras.saving.register_keras_serializable(package="attention_zoo")
class HierarchicalAttention(keras.layers.Layer):
    """Attend over the words of each sentence, and then over the sentences.

    s_i = sum_t a_it h_it, output = sum_i b_i f(s)_i, a and b by `AttentionPooling`

    Args:
        units: hidden units of both scoring networks; None is half the width of the inputs.
        recurrent_units: units of the bidirectional GRU f that reads the sentences, for each direction; None reads
            them as they are.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        inputs: [batch, sentence, word, width].
        mask: bool [batch, sentence, word]; False marks padding; a sentence that is all padding is not seen.

    Returns:
        [batch, width], or [batch, 2 x recurrent_units].

    Raises:
        ZooValueError: if units is under 1.

    Cost: time and memory batch x sentences x words x width.
    Source: Yang et al. 2016, "Hierarchical Attention Networks for Document Classification" (NAACL), section 2.
    """

    def __init__(
        self, units: int | None = None, recurrent_units: int | None = None, normalizer: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.recurrent_units, self.normalizer = units, recurrent_units, normalizer
        self.words = AttentionPooling(units, normalizer, name="words", dtype=self.dtype_policy)
        self.sentences = AttentionPooling(units, normalizer, name="sentences", dtype=self.dtype_policy)
        self.reader = None
        if recurrent_units is not None:
            cell = keras.layers.GRU(recurrent_units, return_sequences=True, name="gru", dtype=self.dtype_policy)
            self.reader = keras.layers.Bidirectional(cell, name="reader", dtype=self.dtype_policy)

    def get_config(self) -> dict:
        names = ("units", "recurrent_units", "normalizer")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        self.words.build(input_shape)
        read = (*input_shape[:2], input_shape[-1])
        if self.reader is not None:
            self.reader.build(read)
            read = (*read[:2], 2 * self.recurrent_units)
        self.sentences.build(read)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        read = self.words(inputs, mask=mask, training=training)
        present = None if mask is None else ops.any(ops.cast(mask, "bool"), axis=-1)
        if self.reader is not None:
            read = self.reader(read, mask=present, training=training)
        return self.sentences(read, mask=present, training=training)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], 2 * self.recurrent_units if self.recurrent_units else input_shape[-1])
