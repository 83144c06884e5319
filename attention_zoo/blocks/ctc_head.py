"""Logits for CTC, which say for certain that padding holds nothing."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.embeddings import PAD_ID
from attention_zoo.checks import whole_number

NEVER = -1e4  # logit of what cannot be: its probability is 0 in float32, and its differences are finite


@keras.saving.register_keras_serializable(package="attention_zoo")
class CtcHead(keras.layers.Layer):
    """Score units at each step; at padded steps the blank is certain.

    A loss or a search over the padded length then gives what it gives over the real one, so that no length has to
    travel beside the logits.

    Args:
        vocabulary_size: units; unit 0 is the blank.

    Call:
        inputs: [batch, steps, width].
        mask: bool [batch, steps]; False marks padding.

    Returns:
        float32 logits [batch, steps, vocabulary].

    Raises:
        ZooValueError: if vocabulary_size is under 2.

    Source: Graves et al. 2006, Connectionist Temporal Classification, section 3.
    """

    def __init__(self, vocabulary_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.vocabulary_size = whole_number("vocabulary_size", vocabulary_size, 2, "units")

    def get_config(self) -> dict:
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size}

    def build(self, input_shape: Any) -> None:
        self.project = keras.layers.Dense(self.vocabulary_size, name="project", dtype=self.dtype_policy)
        self.project.build(input_shape)
        self.project.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        logits = ops.cast(self.project(inputs), "float32")
        if mask is None:
            return logits
        certain = ops.where(ops.equal(ops.arange(self.vocabulary_size), PAD_ID), 0.0, NEVER)
        return ops.where(ops.expand_dims(mask, -1), logits, ops.cast(certain, "float32"))

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> Any:
        return keras.KerasTensor((*inputs.shape[:-1], self.vocabulary_size), dtype="float32")
