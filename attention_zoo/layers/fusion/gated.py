"""Gated fusion: learned gates say how much each modality counts, feature by feature."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.masks import MASKED
from attention_zoo.layers.fusion.dense import masks_of, project, shapes_of, shown


@keras.saving.register_keras_serializable(package="attention_zoo")
class GatedMultimodalUnit(keras.layers.Layer):
    """Join vectors of several modalities by a gate for each modality and feature, which sees all modalities.

    h_m = tanh(x_m W_m + b_m), z_m = sigmoid([x_1; ...; x_n] V_m + c_m), output = sum_m z_m h_m

    Args:
        units: channels of the output.
        tied: True makes the gates of a feature sum to 1 by a softmax over the modalities. With two modalities that is
            the published bimodal unit, z and 1 - z.

    Call:
        inputs: list of [batch, width], or of [batch, ..., width] with the same axes in between.
        mask: list of bool [batch] (or [batch, ...]), or None each; False marks a missing modality: it counts as zero
            in the other gates, its own gate is 0, and tied gates share the whole among those that are there.

    Returns:
        [batch, ..., units]; zeros where every modality is missing.

    Raises:
        ZooTypeError: if `inputs` is no list.
        ZooValueError: if there are fewer than two modalities, or units < 1.

    Cost: time batch x (modalities x units x the sum of widths), memory batch x modalities x units.
    Source: Arevalo et al. 2017, arXiv:1702.01992, section 3.1, figure 2. Differs: biases; tied gates for more than two.
    """

    def __init__(self, units: int, tied: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.tied = whole_number("units", units, unit="channels"), tied

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "tied": self.tied}

    def build(self, input_shape: Any) -> None:
        widths = [shape[-1] for shape in shapes_of("inputs", input_shape, 2)]
        self.values = [project(self, f"value_{i}", self.units, width) for i, width in enumerate(widths)]
        self.gates = [project(self, f"gate_{i}", self.units, sum(widths)) for i in range(len(widths))]

    def call(self, inputs: Any, mask: Any = None) -> Any:
        masks = masks_of(mask, len(inputs))
        inputs = [shown(modality, seen) for modality, seen in zip(inputs, masks)]
        together = ops.concatenate(inputs, axis=-1)
        values = [ops.tanh(value(modality)) for value, modality in zip(self.values, inputs)]
        logits = [shown(ops.cast(gate(together), "float32"), seen, MASKED) for gate, seen in zip(self.gates, masks)]
        logits = ops.stack(logits, axis=-2)
        weights = ops.softmax(logits, axis=-2) if self.tied else ops.sigmoid(logits)
        if self.tied:
            # Where every modality is missing the softmax is even; a gate that is closed must be 0 all the same.
            weights = ops.where(logits <= 0.5 * MASKED, 0.0, weights)
        between = tuple(f"axis_{i}" for i in range(1, len(inputs[0].shape) - 1))
        site = Site(site_path(self), "gate", ("batch", *between, "modality", "channel"))
        weights = tap(site, ops.cast(weights, values[0].dtype))
        return ops.sum(weights * ops.stack(values, axis=-2), axis=-2)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Show what at least one modality shows."""
        masks = masks_of(mask, len(inputs))
        if any(seen is None for seen in masks):
            return None
        return ops.any(ops.stack([ops.cast(seen, "bool") for seen in masks]), axis=0)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[0][:-1], self.units)
