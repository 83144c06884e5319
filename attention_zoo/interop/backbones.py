"""A backbone of another library as plain values, and back: its class by name, its config as JSON."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooTypeError, ZooValueError, need, unknown
from attention_zoo.interop.making import fresh_names, policy_of, seeded
from attention_zoo.interop.telling import told

FIELDS = ("library", "class_name", "config")
KERAS_OWN = ("name", "trainable", "dtype")  # of a layer's config: they belong to where the backbone is put


@dataclass(frozen=True)
class Library:
    """A library that has backbones.

    Args:
        name: of its module.
        extra: of attention-zoo that installs it.
        left_out: end of the names of modules whose backbones are no classes of their own.
    """

    name: str
    extra: str
    left_out: str = ""

    def classes(self) -> dict[str, type]:
        """Return its backbones by name.

        Raises:
            ZooImportError: if it is not installed.
        """
        need(self.name, self.extra)
        models = need(f"{self.name}.models", self.extra)
        found = {name: getattr(models, name) for name in dir(models) if name.endswith("Backbone")}
        base = models.Backbone
        return {
            name: kind
            for name, kind in found.items()
            if isinstance(kind, type)
            and issubclass(kind, base)
            and "__init__" in vars(kind)
            and kind is not base
            and not (self.left_out and kind.__module__.endswith(self.left_out))
        }


LIBRARIES = {"keras_hub": Library("keras_hub", "hub"), "keras_cv": Library("keras_cv", "cv", "_aliases")}


def check_spec(spec: Any) -> dict[str, Any]:
    """Check a spec without importing its library, and return it in plain values.

    Args:
        spec: {"library": "keras_hub" or "keras_cv", "class_name": "BertBackbone", "config": {...}}.

    Returns:
        the same, with lists in place of tuples, and without the config's "name", "trainable" and "dtype": a backbone
        is built under the dtype policy of where it is put.

    Raises:
        ZooTypeError: if it is no such dict, or its config holds what JSON cannot.
        ZooValueError: if a key or the library is unknown.
    """
    if not isinstance(spec, Mapping):
        raise ZooTypeError(f"spec must be a dict with {', '.join(FIELDS)}, got {type(spec).__name__}")
    for key in spec:
        if key not in FIELDS:
            raise unknown("field of a backbone's spec", key, FIELDS)
    library, class_name, config = (spec.get(field) for field in FIELDS)
    if library not in LIBRARIES:
        raise unknown("library of backbones", library, LIBRARIES)
    if not isinstance(class_name, str) or not isinstance(config, Mapping):
        raise ZooTypeError(
            "class_name must be a string and config a dict, got "
            f"{type(class_name).__name__} and {type(config).__name__}"
        )
    own = {key: value for key, value in config.items() if key not in KERAS_OWN}
    return {"library": library, "class_name": class_name, "config": _plain(own, "config")}


def to_spec(backbone: Any, library: str = "keras_hub") -> dict[str, Any]:
    """Describe a backbone in plain values, which go into a config's JSON and build the same backbone again.

    Args:
        backbone: a backbone of keras-hub or keras-cv, a pair of class name and config, a spec, or the local folder of
            a keras-hub preset. Weights are no part of it.
        library: of the pair.

    Returns:
        {"library", "class_name", "config"}, see `check_spec`.

    Raises:
        ZooTypeError: if it is none of these, or its config holds other objects (a backbone within the backbone).
        ZooFileError: if the folder is no preset.
        ZooImportError: if the library of a backbone's class is not installed.
    """
    if isinstance(backbone, Mapping):
        return check_spec(backbone)
    if isinstance(backbone, (tuple, list)) and len(backbone) == 2:
        return check_spec({"library": library, "class_name": backbone[0], "config": backbone[1]})
    if isinstance(backbone, (str, os.PathLike)):
        from attention_zoo.interop.keras_hub import preset_spec

        return preset_spec(Path(backbone))
    owner = type(backbone).__module__.split(".")[0]
    if owner not in LIBRARIES or type(backbone).__name__ not in LIBRARIES[owner].classes():
        raise ZooTypeError(
            "backbone must be one of keras-hub or keras-cv, a pair of class name and config, a spec or a preset's "
            f"folder, got {type(backbone).__name__}"
        )
    return check_spec({"library": owner, "class_name": type(backbone).__name__, "config": backbone.get_config()})


def build(spec: Mapping[str, Any], *, dtype: Any = None, seed: int | None = None) -> Any:
    """Build the backbone of a spec, with new weights whose paths are the same in every process.

    Only classes that the library itself calls backbones are made, whatever a spec says.

    Args:
        spec: what `check_spec` takes.
        dtype: dtype policy; None is Keras's current one.
        seed: makes the weights the same in each run; None draws new ones.

    Raises:
        ZooImportError: if the library is not installed.
        ZooValueError: if it has no backbone of that name, or refuses the config.
    """
    spec = check_spec(spec)
    classes = LIBRARIES[spec["library"]].classes()
    if spec["class_name"] not in classes:
        raise unknown(f"backbone of {spec['library']}", spec["class_name"], classes)
    try:
        with seeded(seed), fresh_names(), policy_of(dtype):
            return classes[spec["class_name"]](**spec["config"])
    except Exception as error:  # libraries check their arguments in their own ways, or not at all
        raise ZooValueError(f"{spec['class_name']} cannot be built from its config: {told(error)}") from error


def _plain(value: Any, place: str) -> Any:
    """Return a value as JSON would give it back."""
    if isinstance(value, Mapping):
        if "class_name" in value or not all(isinstance(key, str) for key in value):
            raise ZooTypeError(f"{place} must hold plain values, got an object of class {value.get('class_name')!r}")
        return {key: _plain(entry, f"{place}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry, f"{place}[{index}]") for index, entry in enumerate(value)]
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ZooTypeError(
        f"{place} must be a number, a string, True, False, None, or a list or dict of these, got {value!r}"
    )
