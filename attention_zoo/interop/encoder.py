"""A backbone of another library as one layer of ours: tokens or pixels in, a sequence or a feature map out."""

import os
from typing import Any

import keras
from keras import ops

from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.interop.backbones import build, to_spec
from attention_zoo.interop.keras_hub import keras_hub_backbone

READS = ("text", "image")
TEXT_INPUTS = ("token_ids", "padding_mask", "segment_ids")
SEQUENCE = "sequence_output"


@keras.saving.register_keras_serializable(package="attention_zoo")
class BackboneEncoder(keras.layers.Layer):
    """Read text or images by a backbone of keras-hub or keras-cv.

    The layer holds a backbone of its own, built from the spec; from a backbone or a preset's folder it takes over the
    weights. It is saved as plain values, and only classes that the library calls backbones are ever made of them.
    The backbone's own attention is not captured, that of the layers behind it is.

    Args:
        backbone: a backbone, a spec, a pair of class name and config, or a preset's folder, see `to_spec`.
        reads: "text" or "image".

    Call:
        inputs: text: token ids, int [batch, tokens], below the backbone's vocabulary; image: [batch, height, width,
            channel], from 0 to 1 or standardised. A backbone that divides by 255 itself gets them times 255.
        mask: text only: bool [batch, tokens], True marks a token; None takes every id but 0 as one.

    Returns:
        text: [batch, tokens, width]. image: what the backbone gives: [batch, height, width, channel], or
        [batch, tokens, channel] (a vision transformer; the first tokens may stand for no patch).

    Raises:
        ZooTypeError: if the backbone is of the wrong kind.
        ZooValueError: if the backbone does not read that, or does not read images of that size.

    Cost: the backbone's.
    """

    def __init__(self, backbone: Any, reads: str = "text", **kwargs: Any):
        if reads not in READS:
            raise unknown("kind of input", reads, READS)
        super().__init__(**kwargs)
        self.supports_masking = reads == "text"
        self.reads, self.spec = reads, to_spec(backbone)
        # The names of Keras's scopes become part of the weights' paths: two backbones in a model stay apart.
        with keras.name_scope(self.name):
            self.backbone = build(self.spec, dtype=self.dtype_policy)
        if isinstance(backbone, (str, os.PathLike)):
            backbone = keras_hub_backbone(backbone)
        if isinstance(backbone, keras.Model):
            self.backbone.set_weights(backbone.get_weights())
        self._check_inputs()
        self._check_outputs()

    def get_config(self) -> dict:
        return {**super().get_config(), "backbone": self.spec, "reads": self.reads}

    @property
    def width(self) -> int:
        """Channels of what comes out."""
        return self._output(self.backbone.output).shape[-1]

    @property
    def vocabulary_size(self) -> int | None:
        """Entries of the vocabulary of a text backbone; token ids must be below. None where it does not say."""
        config = self.spec["config"]
        return config.get("vocabulary_size", config.get("vocab_size"))

    @property
    def max_length(self) -> int | None:
        """Tokens that a text backbone reads at most; None where it does not say."""
        return self.spec["config"].get("max_sequence_length")

    def build(self, input_shape: Any) -> None:
        if self.reads == "image":
            self._check_size(tuple(input_shape))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        arrays = self._text(inputs, mask) if self.reads == "text" else self._image(inputs)
        return self._output(self.backbone(arrays, training=training))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        if self.reads == "text":
            return (*input_shape, self.width)
        wanted = self.backbone.input
        shape = {next(iter(wanted)): tuple(input_shape)} if isinstance(wanted, dict) else tuple(input_shape)
        return tuple(self.backbone.compute_output_shape(shape))

    def _text(self, token_ids: Any, mask: Any) -> dict[str, Any]:
        mask = ops.not_equal(token_ids, 0) if mask is None else mask
        made = {"token_ids": token_ids, "padding_mask": mask, "segment_ids": ops.zeros_like(token_ids)}
        return {name: ops.cast(made[name], "int32") for name in self.backbone.input}

    def _image(self, pixels: Any) -> Any:
        if getattr(self.backbone, "include_rescaling", False):
            pixels = pixels * 255.0
        wanted = self.backbone.input
        return {next(iter(wanted)): pixels} if isinstance(wanted, dict) else pixels

    def _output(self, output: Any) -> Any:
        return output.get(SEQUENCE) if isinstance(output, dict) else output

    def _check_inputs(self) -> None:
        wanted = self.backbone.input
        names = list(wanted) if isinstance(wanted, dict) else [tensor.name for tensor in self.backbone.inputs]
        if self.reads == "text":
            fits = isinstance(wanted, dict) and "token_ids" in names and all(name in TEXT_INPUTS for name in names)
        else:
            fits = len(names) == 1 and len(self.backbone.inputs[0].shape) == 4
        if not fits:
            raise ZooValueError(f"{self.spec['class_name']} does not read {self.reads} alone: its inputs are {names}")
        if self.reads == "text" and "padding_mask" not in names:
            raise ZooValueError(
                f"{self.spec['class_name']} takes no padding_mask: what a text is would depend on its padding"
            )
        formats = {getattr(layer, "data_format", None) for layer in self.backbone._flatten_layers()}
        if "channels_first" in formats:
            raise ZooValueError(f"{self.spec['class_name']} must be channels_last, got channels_first")

    def _check_outputs(self) -> None:
        output = self._output(self.backbone.output)
        ranks = (3,) if self.reads == "text" else (3, 4)
        if not isinstance(output, keras.KerasTensor) or len(output.shape) not in ranks:
            raise ZooValueError(f"{self.spec['class_name']} gives no sequence or feature map: {self.backbone.output}")

    def _check_size(self, given: tuple) -> None:
        wanted = tuple(self.backbone.inputs[0].shape)
        if len(given) != 4 or any(size not in (None, found) for size, found in zip(wanted[1:], given[1:])):
            raise ZooValueError(
                f"{self.spec['class_name']} reads images of {list(wanted[1:])} (height, width, channels; None is any), "
                f"got {list(given[1:])}"
            )


def encode_text(backbone: Any, token_ids: Any, mask: Any = None, *, name: str = "backbone") -> Any:
    """Read token ids by a text backbone, in a functional model.

    Args:
        backbone: as for `BackboneEncoder`.
        token_ids: int [batch, tokens].
        mask: bool [batch, tokens], True marks a token; None takes every id but 0 as one.
        name: of the layer.

    Returns:
        [batch, tokens, width].

    Raises:
        ZooTypeError: if the backbone is of the wrong kind.
        ZooValueError: if it does not read text.
    """
    return BackboneEncoder(backbone, "text", name=name)(token_ids, mask=mask)


def encode_image(backbone: Any, pixels: Any, *, name: str = "backbone") -> Any:
    """Read images by an image backbone, in a functional model.

    Args:
        backbone: as for `BackboneEncoder`.
        pixels: [batch, height, width, channel], from 0 to 1 or standardised.
        name: of the layer.

    Returns:
        [batch, height, width, channel], or [batch, tokens, channel].

    Raises:
        ZooTypeError: if the backbone is of the wrong kind.
        ZooValueError: if it does not read images of that size.
    """
    return BackboneEncoder(backbone, "image", name=name)(pixels)
