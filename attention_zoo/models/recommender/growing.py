"""New items for a trained recommender: a longer catalogue, and a network with rows for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.models.recommender.examples import Chosen
from attention_zoo.models.recommender.network import TABLE
from attention_zoo.recsys import HistoryPreprocessor, ItemFeatures, ItemIndex
from attention_zoo.recsys.features import encode


def grown(preprocessor: HistoryPreprocessor, chosen: Chosen) -> HistoryPreprocessor:
    """Return a preprocessor that knows further items too, those it knew by their numbers, and counts all choices.

    Args:
        preprocessor: of a trained recommender.
        chosen: what is learned now.
    """
    old = preprocessor.index
    found = ItemIndex.learn(chosen.histories, (*old.ids, *[one for one in chosen.catalogue if one not in old]))
    counts = found.counts[1:].copy()
    counts[: len(old)] += old.counts[1:]
    index = ItemIndex(found.ids, counts)
    features = preprocessor.features
    if features is not None:
        features = _more_features(features, index, chosen.catalogue, chosen.columns)
    return HistoryPreprocessor(index, preprocessor.length, preprocessor.padding, preprocessor.fixed, features)


def _more_features(
    features: ItemFeatures, index: ItemIndex, ids: Sequence[Any], columns: Mapping[str, Sequence[Any]]
) -> ItemFeatures:
    """Return features with rows for new items; of what was known before the fields stay as they are."""
    table = np.zeros((len(index) + 1, len(features.names)), np.int32)
    table[: len(features.table)] = features.table
    numbers = index.lookup(list(ids))
    new = numbers >= len(features.table)
    for place, (name, field) in enumerate(features.fields.items()):
        if name in columns and new.any():
            table[numbers[new], place] = encode(field, columns[name])[new]
    return ItemFeatures(features.fields, table)


def carry_over(old: keras.Model, new: keras.Model) -> None:
    """Give a network the weights of one with fewer items; rows of new items stay as they are.

    Args:
        old: a trained network.
        new: of the same config but for the number of items.
    """
    table = new.get_layer(TABLE)
    kept = {weight.path: keras.ops.convert_to_numpy(weight.value) for weight in old.weights}
    for weight in new.weights:
        value = kept[weight.path]
        if weight is table.table:
            rows = keras.ops.convert_to_numpy(weight.value).copy()
            # The last row is that of a hidden item.
            rows[: len(value) - 1], rows[-1] = value[:-1], value[-1]
            value = rows
        if weight is not table.numbers:
            weight.assign(value)


def tell_features(model: keras.Model, features: ItemFeatures | None) -> None:
    """Tell a network's table what is known of the items.

    Args:
        model: what `build_network` returned.
        features: of the preprocessor; None is nothing.
    """
    if features is not None:
        hidden = np.zeros((1, features.table.shape[1]), np.int32)
        model.get_layer(TABLE).describe(np.concatenate([features.table, hidden]).astype(np.int32))
