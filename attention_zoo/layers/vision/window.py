"""Attention inside windows that may be shifted, and between the pixels of a coarse grid."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.grids import Windows
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.vision.image import ImageMixing, head_width, two_numbers

# Positions that must know the size of the window.
_SIZED = ("relative_table", "continuous_bias")


class _Windowed(ImageMixing):
    """Shared by the layers that attend within pieces of one size."""

    def __init__(self, num_heads: int, size: tuple[int, int], score: Any, position: Any, **kwargs: Any):
        name = position.get("name") if isinstance(position, dict) else position
        if isinstance(name, str) and name in _SIZED:
            position = {"size": size, **(position if isinstance(position, dict) else {"name": name})}
        super().__init__(score, position, **kwargs)
        self.num_heads, self.size = whole_number("num_heads", num_heads), size

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        channels = head_width(width, self.num_heads)
        for part in (self.score, self.position):
            if not part.built:
                part.build((self.num_heads, channels, width, channels))
        for name in ("query", "key", "value", "output"):
            setattr(self, f"{name}_dense", self.dense(name, width, width))

    def call(self, inputs: Any) -> Any:
        windows = self.windows(inputs)
        pieces = (windows.cut(dense(inputs)) for dense in (self.query_dense, self.key_dense, self.value_dense))
        return self.output_dense(windows.join(self.mix(*pieces, heads=self.num_heads, masks=windows.masks())))

    def windows(self, inputs: Any) -> Windows:
        """Cut the inputs in this layer's way."""
        return Windows(inputs, self.size)


@keras.saving.register_keras_serializable(package="attention_zoo")
class WindowAttention(_Windowed):
    """Attend inside windows, with a bias for each relative place; shifted windows let neighbouring ones meet.

    output_i = W_o sum_j softmax over the window of i of (score(q_i, k_j) + B[row i - row j, column i - column j]) v_j

    Swin has two such layers after each other, the second with `shift` of half a window. Swin v2 scores by the cosine
    times a learned sharpness, with B a small network of the logarithms of the relative places.

    Args:
        num_heads: heads that share the channels.
        window: height and width of a window (pixels), one number or two.
        shift: rows and columns by which the windows are moved, one number or two; each less than the window's.
        score: how queries and keys are compared, by name, dict or object.
        position: how places are told, by name, dict or object; "relative_table" (version 1), "continuous_bias"
            (version 2) and "none" are meant for windows. The first two take the window's size unless told.

    Call:
        inputs: [batch, height, width, channel]; any height and width: what is missing in the last windows is hidden, as
            are pixels from the other end of the image that a shift brings into a window.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), with the windows counted as batch: [batch x windows,
        heads, pixels of a window, the same]. Rows of padding are zero.

    Raises:
        ZooValueError: if a number is too small, the shift does not fit the window, a part's name is unknown, or the
            heads cannot share the channels.

    Cost: time and memory batch x heads x pixels x pixels of a window.
    Source: Liu et al. 2021, arXiv:2103.14030, section 3.2 (version 1), and arXiv:2111.09883, sections 3.2 and 3.3
    (version 2). Differs: the bias of version 2 is the network's output as the paper writes it, not 16 times its sigmoid
    as in the authors' code, and the sharpness is learned as exp(b) without an upper bound.
    """

    settings = ("num_heads", "window", "shift")

    def __init__(
        self,
        num_heads: int = 4,
        window: Any = 7,
        shift: Any = 0,
        score: Any = "scaled_dot",
        position: Any = "relative_table",
        **kwargs: Any,
    ):
        super().__init__(num_heads, two_numbers("window", window), score, position, **kwargs)
        self.window, self.shift = window, shift
        self.moves = two_numbers("shift", shift, 0)
        if any(move >= size for move, size in zip(self.moves, self.size)):
            raise ZooValueError(f"shift must be less than the window (pixels), got {shift!r} for {window!r}")

    def get_config(self) -> dict:
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("score", "position")}
        return {**super().get_config(), **parts}

    def windows(self, inputs: Any) -> Windows:
        return Windows(inputs, self.size, self.moves)


@keras.saving.register_keras_serializable(package="attention_zoo")
class GridAttention(_Windowed):
    """Lay a coarse grid of fixed size over the image and let the pixels at one place of its cells meet.

    output_i = W_o sum_j softmax over the grid of i of (q_i . k_j / sqrt(d) + B[cell of i - cell of j]) v_j, d channels
    of a head

    Args:
        num_heads: heads that share the channels.
        grid: cells along the height and the width, one number or two; a cell is as large as the image needs.
        position: how cells are told, as in `WindowAttention`.

    Call:
        inputs: [batch, height, width, channel]; any height and width: what is missing in the last cells is hidden.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), with the places in a cell counted as batch. Rows of
        padding are zero.

    Raises:
        ZooValueError: if a number is under 1, the position's name is unknown, or the heads cannot share the channels.

    Cost: time and memory batch x heads x pixels x cells.
    Source: Tu et al. 2022, arXiv:2204.01697, section 3.2 (grid attention; its block attention is `WindowAttention`).
    """

    settings = ("num_heads", "grid")

    def __init__(self, num_heads: int = 4, grid: Any = 7, position: Any = "relative_table", **kwargs: Any):
        super().__init__(num_heads, two_numbers("grid", grid), "scaled_dot", position, **kwargs)
        self.grid = grid

    def get_config(self) -> dict:
        return {**super().get_config(), "position": keras.saving.serialize_keras_object(self.position)}

    def windows(self, inputs: Any) -> Windows:
        cells = tuple(-(-whole // count) for whole, count in zip(ops.shape(inputs)[1:3], self.size))
        return Windows(inputs, cells, across=True, counts=self.size)


@keras.saving.register_keras_serializable(package="attention_zoo")
class MobileViTAttention(_Windowed):
    """Unfold the image into patches and let the pixels at one place of their patches meet, across the whole image.

    output_i = W_o sum_j softmax over j of (q_i . k_j / sqrt(d)) v_j, j the pixels with the place of i in their patches,
    d channels of a head

    Args:
        num_heads: heads that share the channels.
        patch: height and width of a patch (pixels), one number or two.

    Call:
        inputs: [batch, height, width, channel]; any height and width: what is missing in the last patches is hidden.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), with the places in a patch counted as batch. Rows of
        padding are zero.

    Raises:
        ZooValueError: if a number is under 1, or the heads cannot share the channels.

    Cost: time and memory batch x heads x pixels x pixels / pixels of a patch.
    Source: Mehta, Rastegari 2021, arXiv:2110.02178, section 3.1. Differs: images are padded to whole patches, not
    resized.
    """

    settings = ("num_heads", "patch")

    def __init__(self, num_heads: int = 4, patch: Any = 2, **kwargs: Any):
        super().__init__(num_heads, two_numbers("patch", patch), "scaled_dot", "none", **kwargs)
        self.patch = patch

    def windows(self, inputs: Any) -> Windows:
        return Windows(inputs, self.size, across=True)
