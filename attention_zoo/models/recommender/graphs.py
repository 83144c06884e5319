"""The graphs that an export of a recommender writes."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate.capture import untrained
from attention_zoo.calibrate.reweight import apart
from attention_zoo.export import Graph
from attention_zoo.models.recommender.network import CANDIDATES, ITEMS, LOGITS, SCORES, TABLE, VECTOR

ITEM = "item"
# Their names in a bundle.
USER_GRAPH, ITEM_GRAPH, CATALOGUE_GRAPH, SCORER_GRAPH = "user", "item", "catalogue", "scorer"
PROBE_CANDIDATES = (5, 7)  # different, so that a size that was baked in is seen


class _OfNetwork(keras.Model):
    """Base of graphs that are parts of one network, whose layers they share.

    Args:
        network: what `build_network` returned.
    """

    named_inputs = True

    def __init__(self, network: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        self.network = network
        self.built = True

    def get_config(self) -> dict:
        return {**super().get_config(), "network": untrained(self.network)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})


class _OfHistory(_OfNetwork):
    """Base of graphs that read a history alone.

    Args:
        network: what `build_network` returned.
    """

    tells = VECTOR

    def __init__(self, network: keras.Model, **kwargs: Any):
        super().__init__(network, **kwargs)
        items = next(tensor for tensor in network.inputs if tensor.name == ITEMS)
        self.part = keras.Model({ITEMS: items}, {self.tells: network.output[self.tells]})

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        return self.part({ITEMS: inputs[ITEMS]}, training=False)


@keras.saving.register_keras_serializable(package="attention_zoo")
class UserGraph(_OfHistory):
    """Say by what vector items are scored after a history.

    Args:
        network: what `build_network` returned.

    Call:
        inputs: {"items": int32 [batch, steps]}.

    Returns:
        {"vector": float32 [batch, width]}.
    """


@keras.saving.register_keras_serializable(package="attention_zoo")
class CatalogueGraph(_OfHistory):
    """Score all items after a history; a graph by itself, since a runtime that meets vectors must not compute it.

    Args:
        network: what `build_network` returned.

    Call:
        inputs: {"items": int32 [batch, steps]}.

    Returns:
        {"logits": float32 [batch, items + 1]}, by number.
    """

    tells = LOGITS


@keras.saving.register_keras_serializable(package="attention_zoo")
class ItemGraph(_OfNetwork):
    """Say with what vector an item is scored.

    Args:
        network: what `build_network` returned.

    Call:
        inputs: {"item": int32 [items], numbers}.

    Returns:
        {"vector": float32 [items, width]}.
    """

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        return {VECTOR: self.network.get_layer(TABLE)(inputs[ITEM], mode="rows")}


@keras.saving.register_keras_serializable(package="attention_zoo")
class ScorerGraph(_OfNetwork):
    """Score candidates by the ranker of a network.

    Args:
        network: what `build_network` returned.

    Call:
        inputs: {"items": int32 [batch, steps], "candidates": int32 [batch, candidate]}.

    Returns:
        {"scores": float32 [batch, candidate]}.
    """

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        return {SCORES: self.network(dict(inputs), training=False)[SCORES]}


def recommender_graphs(network: keras.Model, items: int, probes: Sequence[dict[str, np.ndarray]]) -> dict[str, Graph]:
    """Return the graphs by name: "user", "item", "catalogue" (SavedModel alone), and of a ranker "scorer".

    Args:
        network: what `build_network` returned, with rules of attention or without.
        items: in the catalogue.
        probes: two histories of different sizes.
    """
    generator, (network, ruled) = np.random.default_rng(0), apart(network)

    def numbers(*shape: int) -> np.ndarray:
        return generator.integers(1, items + 1, shape, dtype=np.int32)

    graphs = {USER_GRAPH: Graph(ruled(UserGraph(network, name="user_graph")), probes, watched=True)}
    graphs[ITEM_GRAPH] = Graph(ItemGraph(network, name="item_graph"), [{ITEM: numbers(3)}, {ITEM: numbers(4)}])
    graphs[CATALOGUE_GRAPH] = Graph(ruled(CatalogueGraph(network, name="catalogue_graph")), probes, ("savedmodel",))
    if SCORES in network.output:
        asked = [
            {ITEMS: probe[ITEMS], CANDIDATES: numbers(len(probe[ITEMS]), count)}
            for probe, count in zip(probes, PROBE_CANDIDATES)
        ]
        graphs[SCORER_GRAPH] = Graph(ruled(ScorerGraph(network, name="scorer_graph")), asked)
    return graphs
