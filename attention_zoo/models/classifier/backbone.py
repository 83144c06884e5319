"""A backbone of keras-hub or keras-cv as the encoder of a classifier."""

from typing import Any

import keras

from attention_zoo.errors import ZooValueError
from attention_zoo.interop import BackboneEncoder, check_spec, to_spec

NETWORK = "backbone"  # the network whose encoder is a backbone, and the name of its layer


def checked_backbone(network: str, backbone: Any) -> dict[str, Any] | None:
    """Return the spec of a config's backbone, None where its network has none.

    Raises:
        ZooValueError, ZooTypeError: if network and backbone do not belong together, or it is no spec.
    """
    if (network == NETWORK) != (backbone is not None):
        needed = "must be given for" if network == NETWORK else "is for"
        raise ZooValueError(f"backbone {needed} network {NETWORK!r}, got {backbone!r:.60} with network {network!r}")
    return None if backbone is None else check_spec(backbone)


def described(config: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Put the spec of a backbone in the place of what a user gave, and return that as well if it has weights.

    Args:
        config: fields of a config; "backbone" may be a spec, a pair of class name and config, a backbone, or the local
            folder of a preset. "network" may be left out.

    Raises:
        ZooTypeError, ZooFileError, ZooImportError: as `interop.to_spec`.
    """
    given = config.get("backbone")
    if given is None:
        return config, None
    has_weights = not isinstance(given, dict | tuple | list)
    return {"network": NETWORK, **config, "backbone": to_spec(given)}, given if has_weights else None


def take_weights(model: keras.Model, given: Any) -> None:
    """Give the backbone within a new model the weights of the one that the user gave."""
    encoder = model.get_layer(NETWORK)
    source = BackboneEncoder(given, encoder.reads, name=NETWORK)
    encoder.set_weights(source.get_weights())
