"""The encoders: from what a modality comes as to steps of one width, and to one vector."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from attention_zoo.blocks import (
    ConformerBlock,
    EncoderBlock,
    FrameMask,
    PictureEncoder,
    Presence,
    Shown,
    Subsampling,
    TokenEmbedding,
    bidirectional,
)
from attention_zoo.blocks.encoder import EPSILON
from attention_zoo.blocks.subsampling import FACTOR
from attention_zoo.layers import named
from attention_zoo.models.emotion_recognizer.config import EmotionRecognizerConfig


class Read(NamedTuple):
    """What an encoder made of a modality.

    Args:
        name: of the modality.
        steps: [batch, step, width], zero at padding.
        mask: bool [batch, step]; False marks padding.
        present: bool [batch]; False marks rows in which the modality is missing.
    """

    name: str
    steps: Any
    mask: Any
    present: Any


def take_in(modality: str, config: EmotionRecognizerConfig) -> keras.KerasTensor:
    """Make the input of a modality.

    Args:
        modality: its name.
        config: says in which form it comes.
    """
    kind, dtype = config.kind(modality), "float32"
    if kind == "frames":
        shape: tuple = (None, config.height, config.width_pixels, config.channels)
    elif kind == "sound":
        shape = (None, config.mels)
    elif kind == "words":
        shape, dtype = (None,), "int32"
    else:
        shape = (None, getattr(config, f"{modality}_features"))
    return keras.Input(shape, dtype=dtype, name=modality)


def encode(modality: str, inputs: Any, counts: Any, config: EmotionRecognizerConfig) -> Read:
    """Run the encoder of a modality.

    Args:
        modality: its name.
        inputs: of `take_in`.
        counts: int [batch], how many steps of each row are real.
        config: every choice.
    """
    kind = config.kind(modality)
    mask = FrameMask(1, name=f"{modality}_mask")(inputs, counts)
    shown = Shown(name=f"{modality}_shown")(inputs, mask)
    steps = ENCODERS[kind](modality, shown, counts, mask, config)
    if kind == "sound":
        mask = FrameMask(FACTOR, name=f"{modality}_step_mask")(inputs, counts)
    steps = keras.layers.Dropout(config.dropout, name=f"{modality}_dropout")(steps)
    steps = _run_blocks(modality, steps, mask, config)
    present = Presence(name=f"{modality}_present")(counts)
    return Read(modality, Shown(name=f"{modality}_encoded")(steps, mask), mask, present)


def pool(read: Read, config: EmotionRecognizerConfig, name: str) -> Any:
    """Sum the steps of a modality up, [batch, channels]; zeros where it is missing.

    Args:
        read: of `encode`, perhaps with other steps.
        config: has the pooling.
        name: of the layer.
    """
    pooled = named.get(config.pooling, role="pool", name=name)(read.steps, mask=read.mask)
    return Shown(name=f"{name}_shown")(pooled, read.present)


def _read_pictures(modality: str, shown: Any, counts: Any, mask: Any, config: EmotionRecognizerConfig) -> Any:
    """Read each picture by convolutions, and attend to its places."""
    gate = None if config.picture_gate == "none" else config.picture_gate
    places = PictureEncoder(config.picture_widths, gate, name=f"{modality}_pictures")(shown)
    pooled = named.get("attention_pooling", name=f"{modality}_places")(places)
    return keras.layers.Dense(config.width, name=f"{modality}_projection")(pooled)


def _hear(modality: str, shown: Any, counts: Any, mask: Any, config: EmotionRecognizerConfig) -> Any:
    """Make one step of four frames."""
    return Subsampling(config.width, config.sound_filters, name=f"{modality}_subsampling")(shown, counts)


def _read_words(modality: str, shown: Any, counts: Any, mask: Any, config: EmotionRecognizerConfig) -> Any:
    """Give tokens vectors, and read them both ways where asked."""
    embedding = TokenEmbedding(
        config.vocabulary_size, config.width, token_dropout=config.token_dropout, name=f"{modality}_embedding"
    )
    vectors = embedding(shown)
    if config.text_recurrent == "none":
        return vectors
    vectors = keras.layers.Dropout(config.dropout, name=f"{modality}_embedding_dropout")(vectors)
    recurrent = bidirectional(config.text_recurrent, max(config.width // 2, 1), name=f"{modality}_recurrent")
    read = recurrent(vectors, mask=mask)
    if read.shape[-1] != config.width:
        read = keras.layers.Dense(config.width, name=f"{modality}_projection")(read)
    return read


def _read_vectors(modality: str, shown: Any, counts: Any, mask: Any, config: EmotionRecognizerConfig) -> Any:
    """Bring vectors to the width."""
    vectors = keras.layers.Dense(config.width, activation="gelu", name=f"{modality}_projection")(shown)
    return keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{modality}_projection_norm")(vectors)


# From inputs in which nothing hidden is left to steps of `width` channels, by the form of a modality.
ENCODERS: dict[str, Callable[[str, Any, Any, Any, EmotionRecognizerConfig], Any]] = {
    "frames": _read_pictures,
    "sound": _hear,
    "words": _read_words,
    "features": _read_vectors,
}


def _run_blocks(modality: str, steps: Any, mask: Any, config: EmotionRecognizerConfig) -> Any:
    """Let the steps of a modality exchange what they know."""
    if not config.depth(modality):
        return steps
    conformer = config.kind(modality) == "sound" and config.sound_block == "conformer"
    make = _conformer if conformer else _transformer
    for number in range(1, config.depth(modality) + 1):
        steps = make(config, f"{modality}_block_{number}")(steps, mask=mask)
    # Conformer blocks end in a norm of their own.
    return steps if conformer else keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{modality}_norm")(steps)


def _transformer(config: EmotionRecognizerConfig, name: str) -> keras.layers.Layer:
    return EncoderBlock(
        config.heads,
        config.feed_forward,
        config.attention,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        name=name,
    )


def _conformer(config: EmotionRecognizerConfig, name: str) -> keras.layers.Layer:
    return ConformerBlock(
        config.heads,
        config.feed_forward,
        config.convolution,
        config.dropout,
        config.attention_dropout,
        norm="layer",  # looks at one step at a time: nothing else in the batch changes a number
        attention=config.attention,
        name=name,
    )
