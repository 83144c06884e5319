"""A gate through which other modalities shift the representation of one."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share
from attention_zoo.core import gate, site_path
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.fusion.dense import masks_of, normalize, project, shapes_of, shown


@keras.saving.register_keras_serializable(package="attention_zoo")
class MultimodalAdaptationGate(keras.layers.Layer):
    """Shift each step of one modality by what the others say at the same step, by no more than a share of its length.

    h = sum_m relu([z; x_m] V_m + b_m) (x_m W_m), a = min(|z| / |h| shift, 1), output = norm(z + a h)

    Args:
        shift: largest shift, as a share of the length of z.
        dropout: share dropped of the output while training, 0 to 1.

    Call:
        target: z, [batch, time, width].
        sources: list of x_m, each [batch, time, own width], aligned with the target.
        target_mask: bool [batch, time]; passed on.
        sources_mask: list of bool [batch, time], or None each; where False, that modality shifts nothing. A modality
            that is missing wholly is all False.

    Returns:
        [batch, time, width].

    Raises:
        ZooTypeError: if `sources` is no list.
        ZooValueError: if `shift` is not over 0, or dropout is out of range.

    Cost: time batch x time x width x the sum of widths.
    Source: Rahman et al. 2020, arXiv:1908.05787, "Multimodal Adaptation Gate". Differs: h has no bias, so
    that missing modalities shift nothing.
    """

    def __init__(self, shift: float = 1.0, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if shift <= 0:
            raise ZooValueError(f"shift must be over 0 (share of the length of the target), got {shift}")
        self.supports_masking = True
        self.shift, self.dropout = shift, share("dropout", dropout)

    def get_config(self) -> dict:
        return {**super().get_config(), "shift": self.shift, "dropout": self.dropout}

    def build(self, target_shape: Any, sources_shape: Any) -> None:
        width, shapes = target_shape[-1], shapes_of("sources", sources_shape, 1)
        widths = [shape[-1] for shape in shapes]
        self.values = [project(self, f"value_{i}", width, own, use_bias=False) for i, own in enumerate(widths)]
        self.gates = [project(self, f"gate_{i}", width, width + own) for i, own in enumerate(widths)]
        self.norm = normalize(self, "norm", width)
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", dtype=self.dtype_policy)

    def call(
        self,
        target: Any,
        sources: Any,
        target_mask: Any = None,
        sources_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        added = ops.zeros_like(target)
        for i, (source, mask) in enumerate(zip(sources, masks_of(sources_mask, len(sources)))):
            source = shown(source, mask)
            logits = self.gates[i](ops.concatenate([target, source], axis=-1))
            where = {"path": f"{site_path(self)}/source_{i}", "axes": ("batch", "query", "channel")}
            added = added + gate(self.values[i](source), logits, squash=ops.relu, **where)
        # The root's gradient at 0 is infinite: a little is added inside.
        length, shift = (ops.sqrt(_square_sum(array) + 1e-12) for array in (target, added))
        factor = ops.minimum(length / shift * self.shift, 1.0)
        shifted = target + ops.cast(factor, target.dtype) * added
        return self.dropping(self.norm(shifted), training=training)

    def compute_mask(self, target: Any, sources: Any = None, target_mask: Any = None, sources_mask: Any = None) -> Any:
        """Pass on the mask of the target."""
        return target_mask

    def compute_output_shape(self, target_shape: Any, sources_shape: Any) -> tuple:
        return tuple(target_shape)


def _square_sum(array: Any) -> Any:
    """Sum the squares of the last axis in float32."""
    return ops.sum(ops.square(ops.cast(array, "float32")), axis=-1, keepdims=True)
