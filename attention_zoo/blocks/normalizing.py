"""The norms of convolution blocks, by name."""

from typing import Any

import keras

from attention_zoo.errors import ZooValueError, unknown

NORMS = ("batch", "layer", "group")
EPSILON = 1e-5
MOMENTUM = 0.9  # of the moving statistics of a batch norm
GROUPS = 8  # of a group norm


def make_norm(kind: str, name: str, width: int, dtype: Any = None) -> keras.layers.Layer:
    """Make and build a norm of images or sequences of `width` channels.

    Args:
        kind: "batch" (statistics of the batch, moving ones at inference), "layer" (the channels of each place) or
            "group" (the places and channels of each of 8 groups of one image).
        name: of the layer.
        width: channels.
        dtype: dtype policy.

    Raises:
        ZooValueError: if the kind is unknown, or 8 groups cannot share the channels.

    Source: Ioffe, Szegedy 2015, arXiv:1502.03167; Ba et al. 2016, arXiv:1607.06450; Wu, He 2018, arXiv:1803.08494.
    """
    if kind == "batch":
        norm = keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name, dtype=dtype)
    elif kind == "layer":
        norm = keras.layers.LayerNormalization(epsilon=EPSILON, name=name, dtype=dtype)
    elif kind == "group":
        if width % GROUPS:
            raise ZooValueError(f"norm 'group' wants channels that {GROUPS} groups can share, got {width}")
        norm = keras.layers.GroupNormalization(GROUPS, epsilon=EPSILON, name=name, dtype=dtype)
    else:
        raise unknown("norm", kind, NORMS)
    norm.build((None, None, None, width))
    return norm
