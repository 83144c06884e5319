"""The network of a recommender: a plain functional Keras model, histories in, scores of items out."""

from typing import Any

import keras

from attention_zoo.blocks import (
    AskNext,
    CandidateScores,
    FieldRanker,
    ItemTable,
    LastToken,
    PaddingMask,
    RecurrentHistory,
    StatesAt,
    TargetRanker,
    TransformerHistory,
    UpTo,
)
from attention_zoo.blocks.ranker import TARGET
from attention_zoo.calibrate.reweight import apart
from attention_zoo.errors import ZooValueError
from attention_zoo.models.recommender.config import RecommenderConfig

# Names of the layers and tensors by which a training, an export and an explanation find their way.
TABLE, ENCODER, USER, RANKER = "table", "encoder", "user", "ranker"
ITEMS, CANDIDATES = "items", "candidates"
LOGITS, VECTOR, SCORES = "logits", "vector", "scores"
NEXT, RANKED = "next", "ranked"  # outputs of a training


def build_network(config: RecommenderConfig) -> keras.Model:
    """Build the network of a config, with new weights.

    Every layer has a fixed name, so that weights and attention sites have the same paths in every process.

    Args:
        config: with the number of items.

    Returns:
        A model from "items", int32 [batch, steps], numbers of what was chosen, the newest last, padded with 0 at the
        left, to "vector", float32 [batch, width], and "logits", float32 [batch, items + 1], of all items by number
        (column 0, of padding, says nothing). Where there is a ranker also from "candidates", int32 [batch, candidate],
        to "scores", float32 [batch, candidate].

    Raises:
        ZooValueError: if the number of items is not known yet, or a layer refuses its arguments.
    """
    if config.items is None:
        raise ZooValueError("items must be known before the network is built, got None")
    items = keras.Input((None,), dtype="int32", name=ITEMS)
    table = ItemTable(config.items, config.width, dict(config.features), name=TABLE)
    read = AskNext(config.items + 1, name="ask")(items) if config.hides else items
    mask = PaddingMask(name="mask")(read)
    vectors = table(read)
    states = _encoder(config)(vectors, mask=mask)
    user = LastToken(name=USER)(states)
    inputs, outputs = {ITEMS: items}, {LOGITS: table(user, mode="scores"), VECTOR: user}
    if config.ranks:
        inputs[CANDIDATES] = keras.Input((None,), dtype="int32", name=CANDIDATES)
        outputs[SCORES] = _ranker(config)(table(inputs[CANDIDATES], mode="fields"), user, vectors, mask)
    return keras.Model(inputs, outputs, name="recommender")


def training_network(model: keras.Model, config: RecommenderConfig, loss: str = "softmax", drawn: int = 0) -> Any:
    """Return a model that shares all layers of a network, from the batches of a training to what its loss reads.

    Args:
        model: what `build_network` returned, with rules of attention or without.
        config: of the model.
        loss: as for `attention_zoo.training.HistoryBatches`, which says what goes in.
        drawn: items drawn for a place where the loss is "bce"; candidates are as many as the batches have.

    Returns:
        A model to the scores that are asked; where there is a ranker to {"next": these, "ranked": [rows, candidate]}.
    """
    network, ruled = apart(model)
    table, encoder = network.get_layer(TABLE), network.get_layer(ENCODER)
    inputs = {ITEMS: keras.Input((None,), dtype="int32", name=ITEMS), "places": _numbers("places")}
    vectors = table(inputs[ITEMS])
    mask = PaddingMask(name="mask")(inputs[ITEMS])
    states = encoder(vectors, mask=mask)
    asked = StatesAt(name="asked")(states, inputs["places"])
    if loss == "softmax":
        said = table(asked, mode="choices")
    else:
        inputs["right"] = _numbers("right")
        inputs["negatives"] = _numbers("negatives", *((drawn,) if loss == "bce" else ()))
        said = CandidateScores(name=NEXT)(asked, table(inputs["right"]), table(inputs["negatives"]))
    if not config.ranks:
        return ruled(keras.Model(inputs, said, name="training"))
    inputs |= {RANKED: _numbers(RANKED), CANDIDATES: _numbers(CANDIDATES, None)}
    state = StatesAt(name="ranked_state")(states, inputs[RANKED])
    shown = UpTo(name="shown")(mask, inputs[RANKED])
    order = network.get_layer(RANKER)(table(inputs[CANDIDATES], mode="fields"), state, vectors, shown)
    return ruled(keras.Model(inputs, {NEXT: said, RANKED: order}, name="training"))


def _numbers(name: str, *shape: int | None) -> Any:
    return keras.Input(shape, dtype="int32", name=name)


def _encoder(config: RecommenderConfig) -> keras.layers.Layer:
    dropping = {"dropout": config.dropout, "attention_dropout": config.attention_dropout}
    if config.network == "gru":
        return RecurrentHistory(config.units, config.attention, config.heads, **dropping, name=ENCODER)
    return TransformerHistory(
        config.depth,
        config.heads,
        config.feed_forward,
        config.encoder_attention if config.ranks else config.attention,
        causal=not config.hides,
        length=(config.length + 1) * (config.position == "learned"),
        kind=config.feed_forward_kind,
        norm=config.norm,
        **dropping,
        name=ENCODER,
    )


def _ranker(config: RecommenderConfig) -> keras.layers.Layer:
    kind = TargetRanker if config.attention_name in TARGET else FieldRanker
    return kind(config.attention, config.ranker_units, config.dropout, name=RANKER)
