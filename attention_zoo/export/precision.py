"""Save a model so that it computes in float32, whatever dtype policy it was trained with."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

HALF = frozenset({"mixed_float16", "mixed_bfloat16", "float16", "bfloat16"})


def save_in_float32(model: Any, path: Path) -> Any:
    """Save `model` as `.keras` in float32 and return the model that the file holds.

    Half precision is for training: its rounding (1e-3) would drown the comparison of an export, and runtimes differ
    in which half operations they have. The variables of a mixed policy are float32 already.

    Args:
        model: a built `keras.Model`.
        path: file to write, ending in `.keras`.

    Returns:
        `model` itself if all of its layers compute in float32 or more, else its float32 twin.
    """
    import keras

    model.save(str(path))
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        if not _widen(config):
            return model
        held = {name: archive.read(name) for name in archive.namelist()}
    held["config.json"] = json.dumps(config).encode("utf-8")
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    os.replace(partial, path)
    return keras.saving.load_model(str(path), compile=False)


def _widen(node: Any) -> bool:
    """Replace each half precision policy below `node` by float32; tell whether there was one."""
    if isinstance(node, list):
        return any([_widen(entry) for entry in node])
    if not isinstance(node, dict):
        return False
    found = False
    if node.get("class_name") == "DTypePolicy" and node.get("config", {}).get("name") in HALF:
        node["config"]["name"] = "float32"
        found = True
    elif isinstance(node.get("dtype"), str) and node["dtype"] in HALF and "keras_history" not in node:
        node["dtype"] = "float32"
        found = True
    return any([_widen(entry) for entry in node.values()]) or found
