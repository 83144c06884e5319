"""What the layers that read an image and return one have in common."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Masks, Parts, attend, get_part, site_path
from attention_zoo.errors import ZooValueError


class ImageMixing(keras.layers.Layer):
    """Base of layers that mix the pixels, or the channels, of images [batch, height, width, channel].

    A subclass names its constructor's arguments in `settings` and writes `build` and `call`.
    """

    settings: tuple[str, ...] = ()

    def __init__(self, score: Any = "dot", position: Any = "none", **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.score = get_part("score", score, "dot", self.dtype_policy)
        self.normalizer = get_part("normalizer", "softmax", "softmax", self.dtype_policy)
        self.position = get_part("position", position, "none", self.dtype_policy)
        self.pattern = get_part("pattern", "full", "full", self.dtype_policy)

    def get_config(self) -> dict:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.settings}}

    def compute_output_shape(self, inputs_shape: Any) -> tuple:
        return tuple(inputs_shape)

    def dense(self, name: str, width: int, units: int, use_bias: bool = True, **options: Any) -> keras.layers.Dense:
        """Make and build a 1 x 1 convolution from `width` to `units` channels."""
        layer = keras.layers.Dense(units, use_bias=use_bias, name=name, **{"dtype": self.dtype_policy, **options})
        layer.build((None, None, None, width))
        return layer

    def norm(self, name: str, width: int, dtype: Any = None) -> keras.layers.LayerNormalization:
        """Make and build a normalisation of `width` channels."""
        layer = keras.layers.LayerNormalization(epsilon=1e-5, name=name, dtype=dtype or self.dtype_policy)
        layer.build((None, None, width))
        return layer

    def mix(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        heads: int = 1,
        masks: Masks | None = None,
        mix_scores: Any = None,
        place: str = "",
    ) -> Any:
        """Attend with projected [batch, <axes>, head x channel]: every query position to every key position.

        Args:
            query: the queries; their inner axes count as one length.
            key: the keys.
            value: the values.
            heads: that the channels are split into.
            masks: what may be seen.
            mix_scores: a function of the scores, or None.
            place: name of the map below the layer; "" where there is one.

        Returns:
            [batch, query, head x channel].
        """
        parts = Parts(self.score, self.normalizer, self.position, self.pattern, mix_scores=mix_scores)
        query, key, value = (split_heads(array, heads) for array in (query, key, value))
        path = f"{site_path(self)}/{place}" if place else site_path(self)
        output = attend(query, key, value, path=path, parts=parts, masks=masks).output
        shape = ops.shape(output)
        return ops.reshape(output, (shape[0], shape[1], heads * shape[3]))


def split_heads(array: Any, heads: int) -> Any:
    """Bring [batch, length (or height, width), head x channel] to [batch, length, head, channel]."""
    shape = ops.shape(array)
    length = shape[1] if len(shape) == 3 else shape[1] * shape[2]
    return ops.reshape(array, (shape[0], length, heads, shape[-1] // heads))


def keep(scores: Any) -> Any:
    """Return the scores as they are: given as `mix_scores`, it has the map formed.

    Between channels the map is small; the fused operations are made for many positions of few channels, not for few
    positions that are as long as an image.
    """
    return scores


def like_image(array: Any, image: Any) -> Any:
    """Bring [batch, length, channel] to the height and width of `image`."""
    return ops.reshape(array, (*ops.shape(image)[:3], array.shape[-1]))


def two_numbers(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Return height and width, both `value` where it is one number (pixels)."""
    pair = (value, value) if not isinstance(value, (tuple, list)) else tuple(value)
    if len(pair) != 2:
        raise ZooValueError(f"{name} must be one whole number or two (height, width), got {value!r}")
    return tuple(whole_number(name, size, least, "pixels") for size in pair)


def head_width(width: int, heads: int, name: str = "num_heads") -> int:
    """Return the channels of a head if the heads can share `width` channels evenly."""
    if width % heads:
        raise ZooValueError(f"{name} must divide the channels of the inputs, got {heads} for {width} channels")
    return width // heads


def share_of(width: int, ratio: int) -> int:
    """Return the channels left after division by `ratio`: at least one."""
    return max(width // ratio, 1)
