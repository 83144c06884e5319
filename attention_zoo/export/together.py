"""Several models saved as one, so that what they share is written once and is shared again when they are read."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="attention_zoo")
class Together(keras.Model):
    """Hold models by name; it computes nothing itself.

    Args:
        parts: built models by name, which may share layers.
    """

    def __init__(self, parts: dict[str, keras.Model], **kwargs: Any):
        super().__init__(**kwargs)
        self.parts = dict(parts)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        return {name: part(inputs[name], training=training) for name, part in self.parts.items()}

    def get_config(self) -> dict:
        # While a model is saved, Keras marks an object that it meets again, but only from the second time on. Each is
        # met here twice, so that it is marked wherever it stands, and read as one object.
        for part in self.parts.values():
            keras.saving.serialize_keras_object(part)
        parts = {name: keras.saving.serialize_keras_object(part) for name, part in self.parts.items()}
        return {**super().get_config(), "parts": parts}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Together":
        parts = {
            name: keras.saving.deserialize_keras_object(part, custom_objects=custom_objects)
            for name, part in config["parts"].items()
        }
        return cls(**{**config, "parts": parts})
