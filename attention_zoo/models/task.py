"""What every task can do, whatever it reads: be saved, loaded, exported and looked into."""

import abc
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.calibrate import rule_files
from attention_zoo.calibrate.reweight import Reweighted, apart, reweight
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.files import read_json, write_json
from attention_zoo.models.config import Config
from attention_zoo.models.folders import CONFIG, PREPROCESSOR, RULES, WEIGHTS, write_folder
from attention_zoo.models.inspecting import Inspecting
from attention_zoo.models.stepwise import check_steps
from attention_zoo.presets.card import CARD, Card
from attention_zoo.presets.weights import load_weights, save_weights
from attention_zoo.training import precision


class Task(Inspecting):
    """A Keras model, the preprocessor of its raw input, and the verbs of its family.

    A family's task says what its config and preprocessor are, builds its model, and has `new`, `fit`, `evaluate`,
    `predict` and `explain`.

    Attributes:
        verb: name of the method that answers raw inputs, of the task and of the runtime's runner alike.

    Args:
        config: every choice of the model.
        preprocessor: turns raw input into the model's arrays; None until it is trained.
        model: takes these arrays and returns logits; None until preprocessor and labels are known.
        card: where the weights come from; None for new ones.
        dtype: dtype policy that the model is built under; None is Keras's current one.
    """

    config_class: type[Config] = Config
    preprocessor_class: Any = None
    verb = "predict"

    def __init__(
        self,
        config: Config,
        preprocessor: Any = None,
        model: keras.Model | None = None,
        card: Card | None = None,
        dtype: str | None = None,
    ):
        self.config, self.card = config, card
        self.dtype = keras.config.dtype_policy().name if dtype is None else dtype
        self._preprocessor = preprocessor
        self._hold(model)

    @classmethod
    @abc.abstractmethod
    def build(cls, config: Config) -> keras.Model:
        """Build the family's model of a config, with new weights."""

    @abc.abstractmethod
    def check_fit(self) -> None:
        """Check that preprocessor and config belong together.

        Raises:
            ZooValueError: if they do not.
        """

    def _hold(self, model: keras.Model | None) -> None:
        """Take in a network, with rules or without, and forget what was made of the one before."""
        self._model = model
        self._forget()

    def _forget(self) -> None:
        """Drop parts that were made of the network and its rules; a family that keeps some says which."""
        return None

    @property
    def network(self) -> keras.Model:
        """The network without rules of attention, which may be taken apart.

        Raises:
            ZooValueError: if the task has seen no data yet.
        """
        return apart(self.model)[0]

    def _ruled(self, part: keras.Model) -> keras.Model:
        """Return a part of the network, or another that is to take its place, with the rules that there are."""
        return apart(self._model)[1](part)

    def reweight(self, rules: Any) -> Self:
        """Put rules into the attention, in place of those that are there.

        They act in all answers and explanations, learn with the network in `fit`, and are saved, loaded and exported
        with the task.

        Args:
            rules: as of `calibrate.reweight`; None takes all away.

        Returns:
            self.

        Raises:
            ZooTypeError, ZooValueError: as `calibrate.reweight`. Also if a rule is for what is answered step by step
                (the decoder of a search, the encoder of a stream), and one row does not tell it enough: "balancer", and
                "blend" with a diagonal or a mean; or a step makes no map there. The task is then as it was.
        """
        if rules is None:
            self._hold(self.network)
            return self
        changed = reweight(self.network, rules)
        check_steps(changed)
        self._hold(changed)
        return self

    @property
    def model(self) -> keras.Model:
        """The Keras model, with rules of attention where there are some: arrays in, logits out.

        Raises:
            ZooValueError: if the task has seen no data yet.
        """
        return self._ready(self._model)

    @property
    def preprocessor(self) -> Any:
        """What turns raw input into the model's arrays.

        Raises:
            ZooValueError: if the task has seen no data yet.
        """
        return self._ready(self._preprocessor)

    def _ready(self, part: Any) -> Any:
        if part is None:
            raise ZooValueError(
                f"this {self.config.family} has seen no data yet: call `fit(data)` first, or load a trained one"
            )
        return part

    def __repr__(self) -> str:
        name = self.card.name if self.card else "new"
        return f"{type(self).__name__}({name}: {self._size()})"

    def _size(self) -> str:
        """Return how large the task is, in words."""
        return f"{self._model.count_params():,} parameters" if self._model else "no data seen yet"

    @property
    @abc.abstractmethod
    def returns(self) -> str:
        """What the outputs of the exported graphs are, for a person who runs them by other means."""

    def settings(self) -> dict[str, Any]:
        """Return what the description of a bundle holds beside its graphs: what the runtime needs to give answers."""
        known = self.config.to_dict()
        return {name: known[name] for name in ("family", *self.config.answers)}

    def graphs(self) -> dict[str, Any]:
        """Return the graphs that an export writes, by name: `export.Graph`, each with its model and probes."""
        from attention_zoo.export import Graph

        return {"model": Graph(self.model, self.probes())}

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two inputs of different sizes, for comparisons of the model with its exports."""
        return self.preprocessor.probes()

    def save(self, folder: str | os.PathLike, *, half: bool = False, **card: Any) -> Path:
        """Write the task into a folder that `load` reads on any backend: config, weights, preprocessor, card.

        Args:
            folder: destination; an earlier preset there is replaced, anything else is refused.
            half: store weights in 2 bytes each instead of 4.
            **card: fields of the card ("description", "licence", "metrics" ...); its name is the folder's otherwise.

        Returns:
            The folder.

        Raises:
            ZooValueError: if a field of the card is unknown, or the task has seen no data yet.
            ZooFileError: if the folder holds something else or cannot be written; it is then as it was before.
        """
        told = self._told(Path(folder).absolute().name, card)
        model, preprocessor = self.model, self.preprocessor

        def fill(new: Path) -> None:
            write_json(new / CONFIG, self.config.to_dict())
            save_weights(new / WEIGHTS, arrays(model), half=half)
            preprocessor.save(new / PREPROCESSOR)
            if isinstance(model, Reweighted):
                write_json(new / RULES, rule_files.to_dict(model))
            told.write(new)

        destination = write_folder(folder, fill)
        self.card = Card.from_folder(destination)
        return destination

    def _told(self, name: str, changes: Mapping[str, Any]) -> Card:
        """Return the card to be written."""
        known = dataclasses.asdict(self.card) if self.card else {"trained": False}
        known |= {"name": name, "family": self.config.family, "parameters": self.model.count_params()}
        known |= {"attention": getattr(self.config, "attention_name", "")}
        return Card.from_dict({**known, **changes}, "the card")

    @classmethod
    def load(cls, folder: str | os.PathLike, *, dtype: str | None = None) -> Self:
        """Read what `save` wrote, on whatever backend Keras runs.

        Args:
            folder: a preset's folder.
            dtype: dtype policy to build the model under ("mixed_bfloat16"); None is Keras's current one.

        Raises:
            ZooFileError: if a file is missing or damaged, or files do not belong together; names it.
            ZooValueError: if Keras knows no such dtype policy.
        """
        folder = Path(folder).expanduser()
        if not folder.is_dir():
            raise ZooFileError(f"{folder} is no folder of a saved model")
        card = Card.from_folder(folder) if (folder / CARD).is_file() else None
        if card is not None:
            card.verify(folder)
        config = cls.config_class.from_dict(read_json(folder / CONFIG), str(folder / CONFIG))
        preprocessor = cls.preprocessor_class.load(folder / PREPROCESSOR)
        task = cls(config, preprocessor, None, card, dtype)
        try:
            task.check_fit()
            task._hold(task._built(config))
        except (ZooValueError, ZooTypeError) as error:
            raise ZooFileError(f"{folder / CONFIG} is damaged: {error}") from error
        if (folder / RULES).is_file():
            task._hold(_with_rules(task.network, folder / RULES))
        put(task.model, load_weights(folder / WEIGHTS), folder / WEIGHTS)
        return task

    def _built(self, config: Config) -> keras.Model:
        """Build a model under the task's dtype policy."""
        with precision(self.dtype):
            return self.build(config)

    def export(
        self,
        folder: str | os.PathLike,
        format: str | Sequence[str] = ("savedmodel", "onnx"),
        attention: bool | str = False,
        **options: Any,
    ) -> Any:
        """Export graphs with all that it takes to answer raw input, checked number by number before they are kept.

        Args:
            folder: destination; it must not exist, or be empty.
            format: "savedmodel", "onnx", or both ("savedmodel,onnx" or a list). `attention_zoo.runtime` needs "onnx".
            attention: True also returns every attention map as a named output, "statistics" its statistics (for
                `attention_zoo.watch`); of several graphs the one that reads the input has them.
            **options: as for `attention_zoo.export.bundle` (tolerance, overwrite, timeout ...).

        Returns:
            The report: differences by format, seconds, inputs and outputs.

        Raises:
            ZooImportError: if a package of the extra `export` is missing.
            ZooError: as `attention_zoo.export.bundle`; nothing is then written.
        """
        from attention_zoo.export import bundle

        names = format.split(",") if isinstance(format, str) else format
        names = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
        # Backbones of other libraries are layers that the export's own process must know.
        options.setdefault("modules", ("attention_zoo.interop",))
        return bundle(self, folder, names, attention, **options)


