"""The config of a block that holds an attention."""

from typing import Any

import keras


def with_plain_layers(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config whose layers are written as Keras saves them; what else it holds stays as it is."""
    return {
        name: keras.saving.serialize_keras_object(value) if isinstance(value, keras.layers.Layer) else value
        for name, value in config.items()
    }
