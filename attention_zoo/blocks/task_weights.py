"""How much each of several tasks counts, learned with them."""

from typing import Any

import keras

from attention_zoo.errors import ZooTypeError


@keras.saving.register_keras_serializable(package="attention_zoo")
class TaskWeights(keras.layers.Layer):
    """Hold how unsure a model is in each of its tasks; what passes through stays as it is.

    weighted loss = sum_i exp(-s_i) loss_i + s_i, s_i learned, 0 at first

    The losses read s from here (`training.UncertainLoss`), so that it is trained, saved and loaded with the model.

    Call:
        outputs: list of tensors, one for each task.

    Returns:
        The list.

    Raises:
        ZooTypeError: if `outputs` is no list.

    Source: Kendall, Gal, Cipolla 2018, arXiv:1705.07115, where s = log sigma^2. Differs: s and not s / 2
    is added, which leaves the optimum at exp(s_i) = loss_i.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True

    def build(self, outputs_shape: Any) -> None:
        if not outputs_shape or not isinstance(outputs_shape[0], list | tuple):
            raise ZooTypeError(f"outputs must be a list with one for each task, got one of shape {outputs_shape}")
        self.log_variance = self.add_weight(
            shape=(len(outputs_shape),), initializer="zeros", dtype="float32", name="log_variance"
        )

    def call(self, outputs: Any) -> list:
        return list(outputs)

    def compute_mask(self, outputs: Any, mask: Any = None) -> None:
        """Hide nothing: what each task answers is for all rows."""
        return None

    def compute_output_spec(self, outputs: Any) -> list:
        return [keras.KerasTensor(output.shape, dtype=output.dtype) for output in outputs]
