"""Point into a memory: the attention itself is the answer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, get_part, site_path, tap
from attention_zoo.layers.memory.energies import Energies, logarithm, over_memory


@keras.saving.register_keras_serializable(package="attention_zoo")
class Pointer(keras.layers.Layer):
    """Choose a position of the memory for each query: the weights are the output.

    output[q, k] = normalize over k of v . tanh(W_1 m_k + W_2 q)

    Args:
        units: hidden units of the score; None is the width of the query.
        log_probabilities: True returns log p, with about -69 for what is hidden: what a loss wants.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        query: [batch, query, width], states of a decoder.
        memory: [batch, key, memory width], what is pointed at.
        query_mask: bool [batch, query]; False gives a row of zeros.
        memory_mask: bool [batch, key]; False marks what may not be chosen: padding, or what was chosen before.

    Returns:
        [batch, query, key]; rows sum to 1. Where nothing may be chosen a row is zero.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time and memory batch x query x key x units.
    Source: Vinyals, Fortunato, Jaitly 2015, arXiv:1506.03134, section 2.3.
    """

    def __init__(
        self, units: int | None = None, log_probabilities: bool = False, normalizer: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if units is not None:
            whole_number("units", units)
        self.supports_masking = True
        self.units, self.log_probabilities = units, log_probabilities
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        config = {**super().get_config(), "units": self.units, "log_probabilities": self.log_probabilities}
        config["normalizer"] = keras.saving.serialize_keras_object(self.normalizer)
        return config

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        units = self.units or query_shape[-1]
        self.energies = Energies(units, name="energies", dtype=self.dtype_policy)
        self.energies.build(query_shape, memory_shape)
        if not self.normalizer.built:
            self.normalizer.build((1, units, query_shape[-1], units))

    def call(
        self, query: Any, memory: Any, query_mask: Any = None, memory_mask: Any = None, training: bool | None = None
    ) -> Any:
        scores, mask = ops.expand_dims(self.energies(query, memory), 1), over_memory(memory_mask)
        mask = None if mask is None else ops.expand_dims(mask, 1)
        weights = ops.squeeze(self.normalizer.normalize(scores, mask, training), 1)
        if query_mask is not None:
            weights = weights * ops.expand_dims(ops.cast(query_mask, weights.dtype), -1)
        weights = tap(Site(site_path(self), "mix", ("batch", "query", "key")), weights)
        output = logarithm(weights) if self.log_probabilities else weights
        return ops.cast(output, self.compute_dtype)

    def compute_output_shape(self, query_shape: Any, memory_shape: Any) -> tuple:
        return (*query_shape[:2], memory_shape[1])
