"""The network of a translator: a plain functional Keras model, source and target ids in, logits out."""

from typing import Any

import keras

from attention_zoo.blocks import (
    EncoderBlock,
    PaddingMask,
    RecurrentDecoder,
    TiedEmbedding,
    TransformerDecoder,
    bidirectional,
)
from attention_zoo.blocks.encoder import EPSILON
from attention_zoo.errors import ZooValueError
from attention_zoo.models.translator.config import TranslatorConfig

MEMORY, DECODER = "memory", "decoder"  # names of the layers between which a search cuts the network
MULTIPLE = 8  # pieces that widths of batches are a multiple of


def build_network(config: TranslatorConfig) -> keras.Model:
    """Build the network of a config, with new weights.

    Every layer has a fixed name, so that weights and attention sites have the same paths in every process.

    Args:
        config: with the sizes of both vocabularies.

    Returns:
        A model from `source_ids`, int32 [batch, source], and `target_ids`, int32 [batch, target], which begins with
        [BOS], to logits, float32 [batch, target, vocabulary]. 0 is padding in both, which changes nothing.

    Raises:
        ZooValueError: if the vocabularies are not known yet, or a layer refuses its arguments.
    """
    if config.source_size is None:
        raise ZooValueError("source_size must be known before the network is built, got None")
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    target_ids = keras.Input((None,), dtype="int32", name="target_ids")
    mask = PaddingMask(name="mask")(source_ids)
    shared = config.shared == "all"
    embedding = TiedEmbedding(
        config.source_size, config.width, _position(config), name="embedding" if shared else "source_embedding"
    )
    read = keras.layers.Dropout(config.dropout, name="dropping")(embedding(source_ids))
    memory = (_recur if config.recurrent else _attend)(read, mask, config)
    decoder = (_recurrent if config.recurrent else _transformer)(config, embedding if shared else None)
    logits = decoder(target_ids, memory, memory_mask=mask)
    return keras.Model({"source_ids": source_ids, "target_ids": target_ids}, logits, name="translator")


def _position(config: TranslatorConfig) -> Any:
    if config.position == "learned":
        # Batches are as wide as a multiple of 8, or one more.
        return {"name": "learned", "max_length": (config.max_length // MULTIPLE + 2) * MULTIPLE}
    return config.position


def _attend(read: Any, mask: Any, config: TranslatorConfig) -> Any:
    """Run the encoder blocks."""
    for number in range(1, config.depth + 1):
        read = EncoderBlock(
            config.heads,
            config.feed_forward,
            config.attention,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            kind=config.feed_forward_kind,
            norm=config.norm,
            name=f"encoder_{number}",
        )(read, mask=mask)
    if config.norm == "pre":
        return keras.layers.LayerNormalization(epsilon=EPSILON, name=MEMORY)(read)
    return keras.layers.Identity(name=MEMORY)(read)


def _recur(read: Any, mask: Any, config: TranslatorConfig) -> Any:
    """Run the layers that read both ways."""
    for number in range(1, config.depth + 1):
        read = bidirectional(config.cell, config.units // 2, name=f"encoder_{number}")(read, mask=mask)
        read = keras.layers.Dropout(config.dropout, name=f"encoder_{number}_dropout")(read)
    return keras.layers.Identity(name=MEMORY)(read)


def _transformer(config: TranslatorConfig, embedding: Any) -> TransformerDecoder:
    block = {
        "num_heads": config.heads,
        "feed_forward": config.feed_forward,
        "attention": config.decoder_attention,
        "cross_attention": config.cross_attention,
        "attention_dropout": config.attention_dropout,
        "kind": config.feed_forward_kind,
        "norm": config.norm,
    }
    return TransformerDecoder(
        config.decoder_depth,
        config.vocabulary_size,
        config.width,
        block,
        position=_position(config),
        dropout=config.dropout,
        tie=config.shared != "none",
        embedding=embedding,
        name=DECODER,
    )


def _recurrent(config: TranslatorConfig, embedding: Any) -> RecurrentDecoder:
    return RecurrentDecoder(
        config.units,
        config.vocabulary_size,
        config.width,
        cell=config.cell,
        alignment=config.attention,
        input_feeding=config.input_feeding,
        dropout=config.dropout,
        tie=config.shared != "none",
        embedding=embedding,
        scheduled_sampling=config.scheduled_sampling or None,
        name=DECODER,
    )
