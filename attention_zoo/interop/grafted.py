"""The layer that a graft puts into a model: an attention, and how much of it is let through."""

import inspect
from typing import Any

import keras
from keras import ops

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown

STRENGTHS = ("scalar", "channel")


@keras.saving.register_keras_serializable(package="attention_zoo")
class Grafted(keras.layers.Layer):
    """Let a learned share of an attention into what a model has here already.

    after:  output = x + s (attention(x) - x)
    around: output = x + s attention(x)

    s is learned and starts at 0, so that the model answers as before; its gradient is the attention's own effect, so
    it moves at the first step, and the attention's weights follow as soon as it is not 0. Where the attention itself
    starts without effect (its last scale is 0), a second 0 would keep both from ever learning; `graft` notices and
    starts s at 1.

    Args:
        attention: a layer that returns the shape that it is given.
        around: the second form, for what is to be added, in place of the first.
        identity: False leaves s out (s = 1): the attention is applied in full from the start.
        strength: "scalar", one s, or "channel", one for each channel (the last axis).
        tokens: True flattens height and width before the attention, which reads sequences, and brings them back.

    Call:
        inputs: [batch, ..., channel].
        mask: bool [batch, length], given to an attention that takes one; it is passed on.

    Returns:
        The shape of `inputs`.

    Raises:
        ZooTypeError: if `attention` is no layer.
        ZooValueError: if the attention is in use already or returns another shape than it is given, or the strength is
            unknown.

    Cost: the attention's, and one multiplication and addition of the inputs.
    Source: Bachlechner et al. 2020, arXiv:2003.04887 (ReZero, "scalar"); Touvron et al. 2021, arXiv:2103.17239
    (LayerScale, "channel"). Differs: the second starts at a small number there, and scales what is added; here the form
    "after" scales the difference that the attention makes, so that gates, which replace, can start unseen too.
    """

    def __init__(
        self,
        attention: Any,
        around: bool = False,
        identity: bool = True,
        strength: str = "scalar",
        tokens: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(attention, keras.layers.Layer):
            raise ZooTypeError(f"attention must be a layer, got {type(attention).__name__}")
        if attention.built:
            raise ZooValueError(f"attention {attention.name!r} must be new, got a layer that is in use already")
        if strength not in STRENGTHS:
            raise unknown("strength", strength, STRENGTHS)
        self.supports_masking = True
        self.attention, self.around, self.identity = attention, bool(around), bool(identity)
        self.strength_kind, self.tokens = strength, bool(tokens)
        self.strength: Any = None

    def get_config(self) -> dict:
        own = {"around": self.around, "identity": self.identity, "strength": self.strength_kind, "tokens": self.tokens}
        attention = keras.saving.serialize_keras_object(self.attention)
        attention.pop("build_config", None)  # built by itself when it is read, it would not know where it stands
        return {**super().get_config(), "attention": attention, **own}

    @classmethod
    def from_config(cls, config: dict) -> "Grafted":
        return cls(**{**config, "attention": keras.saving.deserialize_keras_object(config["attention"])})

    def build(self, input_shape: Any) -> None:
        read = _as_tokens(input_shape) if self.tokens else tuple(input_shape)
        self.attention.build(read)
        given = self.attention.compute_output_shape(read)
        if not isinstance(given, (tuple, list)) or tuple(given) != read:
            raise ZooValueError(
                f"an attention must return the shape that it is given to be grafted, got {given} for {read}"
            )
        parameters = inspect.signature(self.attention.call).parameters
        # An attention by its queries names the mask of what it reads after them.
        self.mask_argument = next((name for name in ("query_mask", "mask") if name in parameters), None)
        if self.identity:
            shape = (input_shape[-1],) if self.strength_kind == "channel" else ()
            self.strength = self.add_weight(shape=shape, initializer="zeros", name="strength")

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        branch = self.branch(inputs, mask, training)
        if self.identity:
            branch = self.strength * branch
        return inputs + branch

    def branch(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Return what is added to `inputs`, before it is scaled."""
        read = inputs
        if self.tokens:
            shape = ops.shape(inputs)
            read = ops.reshape(inputs, (shape[0], shape[1] * shape[2], shape[3]))
        options: dict[str, Any] = {}
        if mask is not None and self.mask_argument is not None:
            options[self.mask_argument] = mask
        if self.attention._call_has_training_arg:
            options["training"] = training
        seen = self.attention(read, **options)
        if self.tokens:
            seen = ops.reshape(seen, ops.shape(inputs))
        return seen if self.around else seen - inputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Pass the mask on: a graft moves no position."""
        return mask

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


def _as_tokens(shape: Any) -> tuple:
    """Return the shape of an image as a sequence of its pixels."""
    if len(shape) != 4:
        raise ZooValueError(f"tokens=True wants [batch, height, width, channel], got a shape of {tuple(shape)}")
    batch, height, width, channels = shape
    return (batch, None if height is None or width is None else height * width, channels)
