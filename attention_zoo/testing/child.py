"""The child process of check 14: read saved models on this process's backend and write what they answer."""

import importlib
import json
import sys
from pathlib import Path

import keras
import numpy as np


def main(folder: Path) -> None:
    """Answer every model that lies in `folder`.

    Args:
        folder: holds request.json, and `<n>.keras` and `<n>.npz` for each model; `<backend>.json` (an error or null
            for each) and `<backend>.answers.npz` are written beside them.
    """
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    for module in request["modules"]:
        importlib.import_module(module)
    answers, errors = {}, []
    for index in range(request["count"]):
        try:
            answers[str(index)] = answer(folder, index)
            errors.append(None)
        except Exception as error:  # whatever one model's failure is, the others are still to be answered
            errors.append(f"{type(error).__name__}: {error}"[:500])
    backend = keras.backend.backend()
    np.savez(folder / f"{backend}.answers.npz", **answers)
    (folder / f"{backend}.json").write_text(json.dumps(errors), encoding="utf-8")


def answer(folder: Path, index: int) -> np.ndarray:
    """Load one model and run it on its inputs."""
    model = keras.saving.load_model(folder / f"{index}.keras")
    with np.load(folder / f"{index}.npz", allow_pickle=False) as arrays:
        inputs = [arrays[name] for name in arrays.files]
    # Compiled: one backend would otherwise compile every operation by itself.
    return np.asarray(model.predict_on_batch(inputs))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
