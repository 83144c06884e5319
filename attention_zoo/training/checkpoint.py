"""The state of a training in a folder, so that a killed training goes on as if it had not been killed."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import replace_file

FORMAT = 1
INDEX = "checkpoint.json"


def _numbers(variables) -> list[np.ndarray]:
    """Copy variables to NumPy; bfloat16, which npz cannot hold, as float32 (exact, and exact on the way back)."""
    arrays = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
    return [array if array.dtype.kind in "biuf" else array.astype("float32") for array in arrays]


def _plain(value):
    """Turn NumPy numbers into Python numbers, and whatever else JSON does not know into text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _recipe(optimizer) -> dict:
    """Describe an optimizer by its arguments, as JSON gives them back.

    Names count up within a process and modules differ between backends: neither decides how a training goes on.
    """
    described = _flat(json.loads(json.dumps(keras.optimizers.serialize(optimizer), default=str)))
    return {key: value for key, value in described.items() if key.split(".")[-1] not in ("name", "module")}


class Checkpoint(keras.callbacks.Callback):
    """Write everything that decides the rest of a training into `folder` after each epoch.

    Kept: weights, optimizer (with its step and averaged weights), the states of all seed generators in the model
    (dropout), the history, and the state of every partner with `get_state()` and `set_state()` (early stopping and its
    best weights, logs). The order of the data needs no keeping: it derives from (seed, epoch).

    `checkpoint.json` names one `state-<epoch>.npz`; it is replaced in one step after that file is whole, so a kill at
    any moment leaves the last epoch's checkpoint or this one's. Nothing is pickled.

    Args:
        folder: where; made if missing. One folder per training.
        settings: what must be the same when the training goes on ({"seed": 0, "steps an epoch": 120}), plain values.
        partners: callbacks of the same training whose state belongs to it.

    Attributes:
        history: {measure: [value per epoch]} since the very beginning.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        settings: dict | None = None,
        partners: Sequence[keras.callbacks.Callback] = (),
    ):
        super().__init__()
        self.folder = Path(folder)
        self.settings = dict(settings or {})
        self.partners = [partner for partner in partners if hasattr(partner, "get_state")]
        self.history: dict[str, list[float]] = {}
        self._optimizer: dict | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZooFileError(f"resume folder {self.folder} cannot be made: {error}") from error

    def on_train_begin(self, logs=None):
        if self._optimizer is None:
            self._optimizer = _recipe(self.model.optimizer)

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.write(epoch + 1, stopped=bool(self.model.stop_training))

    def write(self, epoch: int, stopped: bool = False) -> None:
        """Write the state as it is now.

        Args:
            epoch: epochs done.
            stopped: whether a callback has ended the training.

        Raises:
            ZooFileError: if the folder cannot be written.
        """
        arrays, states = self._gather()
        name = f"state-{epoch:05d}.npz"
        index = {
            "format": FORMAT,
            "epoch": epoch,
            "stopped": stopped,
            "state": name,
            "settings": self.settings,
            "optimizer": self._optimizer,
            "history": self.history,
            "partners": states,
        }
        text = json.dumps(index, indent=1, default=_plain).encode()
        replace_file(self.folder / name, lambda file: np.savez(file, **arrays))
        replace_file(self.folder / INDEX, lambda file: file.write(text))
        for old in [*self.folder.glob("state-*.npz"), *self.folder.glob(".*.part")]:
            if old.name != name:
                old.unlink(missing_ok=True)  # the epoch before, and what a kill left half-written

    def _gather(self) -> tuple[dict[str, np.ndarray], list[dict]]:
        columns = {"model": _numbers(self.model.variables), "optimizer": _numbers(self.model.optimizer.variables)}
        states = []
        for number, partner in enumerate(self.partners):
            state = dict(partner.get_state())
            lists = {name: state.pop(name) for name in list(state) if isinstance(state[name], (list, tuple))}
            columns |= {f"partner{number}.{name}": _numbers(values) for name, values in lists.items()}
            lengths = {name: len(values) for name, values in lists.items()}
            states.append({"class": type(partner).__name__, "values": state, "arrays": lengths})
        arrays = {f"{name}/{place}": array for name, column in columns.items() for place, array in enumerate(column)}
        return arrays, states

    def restore(self, model: keras.Model) -> tuple[int, bool]:
        """Put the state of the folder into a freshly built and compiled `model` and into the partners.

        Returns:
            Epochs done, and whether the training had been ended by a callback; (0, False) for an empty folder, which
            changes nothing.

        Raises:
            ZooFileError: if the checkpoint is damaged.
            ZooValueError: if it belongs to another model, optimizer, data or list of callbacks.
        """
        if not (self.folder / INDEX).exists():
            return 0, False
        index, arrays = self._read()
        if not model.built:
            raise ZooValueError("model must be built (call it once) before a training can be resumed")
        self._optimizer = _recipe(model.optimizer)
        given = {"optimizer": self._optimizer, "callbacks": [type(partner).__name__ for partner in self.partners]}
        given |= json.loads(json.dumps(self.settings, default=_plain))
        kept = {"optimizer": index["optimizer"], "callbacks": [partner["class"] for partner in index["partners"]]}
        self._compare(_flat(kept | index["settings"]), _flat(given))
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        columns = {"model": model.variables, "optimizer": model.optimizer.variables}
        for name, variables in columns.items():
            self._fit_together(name, variables, arrays)
        for name, variables in columns.items():
            for place, variable in enumerate(variables):
                variable.assign(arrays[f"{name}/{place}"])
        for number, (partner, kept) in enumerate(zip(self.partners, index["partners"])):
            names = {name: f"partner{number}.{name}" for name in kept["arrays"]}
            lists = {name: [arrays[f"{names[name]}/{i}"] for i in range(n)] for name, n in kept["arrays"].items()}
            partner.set_state({**kept["values"], **lists})
        self.history = {name: list(values) for name, values in index["history"].items()}
        return index["epoch"], index["stopped"]

    def _read(self) -> tuple[dict, dict[str, np.ndarray]]:
        try:
            index = json.loads((self.folder / INDEX).read_text("utf-8"))
            if index["format"] != FORMAT:
                raise ZooFileError(f"checkpoint in {self.folder} must be of format {FORMAT}, got {index['format']!r}")
            with np.load(self.folder / Path(index["state"]).name, allow_pickle=False) as archive:
                arrays = dict(archive)
            expected = [name for partner in index["partners"] for name in partner["arrays"]]
            if not isinstance(index["epoch"], int) or not isinstance(expected, list):
                raise KeyError("epoch")
            return index, arrays
        except ZooFileError:
            raise
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ZooFileError(
                f"checkpoint in {self.folder} is damaged ({error}); delete the folder to begin anew"
            ) from error

    def _compare(self, kept: dict, given: dict) -> None:
        for name in sorted(kept.keys() | given.keys()):
            if kept.get(name) != given.get(name):
                raise ZooValueError(
                    f"{name} must be the same as when the training in {self.folder} began: it was "
                    f"{kept.get(name)!r}, got {given.get(name)!r}; give the same, or another folder"
                )

    def _fit_together(self, name: str, variables, arrays: dict[str, np.ndarray]) -> None:
        kept = [arrays[key].shape for key in arrays if key.startswith(f"{name}/")]
        given = [tuple(variable.shape) for variable in variables]
        if kept != given:
            raise ZooValueError(
                f"{name} must have the shapes of the checkpoint in {self.folder} ({len(kept)} arrays), "
                f"got {len(given)} of which the first that differs is {_first_difference(kept, given)}"
            )


def _flat(tree: dict, front: str = "") -> dict:
    """Turn nested dicts into one with dotted names."""
    leaves = {}
    for name, value in tree.items():
        inner = _flat(value, f"{front}{name}.") if isinstance(value, dict) else {front + name: value}
        leaves |= inner
    return leaves


def _first_difference(kept: list[tuple], given: list[tuple]) -> str:
    pairs = list(zip(kept, given))
    place = next((i for i, (old, new) in enumerate(pairs) if old != new), len(pairs))
    old, new = (shapes[place] if place < len(shapes) else "missing" for shapes in (kept, given))
    return f"number {place}: {old} before, {new} now"
