"""Sequences of pictures: each is read by the same convolutions."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.fitting import fit_to_map
from attention_zoo.blocks.normalizing import make_norm
from attention_zoo.blocks.residual import ResidualBlock
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError

STEM_STRIDE = 2  # pixels from one place of the stem's map to the next
MEAN, DEVIATION = 0.5, 0.25  # of pixels: what convolutions read is near mean 0 and deviation 1
HEADS, WINDOW = 4, 7  # of attentions that have heads or windows


@keras.saving.register_keras_serializable(package="attention_zoo")
class PictureEncoder(keras.layers.Layer):
    """Turn each picture of a sequence into the places of a small map, by a residual network.

    map = stage_n(... stage_1(relu(norm(convolution((pixels - 0.5) / 0.25))))), each stage one block of two convolutions
    with an attention or gate in its branch

    The stem halves the sides, and so does each stage but the first. Norms look at one place at a time, so that neither
    other rows nor missing pictures change what a picture gives.

    Args:
        widths: channels of each stage.
        attention: of the blocks: any name of `layers.names("image")`, a dict with "name" and arguments, or None.

    Call:
        inputs: pixels [batch, picture, height, width, channel], 0 to 1; height and width must be known.

    Returns:
        [batch, picture, places, widths[-1]], place by place of the last map, row by row.

    Raises:
        ZooValueError: if there is no stage, a number is under 1 or the attention is unknown.
        ZooTypeError: if the attention is neither a name nor a dict.

    Cost: time batch x pictures x pixels x 9 / 4 x (channels x widths[0] + 2 widths[0]^2 ...).
    Source: He et al. 2015, arXiv:1512.03385; Hu et al. 2017, arXiv:1709.01507 (gates in the branch).
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64), attention: Any = "squeeze_excite", **kwargs: Any):
        super().__init__(**kwargs)
        self.widths = tuple(whole_number("widths", width, 1, "channels") for width in widths)
        if not self.widths:
            raise ZooValueError("widths must have at least one stage, got none")
        if not (attention is None or isinstance(attention, str | Mapping)):
            raise ZooTypeError(f"attention must be a name, a dict with 'name' or None, got {attention!r:.60}")
        self.attention = attention

    def get_config(self) -> dict:
        return {**super().get_config(), "widths": list(self.widths), "attention": self.attention}

    def build(self, input_shape: Any) -> None:
        policy, sides = {"dtype": self.dtype_policy}, tuple(input_shape[2:4])
        if None in sides:
            raise ZooValueError(f"inputs must have a known height and width, got {tuple(input_shape)}")
        self.stem = keras.layers.Conv2D(
            self.widths[0],
            3,
            STEM_STRIDE,
            "same",
            use_bias=False,
            kernel_initializer="he_normal",
            data_format="channels_last",
            name="stem",
            **policy,
        )
        self.stem.build((None, *input_shape[2:]))
        self.norm = make_norm("layer", "stem_norm", self.widths[0], self.dtype_policy)
        shape = (None, *(-(-side // STEM_STRIDE) for side in sides), self.widths[0])
        self.blocks = []
        for number, width in enumerate(self.widths, 1):
            stride = 1 if number == 1 else 2
            size = tuple(-(-side // stride) for side in shape[1:3])
            attention = None if self.attention is None else fit_to_map(self.attention, size, width, HEADS, WINDOW)
            options = {"stride": stride, "order": "post", "norm": "layer", "attention": attention}
            block = ResidualBlock(width, name=f"stage_{number}", **options, **policy)
            block.build(shape)
            self.blocks.append(block)
            shape = (None, *size, width)
        self.places = shape[1] * shape[2]

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        current = ops.reshape(inputs, (-1, *inputs.shape[2:]))
        current = ops.relu(self.norm(self.stem((current - MEAN) / DEVIATION)))
        for block in self.blocks:
            current = block(current, training=training)
        return ops.reshape(current, (-1, ops.shape(inputs)[1], self.places, self.widths[-1]))

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        sides = [-(-side // STEM_STRIDE) for side in inputs.shape[2:4]]
        for _ in self.widths[1:]:
            sides = [-(-side // 2) for side in sides]
        shape = (*inputs.shape[:2], sides[0] * sides[1], self.widths[-1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
