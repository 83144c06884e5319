"""Attention of every pixel to a smaller copy of the image."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.grids import pad_image
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image


@keras.saving.register_keras_serializable(package="attention_zoo")
class SpatialReductionAttention(ImageMixing):
    """Attend from every pixel to keys and values of an image reduced along both axes.

    z = norm(W_s [the R x R pixels of a patch]), output = W_o [softmax(q k(z)^T / sqrt(channels of a head)) v(z)]

    Pyramid vision transformers reduce thus in every stage, with a smaller R as the image shrinks; SegFormer does
    without the normalisation; Twins has it after attention inside windows of R x R pixels, as its global half.

    Args:
        num_heads: heads that share the channels.
        reduction: R, height and width of the patch that becomes one key (pixels); 1 keeps all.
        normalize: whether the reduced image passes a layer normalisation.

    Call:
        inputs: [batch, height, width, channel]; any height and width: the last patches are filled with zeros.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), one key for each patch.

    Raises:
        ZooValueError: if a number is under 1, or the heads cannot share the channels.

    Cost: time and memory batch x heads x pixels x pixels / R^2.
    Source: Wang et al. 2021, arXiv:2102.12122, section 3.3; Xie et al. 2021, arXiv:2105.15203, section 3.1; Chu et al.
    2021, arXiv:2104.13840, section 3.2.
    """

    settings = ("num_heads", "reduction", "normalize")

    def __init__(self, num_heads: int = 4, reduction: int = 8, normalize: bool = True, **kwargs: Any):
        super().__init__(score="scaled_dot", **kwargs)
        self.num_heads, self.normalize = whole_number("num_heads", num_heads), normalize
        self.reduction = whole_number("reduction", reduction, unit="pixels")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        head_width(width, self.num_heads)
        for name in ("query", "key", "value", "output"):
            setattr(self, f"{name}_dense", self.dense(name, width, width))
        if self.reduction > 1:
            self.reduce = keras.layers.Conv2D(
                width, self.reduction, strides=self.reduction, name="reduce", dtype=self.dtype_policy
            )
            self.reduce.build((None, None, None, width))
            if self.normalize:
                self.reduced_norm = self.norm("norm", width)

    def call(self, inputs: Any) -> Any:
        reduced = self._reduced(inputs)
        key, value = self.key_dense(reduced), self.value_dense(reduced)
        mixed = self.mix(self.query_dense(inputs), key, value, heads=self.num_heads)
        return self.output_dense(like_image(mixed, inputs))

    def _reduced(self, inputs: Any) -> Any:
        """Reduce the image, padded to whole patches."""
        if self.reduction == 1:
            return inputs
        missing = [-(-size // self.reduction) * self.reduction - size for size in ops.shape(inputs)[1:3]]
        reduced = self.reduce(pad_image(inputs, (0, missing[0]), (0, missing[1])))
        return self.reduced_norm(reduced) if self.normalize else reduced
