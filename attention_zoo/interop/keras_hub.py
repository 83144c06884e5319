"""Backbones of keras-hub: text and image networks by class and config, or from a local preset."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import read_json
from attention_zoo.interop.backbones import build, check_spec, to_spec
from attention_zoo.interop.telling import told

CONFIG, CONVERTER = "config.json", "image_converter.json"
WEIGHTS = ("model.weights.h5", "model.weights.json")  # in one file, or the list of several


def keras_hub_backbone(spec: Any, *, dtype: Any = None, seed: int | None = None) -> Any:
    """Build a backbone of keras-hub.

    Args:
        spec: ("BertBackbone", {...}) or {"library": "keras_hub", "class_name": ..., "config": {...}} for new weights;
            the local folder of a preset, as `backbone.save_to_preset(folder)` writes it, for its weights. The folder's
            config is read as plain values: no code that it names is imported, and nothing is downloaded.
        dtype: dtype policy; None is Keras's current one.
        seed: makes new weights the same in each run; None draws new ones.

    Returns:
        The backbone, a functional `keras.Model`.

    Raises:
        ZooImportError: if keras-hub is not installed.
        ZooValueError: if keras-hub has no backbone of that name, or refuses the config.
        ZooTypeError: if the spec is of the wrong kind.
        ZooFileError: if the folder is no preset, or its weights do not fit.

    Cost: the first call imports keras-hub, and with it TensorFlow on any backend (several seconds).
    """
    plain = to_spec(spec)
    if plain["library"] != "keras_hub":
        raise ZooValueError(f"spec must be one of keras_hub, got one of {plain['library']}")
    backbone = build(plain, dtype=dtype, seed=seed)
    if isinstance(spec, (str, os.PathLike)):
        _load(backbone, Path(spec))
    return backbone


def preset_spec(folder: str | os.PathLike) -> dict[str, Any]:
    """Read the spec of the backbone in the local folder of a preset.

    Raises:
        ZooFileError: if the folder or its config.json is missing or damaged.
        ZooTypeError: if the backbone holds other objects than plain values.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ZooFileError(f"{str(folder)!r} is no local folder of a keras-hub preset")
    told = read_json(folder / CONFIG)
    if not isinstance(told.get("class_name"), str) or not isinstance(told.get("config"), Mapping):
        raise ZooFileError(f"{folder / CONFIG} is no config of a keras-hub backbone: it lacks class_name or config")
    return check_spec({"library": "keras_hub", "class_name": told["class_name"], "config": told["config"]})


def pixel_statistics(folder: str | os.PathLike) -> tuple[list[float], list[float]] | None:
    """Return mean and standard deviation, of pixels from 0 to 1, that an image preset was trained with.

    keras-hub's converter gives pixel x scale + offset for pixels from 0 to 255; (pixel - mean) / deviation is the same
    for deviation = 1 / (255 scale) and mean = -offset / (255 scale).

    Args:
        folder: the local folder of a preset.

    Returns:
        two lists, of one number or one for each channel; None where the preset has no converter.

    Raises:
        ZooFileError: if the converter's config is damaged.
    """
    path = Path(folder).expanduser() / CONVERTER
    if not path.is_file():
        return None
    config = read_json(path).get("config", {})
    scale, offset = (config.get(name) for name in ("scale", "offset"))
    try:
        scales = [1.0] if scale is None else [float(number) for number in _listed(scale)]
        offsets = [0.0] if offset is None else [float(number) for number in _listed(offset)]
        channels = max(len(scales), len(offsets))
        pairs = list(zip(_stretched(scales, channels), _stretched(offsets, channels), strict=True))
        return [-shift / (255 * factor) for factor, shift in pairs], [1 / (255 * factor) for factor, _ in pairs]
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ZooFileError(f"{path} is damaged: scale {scale!r} and offset {offset!r} are no statistics") from error


def _listed(numbers: Any) -> list[Any]:
    return list(numbers) if isinstance(numbers, list) else [numbers]


def _stretched(numbers: list[float], count: int) -> list[float]:
    return numbers * count if len(numbers) == 1 else numbers


def _load(backbone: Any, folder: Path) -> None:
    """Give a backbone the weights of a preset's folder."""
    found = [folder.expanduser() / name for name in WEIGHTS if (folder.expanduser() / name).is_file()]
    if not found:
        raise ZooFileError(f"{str(folder)!r} has no weights: {' or '.join(WEIGHTS)} is missing")
    try:
        backbone.load_weights(str(found[0]))
    except Exception as error:  # h5py and keras raise OSError, ValueError, KeyError
        raise ZooFileError(f"{found[0]} does not fit {CONFIG} beside it: {told(error)}") from error
