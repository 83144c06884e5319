"""The network of an image classifier: a plain functional Keras model, pixels in, logits out."""

from collections.abc import Callable
from typing import Any

import keras

from attention_zoo.blocks import LastToken, Standardize
from attention_zoo.errors import ZooValueError
from attention_zoo.interop import encode_image
from attention_zoo.layers import named
from attention_zoo.models.classifier.backbone import NETWORK
from attention_zoo.models.classifier.head import classify
from attention_zoo.models.image_classifier.config import ImageClassifierConfig
from attention_zoo.models.image_classifier.stages import encode_stages


def encode_backbone(pixels: Any, config: ImageClassifierConfig) -> Any:
    """Run a backbone of another library; one that scales pixels itself gets them as they are."""
    if not config.backbone["config"].get("include_rescaling"):
        pixels = Standardize(config.mean, config.std, name="standardize")(pixels)
    return encode_image(config.backbone, pixels, name=NETWORK)


# What turns pixels into a map [batch, height, width, channels], or into tokens [batch, places, channels].
ENCODERS: dict[str, Callable[[Any, ImageClassifierConfig], Any]] = {
    "resnet": encode_stages,
    "vit": encode_stages,
    "swin": encode_stages,
    "hybrid": encode_stages,
    NETWORK: encode_backbone,
}


def build_network(config: ImageClassifierConfig) -> keras.Model:
    """Build the network of a config, with new weights.

    Every layer has a fixed name, so that weights and attention sites have the same paths in every process.

    Args:
        config: with at least two labels.

    Returns:
        A model from `pixels`, float32 [batch, height, width, channels], 0..1, to logits, float32 [batch, labels].

    Raises:
        ZooValueError: if there are no labels yet, an attention does not fit its place, or a layer refuses its
            arguments.
    """
    if not config.labels:
        raise ZooValueError("labels must be known before the network is built, got none")
    pixels = keras.Input((config.height, config.width, config.channels), dtype="float32", name="pixels")
    pooled = _pool(ENCODERS[config.network](pixels, config), config)
    return keras.Model(pixels, classify(pooled, config), name="image_classifier")


def _pool(read: Any, config: ImageClassifierConfig) -> Any:
    """Sum the places of a map up to one vector."""
    if config.pooling == "class_token":
        return LastToken(name="pooling")(read)
    if len(read.shape) == 4:
        read = keras.layers.Reshape((read.shape[1] * read.shape[2], read.shape[3]), name="places")(read)
    if config.pooling == "mean":
        return keras.layers.GlobalAveragePooling1D(data_format="channels_last", name="pooling")(read)
    if config.pooling == "max":
        return keras.layers.GlobalMaxPooling1D(data_format="channels_last", name="pooling")(read)
    chosen = dict(config.pooling) if isinstance(config.pooling, dict) else {"name": config.pooling}
    if chosen["name"] == "ml_decoder":
        chosen.setdefault("num_classes", len(config.labels))
    return named.get(chosen, role="pool", name="pooling")(read)