def _with_rules(network: keras.Model, path: Path) -> Reweighted:
    try:
        made = rule_files.from_dict(network, read_json(path, rule_files.FORMAT))
        check_steps(made)
        return made
    except (ZooValueError, ZooTypeError) as error:
        raise ZooFileError(f"{path} is damaged: {error}") from error


def arrays(model: keras.Model) -> list[tuple[str, np.ndarray]]:
    """Return the weights of a model by path, in its order, which is the same on every backend."""
    return [(weight.path, keras.ops.convert_to_numpy(weight.value)) for weight in model.weights]


def put(model: keras.Model, stored: Iterable[tuple[str, np.ndarray]], source: str | os.PathLike) -> None:
    """Give a model the weights of a file.

    Args:
        model: a built model.
        stored: paths and arrays in the order of `model.weights`.
        source: the file, for the sentence of an error.

    Raises:
        ZooFileError: if a path or a shape is another one, or weights are missing or too many; names the first.
    """
    stored = list(stored)
    wanted = [(weight.path, tuple(weight.shape)) for weight in model.weights]
    found = [(path, array.shape) for path, array in stored]
    for (path, shape), (other, size) in zip(wanted, found):
        if (path, shape) != (other, size):
            raise ZooFileError(
                f"{source} does not fit config.json: the model wants {path} {list(shape)}, the file has "
                f"{other} {list(size)} in its place"
            )
    if len(wanted) != len(found):
        more = wanted[len(found) :] or found[len(wanted) :]
        verb = "lacks" if len(wanted) > len(found) else "has one too many"
        raise ZooFileError(
            f"{source} does not fit config.json: it {verb}: {more[0][0]} ({len(found)} weights for {len(wanted)})"
        )
    for weight, (_, array) in zip(model.weights, stored):
        weight.assign(array)
