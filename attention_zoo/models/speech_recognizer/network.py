"""The network of a speech recognizer: a plain functional Keras model, features in, logits of units out."""

from typing import Any

import keras

from attention_zoo.blocks import (
    ConformerEncoder,
    CtcHead,
    FrameMask,
    PyramidEncoder,
    RecurrentDecoder,
    StreamingEncoder,
    TransformerDecoder,
)
from attention_zoo.errors import ZooValueError
from attention_zoo.models.speech_recognizer.config import SpeechRecognizerConfig

# Names of the layers between which a search cuts the network.
ENCODER, MEMORY, MASK, CTC, DECODER = "encoder", "memory", "memory_mask", "ctc", "decoder"
FACTORS = (2, 2)  # frames and steps that the first recurrent layers of "las" lay together


def build_network(config: SpeechRecognizerConfig) -> keras.Model:
    """Build the network of a config, with new weights.

    Every layer has a fixed name, so that weights and attention sites have the same paths in every process.

    Args:
        config: with the number of units.

    Returns:
        A model from `features`, float32 [batch, frames, mels], `frames`, int32 [batch], and where there is a decoder
        `target_ids`, int32 [batch, target], which begins with [BOS], to "ctc", float32 logits [batch, steps, units],
        and "tokens", float32 logits [batch, target, units]. At padded steps "ctc" is blank for certain.

    Raises:
        ZooValueError: if the units are not known yet, or a layer refuses its arguments.
    """
    if config.vocabulary_size is None:
        raise ZooValueError("vocabulary_size must be known before the network is built, got None")
    features = keras.Input((None, config.mels), name="features")
    frames = keras.Input((), dtype="int32", name="frames")
    inputs = {"features": features, "frames": frames}
    encoder = {"conformer": _conformer, "streaming": _streaming, "las": _pyramid}[config.network](config)
    memory = keras.layers.Identity(name=MEMORY)(encoder(features, frames))
    mask = FrameMask(encoder.factor, name=MASK)(features, frames)
    outputs = {"ctc": CtcHead(config.vocabulary_size, name=CTC)(memory, mask=mask)}
    if config.decodes:
        inputs["target_ids"] = keras.Input((None,), dtype="int32", name="target_ids")
        decoder = (_speller if config.network == "las" else _transformer)(config)
        outputs["tokens"] = decoder(inputs["target_ids"], memory, memory_mask=mask)
    return keras.Model(inputs, outputs, name="speech_recognizer")


def _shared(config: SpeechRecognizerConfig) -> dict[str, Any]:
    names = ("feed_forward", "kernel_size", "attention", "dropout", "attention_dropout", "stochastic_depth")
    return {name: getattr(config, name) for name in names}


def _conformer(config: SpeechRecognizerConfig) -> ConformerEncoder:
    return ConformerEncoder(config.depth, config.width, config.heads, **_shared(config), name=ENCODER)


def _streaming(config: SpeechRecognizerConfig) -> StreamingEncoder:
    return StreamingEncoder(
        config.depth, config.width, config.heads, config.chunk, config.left, **_shared(config), name=ENCODER
    )


def _pyramid(config: SpeechRecognizerConfig) -> PyramidEncoder:
    factors = (1,) * (config.depth - len(FACTORS)) + FACTORS
    return PyramidEncoder(config.width, factors[: config.depth], config.cell, config.dropout, name=ENCODER)


def _transformer(config: SpeechRecognizerConfig) -> TransformerDecoder:
    block = {
        "num_heads": config.heads,
        "feed_forward": config.feed_forward,
        "cross_attention": config.cross_attention,
        "attention_dropout": config.attention_dropout,
    }
    return TransformerDecoder(
        config.decoder_depth, config.vocabulary_size, config.width, block, dropout=config.dropout, name=DECODER
    )


def _speller(config: SpeechRecognizerConfig) -> RecurrentDecoder:
    return RecurrentDecoder(
        2 * config.width,
        config.vocabulary_size,
        config.width,
        cell=config.cell,
        alignment=config.attention,
        dropout=config.dropout,
        scheduled_sampling=config.scheduled_sampling or None,
        name=DECODER,
    )
