"""The last layers of every classifier."""

from typing import Any

import keras

LOGITS = "logits"  # the layer that a change of labels replaces


def classify(pooled: Any, config: Any, count: int | None = None, prefix: str = "") -> Any:
    """Turn one vector an input into logits.

    Args:
        pooled: [batch, width].
        config: has labels, hidden (channels of a dense layer before the logits; 0 for none) and head_dropout.
        count: labels of another task than the config's; None takes the config's.
        prefix: of the names of the layers, for another task.

    Returns:
        Logits, float32 [batch, labels] under any policy: losses, thresholds and temperatures want them exact.
    """
    if config.hidden:
        pooled = keras.layers.Dropout(config.head_dropout, name=f"{prefix}hidden_dropout")(pooled)
        pooled = keras.layers.Dense(config.hidden, activation="gelu", name=f"{prefix}hidden")(pooled)
    pooled = keras.layers.Dropout(config.head_dropout, name=f"{prefix}head_dropout")(pooled)
    count = len(config.labels) if count is None else count
    return keras.layers.Dense(count, dtype="float32", name=f"{prefix}{LOGITS}")(pooled)
