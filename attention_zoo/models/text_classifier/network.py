"""The network of a text classifier: a plain functional Keras model, token ids in, logits out."""

from typing import Any

import keras

from attention_zoo.blocks import (
    Convolutions,
    EncoderBlock,
    MaskedMaxPooling,
    OverGroups,
    PaddingMask,
    TokenEmbedding,
    bidirectional,
)
from attention_zoo.blocks.encoder import EPSILON
from attention_zoo.errors import ZooValueError
from attention_zoo.interop import BackboneEncoder
from attention_zoo.layers import named
from attention_zoo.models.classifier.backbone import NETWORK
from attention_zoo.models.classifier.head import classify
from attention_zoo.models.text_classifier.config import TextClassifierConfig


def build_network(config: TextClassifierConfig) -> keras.Model:
    """Build the network of a config, with new weights.

    Every layer has a fixed name, so that weights and attention sites have the same paths in every process.

    Args:
        config: with at least two labels.

    Returns:
        A model from `token_ids`, int32 [batch, tokens] (hierarchical: [batch, sentences, tokens]; 0 is padding, which
        changes nothing) to logits, float32 [batch, labels].

    Raises:
        ZooValueError: if there are no labels yet, or a layer refuses its arguments.
    """
    if not config.labels:
        raise ZooValueError("labels must be known before the network is built, got none")
    token_ids, pooled = _read_sentences(config) if config.hierarchical else _read_text(config)
    return keras.Model(token_ids, classify(pooled, config), name="text_classifier")


def _read_text(config: TextClassifierConfig) -> tuple[Any, Any]:
    """Read a text as one row of tokens."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = PaddingMask(name="mask")(token_ids)
    embedded = _embed(token_ids, config) if config.backbone is None else _read_by_backbone(token_ids, mask, config)
    read = _convolve(embedded, mask, config)
    read = _recur(read, mask, config, "recurrent")
    read = _attend(read, mask, config)
    return token_ids, _pool(read, embedded, mask, config, "pooling")


def _read_sentences(config: TextClassifierConfig) -> tuple[Any, Any]:
    """Read the words of each sentence, and then the sentences."""
    token_ids = keras.Input((None, None), dtype="int32", name="token_ids")
    mask = PaddingMask(name="mask")(token_ids)
    embedded = _embed(token_ids, config)
    read = _convolve(embedded, mask, config)
    read = _recur(read, mask, config, "word_recurrent")
    sentences = _pool(read, embedded, mask, config, "word_pooling")
    mask = PaddingMask(groups=True, name="sentence_mask")(token_ids)
    read = _recur(sentences, mask, config, "sentence_recurrent")
    read = _attend(read, mask, config)
    return token_ids, _pool(read, sentences, mask, config, "sentence_pooling")


def _read_by_backbone(token_ids: Any, mask: Any, config: TextClassifierConfig) -> Any:
    """Run a backbone of another library, which must take all that the tokenizer may give it."""
    encoder = BackboneEncoder(config.backbone, "text", name=NETWORK)
    for name in ("vocabulary_size", "max_length"):
        most = getattr(encoder, name)
        if most is not None and getattr(config, name) > most:
            kind = config.backbone["class_name"]
            raise ZooValueError(f"{name} must be at most {most}, that of the {kind}, got {getattr(config, name)}")
    return encoder(token_ids, mask=mask)


def _embed(token_ids: Any, config: TextClassifierConfig) -> Any:
    """Give tokens vectors, and drop channels of a whole text (Gal, Ghahramani 2016, arXiv:1512.05287)."""
    position = config.position
    if position == "learned":
        position = {"name": "learned", "max_length": config.max_length}
    embedded = TokenEmbedding(
        config.vocabulary_size,
        config.width,
        position=position,
        scale=position != "none",
        token_dropout=config.token_dropout,
        name="embedding",
    )(token_ids)
    noise = (None, *(1,) * (len(embedded.shape) - 2), config.width)
    return keras.layers.Dropout(config.embedding_dropout, noise, name="embedding_dropout")(embedded)


def _over(layer: keras.layers.Layer, inputs: Any, mask: Any) -> Any:
    """Apply a layer that reads a sequence; to each sentence where there are sentences."""
    if len(inputs.shape) == 4:
        layer = OverGroups(layer, name=layer.name)
    return layer(inputs, mask=mask)


def _convolve(read: Any, mask: Any, config: TextClassifierConfig) -> Any:
    if not config.convolutions:
        return read
    return _over(Convolutions(config.convolutions, config.filters, name="convolutions"), read, mask)


def _recur(read: Any, mask: Any, config: TextClassifierConfig, name: str) -> Any:
    if config.recurrent == "none":
        return read
    for number in range(1, config.recurrent_depth + 1):
        layer = bidirectional(config.recurrent, config.units, name=f"{name}_{number}")
        read = _over(layer, read, mask)
        if number < config.recurrent_depth:
            read = keras.layers.Dropout(config.dropout, name=f"{name}_{number}_dropout")(read)
    return read


def _attend(read: Any, mask: Any, config: TextClassifierConfig) -> Any:
    """Run the encoder blocks; before the first, bring what comes to their width."""
    if not config.depth:
        return read
    if read.shape[-1] != config.width:
        read = keras.layers.Dense(config.width, name="projection")(read)
    for number in range(1, config.depth + 1):
        read = EncoderBlock(
            config.heads,
            config.feed_forward,
            config.attention,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            kind=config.feed_forward_kind,
            norm=config.norm,
            convolution=config.block_convolution,
            stochastic_depth=config.stochastic_depth * number / config.depth,
            name=f"encoder_{number}",
        )(read, mask=mask)
    if config.norm == "pre":
        read = keras.layers.LayerNormalization(epsilon=EPSILON, name="encoder_norm")(read)
    return read


def _pool(read: Any, before: Any, mask: Any, config: TextClassifierConfig, name: str) -> Any:
    """Sum a sequence up: by attention, by its largest values, or by both side by side."""
    if config.skip and read is not before:
        read = keras.layers.Concatenate(name=f"{name}_skip")([read, before])
    pooled = []
    if config.pooling != "none":
        pooled.append(named.get(config.pooling, role="pool", name=name)(read, mask=mask))
    if config.max_pooling:
        pooled.append(MaskedMaxPooling(name=f"{name}_max")(read, mask=mask))
    return pooled[0] if len(pooled) == 1 else keras.layers.Concatenate(name=f"{name}_joined")(pooled)
