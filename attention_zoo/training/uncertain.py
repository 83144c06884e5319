"""Losses of several tasks, weighed by how unsure the model is in each."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable("attention_zoo")
class UncertainLoss(keras.losses.Loss):
    """Weigh the loss of one task by a learned number, which must pay for making it small.

    loss = exp(-s) base + s

    Args:
        base: the loss of the task, one number for each row.
        layer: has `log_variance`, s of each task, as `blocks.TaskWeights` has; None only where a loss is read from a
            file, and then cannot be computed.
        number: of the task in there.

    Call: truth and logits as of `base`.
    Returns: the mean over the batch, in float32; below 0 where the model is sure.

    Raises:
        ZooValueError: if `number` is negative; when called, if there is no layer.

    Source: Kendall, Gal, Cipolla 2018, arXiv:1705.07115; see `blocks.TaskWeights`.
    """

    def __init__(self, base: keras.losses.Loss, layer: Any, number: int, name: str = "uncertain", **options: Any):
        super().__init__(name=name, **options)
        self.base, self.layer, self.number = base, layer, whole_number("number", number, 0)

    def call(self, truth: Any, logits: Any) -> Any:
        if self.layer is None:
            raise ZooValueError("layer must be the one that holds the weights of the tasks, got None")
        spread = ops.cast(self.layer.log_variance, "float32")[self.number]
        return ops.exp(-spread) * self.base.call(truth, logits) + spread

    def get_config(self) -> dict:
        own = {"base": keras.saving.serialize_keras_object(self.base), "number": self.number}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict) -> "UncertainLoss":
        base = keras.saving.deserialize_keras_object(config.pop("base"))
        return cls(base, None, **config)
