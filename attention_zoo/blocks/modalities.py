"""Modalities that may be missing: which are there, which are left out while training, and nothing in their place."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share
from attention_zoo.errors import ZooTypeError, ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class ModalityDropout(keras.layers.Layer):
    """Say of some modalities that they are missing, so that a network learns to do without any of them.

    While training each modality that a row has goes with probability `rate`. Where all of a row would go, one of them,
    drawn evenly, stays. Else nothing is changed.

    Args:
        rate: how often a modality goes, 0 to 1.
        seed: of the draws.

    Call:
        steps: list of int [batch], how many steps each modality of a row has; 0 where it is missing.

    Returns:
        The list, with 0 for what goes.

    Raises:
        ZooValueError: if `rate` is out of range, or there are fewer than two modalities.
        ZooTypeError: if `steps` is no list.

    Source: Neverova et al. 2014, arXiv:1501.00102 (ModDrop). Differs: a row keeps one at least.
    """

    def __init__(self, rate: float = 0.2, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate, self.seed = share("rate", rate), seed
        self.noise = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}

    def build(self, steps_shape: Any) -> None:
        if not steps_shape or not isinstance(steps_shape[0], list | tuple):
            raise ZooTypeError(f"steps must be a list with one entry for each modality, got one of shape {steps_shape}")
        if len(steps_shape) < 2:
            raise ZooValueError(f"steps must be of at least two modalities, got {len(steps_shape)}")

    def call(self, steps: Any, training: bool | None = None) -> list:
        if not training or not self.rate:
            return list(steps)
        counts = ops.stack([ops.cast(each, "int32") for each in steps], axis=1)
        drawn = keras.random.uniform(ops.shape(counts), dtype="float32", seed=self.noise)
        drawn = ops.where(counts > 0, drawn, -1.0)
        # Where all would go, the one with the largest draw stays; elsewhere that one stays anyway.
        kept = ops.logical_or(drawn >= self.rate, drawn >= ops.max(drawn, axis=1, keepdims=True))
        counts = ops.where(kept, counts, 0)
        return [counts[:, number] for number in range(len(steps))]

    def compute_output_spec(self, steps: Any, training: bool | None = None) -> list:
        return [keras.KerasTensor(each.shape, dtype=each.dtype) for each in steps]


@keras.saving.register_keras_serializable(package="attention_zoo")
class Presence(keras.layers.Layer):
    """Say which rows have a modality.

    Call:
        steps: int [batch], how many steps of each row are real.

    Returns:
        bool [batch], False where there are none.
    """

    def call(self, steps: Any) -> Any:
        return ops.greater(steps, 0)

    def compute_output_spec(self, steps: Any) -> Any:
        return keras.KerasTensor(steps.shape, dtype="bool")


@keras.saving.register_keras_serializable(package="attention_zoo")
class Shown(keras.layers.Layer):
    """Put zeros where nothing is to be seen, whatever stands there, were it no number at all.

    Call:
        inputs: [batch, ...], of any dtype.
        mask: bool, the first axes of `inputs`; False hides.

    Returns:
        The shape of `inputs`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any) -> Any:
        for _ in range(len(inputs.shape) - len(mask.shape)):
            mask = ops.expand_dims(mask, -1)
        return ops.where(mask, inputs, ops.zeros_like(inputs))

    def compute_output_spec(self, inputs: Any, mask: Any) -> Any:
        dtype = self.compute_dtype if "float" in str(inputs.dtype) else inputs.dtype
        return keras.KerasTensor(inputs.shape, dtype=dtype)
