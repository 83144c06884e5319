"""Turn any model into one that also returns its attention maps."""

from typing import Any

import keras

from attention_zoo.core.tape import Site, Tape
from attention_zoo.errors import ZooTypeError


class Watched(keras.Model):
    """Base of models that return what another's attention does beside its output.

    The tape is opened and closed inside one `call`, so it works in `predict`, compiled, and in exported graphs.

    Args:
        model: the model to watch; its weights are shared, not copied.
        only: a glob on site paths; the rest is not returned.
    """

    def __init__(self, model: keras.Model, only: str = "*", **kwargs: Any):
        super().__init__(**kwargs)
        self.model, self.only = model, only
        self.sites: dict[str, Site] = {}

    @property
    def named_inputs(self) -> bool:
        """Whether a model of a class of its own takes its inputs in a dict."""
        return bool(getattr(self.model, "named_inputs", False))

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def get_config(self) -> dict:
        return {**super().get_config(), "model": untrained(self.model), "only": self.only}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Watched":
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects=custom_objects)
        return cls(**{**config, "model": model})


@keras.saving.register_keras_serializable(package="attention_zoo")
class Captured(Watched):
    """A model whose outputs are a flat dict: "output", and one entry "attention.<site>" for each map.

    Args:
        model: the model to watch; its weights are shared, not copied.
        only: a glob on site paths; the rest is not returned.

    Call:
        inputs: what `model` takes.

    Returns:
        {"output": what `model` returns, "attention.<site>": [batch, head, query, key] or as the site says}; a model
        that returns a dict keeps its own names in place of "output". A "/" in a site's path is written "." here: names
        of outputs in graphs may hold no slash.
    """

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        with Tape(only=self.only) as tape:
            output = self.model(inputs, training=training)
        maps = {output_name(site): weights for site, weights in tape.maps.items()}
        self.sites.update({output_name(name): site for name, site in tape.sites.items()})
        return {**by_name(output), **maps}


def by_name(output: Any) -> dict[str, Any]:
    """Return a model's output as a dict: what is none gets the name "output"."""
    return output if isinstance(output, dict) else {"output": output}


def untrained(model: keras.Model) -> dict:
    """Return the serialised form of a model within another, without how it was compiled for training.

    That is none of the other's business, and may name a loss which is known to the trainer alone.

    Args:
        model: any Keras model.
    """
    described = keras.saving.serialize_keras_object(model)
    described.pop("compile_config", None)
    return described


def output_name(site: str) -> str:
    """Return the name of the output that carries a site's map."""
    return "attention." + site.replace("/", ".")


def capture(model: keras.Model, only: str = "*") -> Captured:
    """Wrap `model` so that `predict` returns its attention maps beside its output.

    Args:
        model: any Keras model; maps come from the layers of the zoo in it.
        only: a glob on site paths, for example "encoder_*".

    Returns:
        A model that shares the weights of `model`.

    Raises:
        ZooTypeError: if `model` is not a Keras model.
    """
    return Captured(a_model(model), only=only)


def a_model(model: Any) -> keras.Model:
    """Return `model` if it is one.

    Raises:
        ZooTypeError: if it is not.
    """
    if not isinstance(model, keras.Model):
        raise ZooTypeError(f"model must be a keras.Model, got {type(model).__name__}")
    return model
