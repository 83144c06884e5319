"""Backbones of keras-cv (0.9, which runs on Keras 3): image networks by class and config."""

from typing import Any

from attention_zoo.errors import ZooValueError
from attention_zoo.interop.backbones import build, to_spec


def keras_cv_backbone(spec: Any, *, dtype: Any = None, seed: int | None = None) -> Any:
    """Build a backbone of keras-cv with new weights.

    Args:
        spec: ("ResNetBackbone", {...}) or {"library": "keras_cv", "class_name": ..., "config": {...}}. Names with a
            size in them ("ResNet50Backbone") are presets that keras-cv downloads; they are refused.
        dtype: dtype policy; None is Keras's current one.
        seed: makes the weights the same in each run; None draws new ones.

    Returns:
        The backbone, a functional `keras.Model`.

    Raises:
        ZooImportError: if keras-cv is not installed.
        ZooValueError: if keras-cv has no backbone of that name, or refuses the config.
        ZooTypeError: if the spec is of the wrong kind.

    Cost: the first call imports keras-cv, and with it TensorFlow on any backend (several seconds).
    """
    plain = to_spec(spec, library="keras_cv")
    if plain["library"] != "keras_cv":
        raise ZooValueError(f"spec must be one of keras_cv, got one of {plain['library']}")
    return build(plain, dtype=dtype, seed=seed)
