"""Stacked attention: a question looks at a memory several times, wiser each time."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, get_part, site_path, tap
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.fusion.dense import project


@keras.saving.register_keras_serializable(package="attention_zoo")
class StackedAttention(keras.layers.Layer):
    """Refine a question by what it finds in a memory, hop by hop.

    p_h = normalize(tanh(M W_h + (u_h V_h + b_h)) w_h), u_(h+1) = u_h + p_h M, u_0 = question

    Args:
        units: hidden channels of the scores.
        hops: looks at the memory, each with weights of its own.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        question: [batch, width].
        memory: M, [batch, length, width].
        memory_mask: bool [batch, length]; False marks padding. All False is a missing memory: the question comes back
            as it was.

    Returns:
        [batch, width].

    Raises:
        ZooValueError: if units or hops is under 1, or the widths differ.

    Cost: time batch x hops x length x width x units, memory batch x length x units.
    Source: Yang et al. 2015, arXiv:1511.02274, section 3.3.
    """

    def __init__(self, units: int, hops: int = 2, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.hops = whole_number("units", units, unit="hidden channels"), whole_number("hops", hops)
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        own = {"units": self.units, "hops": self.hops}
        own["normalizer"] = keras.saving.serialize_keras_object(self.normalizer)
        return {**super().get_config(), **own}

    def build(self, question_shape: Any, memory_shape: Any) -> None:
        width = question_shape[-1]
        if memory_shape[-1] != width:
            raise ZooValueError(f"question and memory must have one width, got {width} and {memory_shape[-1]}")
        names = range(self.hops)
        self.memory_hidden = [project(self, f"memory_{hop}", self.units, width, use_bias=False) for hop in names]
        self.question_hidden = [project(self, f"question_{hop}", self.units, width) for hop in names]
        self.scores = [project(self, f"score_{hop}", 1, self.units, use_bias=False) for hop in names]
        if not self.normalizer.built:
            self.normalizer.build((1, self.units, width, width))

    def call(self, question: Any, memory: Any, memory_mask: Any = None, training: bool | None = None) -> Any:
        mask = None if memory_mask is None else ops.expand_dims(ops.cast(memory_mask, "bool"), (1, 2))
        for hop in range(self.hops):
            hidden = self.memory_hidden[hop](memory) + ops.expand_dims(self.question_hidden[hop](question), 1)
            scores = ops.expand_dims(ops.swapaxes(self.scores[hop](ops.tanh(hidden)), 1, 2), 1)
            weights = ops.squeeze(self.normalizer.normalize(scores, mask, training), 1)
            site = Site(f"{site_path(self)}/hop_{hop}", "mix", ("batch", "head", "key"))
            weights = tap(site, ops.cast(weights, memory.dtype))
            question = question + ops.squeeze(ops.matmul(weights, memory), 1)
        return question

    def compute_mask(self, question: Any, memory: Any = None, memory_mask: Any = None) -> Any:
        """Drop the mask of the memory's length, which is gone."""
        return None

    def compute_output_shape(self, question_shape: Any, memory_shape: Any) -> tuple:
        return tuple(question_shape)
