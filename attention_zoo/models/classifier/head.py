"""The last layers of every classifier."""

from typing import Any

import keras

LOGITS = "logits"  # the layer that a change of labels replaces


def classify(pooled: Any, config: Any) -> Any:
    """Turn one vector an input into logits.

    Args:
        pooled: [batch, width].
        config: has labels, hidden (channels of a dense layer before the logits; 0 for none) and head_dropout.

    Returns:
        Logits, float32 [batch, labels] under any policy: losses, thresholds and temperatures want them exact.
    """
    if config.hidden:
        pooled = keras.layers.Dropout(config.head_dropout, name="hidden_dropout")(pooled)
        pooled = keras.layers.Dense(config.hidden, activation="gelu", name="hidden")(pooled)
    pooled = keras.layers.Dropout(config.head_dropout, name="head_dropout")(pooled)
    return keras.layers.Dense(len(config.labels), dtype="float32", name=LOGITS)(pooled)
