"""The steps that all recipes share: options, data, place, what is kept and told."""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from typer import Option

from attention_zoo import catalogue, data
from attention_zoo.data import Dataset
from attention_zoo.errors import ZooFileError, ZooValueError, need
from attention_zoo.files import write_json
from attention_zoo.models.learning import Learning
from attention_zoo.models.task import Task

HELD_OUT = 0.1  # share of data without a validation split that is held out
LEARNING = (
    "epochs", "batch_size", "learning_rate", "schedule", "warmup", "clip", "smoothing", "balance", "averaging",
    "patience",
)  # fmt: skip
# Options that say where to write or how to go on, not what is trained.
SILENT = ("resume", "output", "name", "summary")
# Measures that are told at the end, where there are any.
TOLD = (
    "accuracy", "macro_f1", "macro_roc_auc", "out_of_scope_auroc", "bleu", "bleu_tokenised", "chrf", "wer", "cer",
    "recall@10", "ndcg@10", "mrr", "markov_recall@10", "markov_ndcg@10",
)  # fmt: skip


@dataclass(frozen=True)
class RecipeOptions:
    """Options of the command line that every recipe takes."""

    data: Annotated[str, Option(help="a set by name, or your own data")] = ""
    attention: Annotated[str | None, Option(help="attention of the blocks, by name")] = None
    network: Annotated[str | None, Option(help="kind of network")] = None
    preset: Annotated[str | None, Option("--from", help="a preset to fine-tune, by name or folder")] = None
    epochs: Annotated[int | None, Option(help="how often all data is seen")] = None
    batch_size: Annotated[int | None, Option(help="examples a step")] = None
    learning_rate: Annotated[float | None, Option(help="largest rate")] = None
    schedule: Annotated[str | None, Option(help="cosine, linear, constant, inverse_sqrt")] = None
    warmup: Annotated[float | None, Option(help="share of the steps in which the rate rises")] = None
    clip: Annotated[float | None, Option(help="largest norm of the gradients")] = None
    smoothing: Annotated[float | None, Option(help="share of the truth spread over all labels")] = None
    averaging: Annotated[float | None, Option(help="momentum of the running average of the weights")] = None
    patience: Annotated[int | None, Option(help="epochs without improvement before the end")] = None
    precision: Annotated[str, Option(help="float32, mixed_bfloat16, mixed_float16")] = "float32"
    seed: Annotated[int, Option(help="of everything random")] = 0
    resume: Annotated[bool, Option("--resume", help="go on with what is in the output folder")] = False
    test: Annotated[bool, Option("--test", help="judge on the test split, once, at the end")] = False
    small: Annotated[bool, Option("--small", help="the bundled sample and a small network")] = False
    half: Annotated[bool, Option("--half", help="keep weights in 2 bytes; they are judged as they are kept")] = False
    name: Annotated[str, Option(help="name on the card")] = "model"
    output: Annotated[Path | None, Option(help="folder to write; runs/<data>-<seed> when not given")] = None


@dataclass(frozen=True)
class ClassifierOptions(RecipeOptions):
    """Options of the command line that every classifier's recipe takes."""

    pooling: Annotated[str | None, Option(help="attention that sums an input up, by name")] = None
    balance: Annotated[float | None, Option(help="power by which rare labels weigh more (0 to 1)")] = None


def chosen(options: RecipeOptions, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the named options that the recipe has and the command line gave."""
    return {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}


def network_options(options: RecipeOptions, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the options that describe a new network which were given.

    Args:
        options: of the command line.
        names: of the options that describe a network.

    Raises:
        ZooValueError: if there is a preset to go on from, which has its own network.
    """
    given = chosen(options, names)
    if options.preset and given:
        listed = ", ".join("--" + name.replace("_", "-") for name in given)
        raise ZooValueError(f"--from takes the preset's own network; leave out {listed}")
    return given


def check(options: RecipeOptions, learning: Mapping[str, Any]) -> None:
    """Say what cannot work before anything is read or written.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if an option or the preset cannot work; says which.
    """
    Learning.split({**learning, "seed": options.seed})
    if options.preset:
        catalogue.find(options.preset)


def read_data(
    options: RecipeOptions, raw: str | tuple[str, ...], read: Callable[[str], Dataset], words: str
) -> Dataset:
    """Read a set by name, its bundled sample, or the user's own; hold out validation data where there is none.

    Args:
        options: of the command line.
        raw: what the family reads ("text"), of one kind or several: sets of nothing else are taken by name.
        read: reads the user's own data at a path.
        words: what it reads ("a table").

    Raises:
        ZooValueError, ZooFileError: if there is no such data, or no test split where one is asked for.
    """
    known = [name for one in ((raw,) if isinstance(raw, str) else raw) for name in data.names(one)]
    if options.data in known:
        dataset = data.load(options.data, sample=options.small)
    elif Path(options.data).suffix or Path(options.data).is_dir():
        dataset = read(options.data)
    else:
        raise ZooValueError(f"--data must be one of {', '.join(known)}, or {words}, got {options.data!r}")
    if options.test and "test" not in dataset.splits:
        raise ZooValueError(f"--test wants a test split, and {dataset.name} has none")
    if "val" in dataset.splits:
        return dataset
    rest, held = data.hold_out(dataset["train"], HELD_OUT, seed=0)
    return dataclasses.replace(dataset, splits={**dataset.splits, "train": rest, "val": held})


def find_place(options: RecipeOptions, dataset: Dataset) -> Path:
    """Say where to write: a new folder, or the one of before where `--resume` says so; nothing is made yet.

    Raises:
        ZooFileError: if the folder holds something, or cannot be written.
        ZooImportError: if a package of the extra `train` is missing.
    """
    need("sklearn", "train")
    need("matplotlib", "train")
    name = "small" if options.small else f"{Path(dataset.name).stem}-{options.seed}"
    folder = options.output or Path("runs") / name
    if folder.exists() and not options.resume and (not folder.is_dir() or any(folder.iterdir())):
        raise ZooFileError(f"{folder} exists; --resume goes on with it, --output takes another folder")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ZooFileError(f"{folder} cannot be written")
    return folder


def load_preset(options: RecipeOptions, kind: type[Task]) -> Any:
    """Load the task to be fine-tuned.

    Raises:
        ZooValueError: if it is of another family.
    """
    task = catalogue.load(options.preset)
    if not isinstance(task, kind):
        family = kind.config_class.family.replace("_", " ")
        raise ZooValueError(f"--from must be a preset of family {family}, got {options.preset!r}")
    return task


def round_weights(task: Task) -> None:
    """Round all weights to what 2 bytes can hold, so that what is judged is what is kept."""
    for weight in task.model.weights:
        value = keras.ops.convert_to_numpy(weight.value)
        if value.dtype.kind == "f":
            weight.assign(value.astype(np.float16).astype(np.float32))


def keep(
    task: Task,
    dataset: Dataset,
    judged: Mapping[str, Mapping[str, Any]],
    options: RecipeOptions,
    folder: Path,
    description: str,
) -> None:
    """Write a task with its card, and all measures.

    Args:
        task: trained.
        dataset: what it has learned from.
        judged: by split, a dict with "measures".
        options: of the command line.
        folder: to write `model/` and `metrics.json` into.
        description: sentence on the card.
    """
    family = task.config.family
    command = f"attention-zoo train {family} " + " ".join(spoken(options))
    metrics = {split: rounded(part["measures"]) for split, part in judged.items()}
    task.save(
        folder / "model",
        description=description,
        data=dataset.name + (" (bundled sample)" if dataset.sample else ""),
        licence=dataset.licence if dataset.licence != "unknown" else "",
        permissive=dataset.permissive,
        split=f"trained on train ({len(dataset['train']):,}), tuned on val ({len(dataset['val']):,})"
        + (f", judged once on test ({len(dataset['test']):,})" if options.test else ""),
        seed=options.seed,
        command=command.strip(),
        metrics={f"{split}_{name}": value for split, row in metrics.items() for name, value in row.items()},
        backend_difference=None,
        trained=True,
        half=options.half,
        name=options.name,
    )
    write_json(folder / "metrics.json", {"command": command.strip(), "seed": options.seed, **metrics})


def spoken(options: RecipeOptions) -> list[str]:
    """Return the options that are not the usual ones, as on the command line."""
    words = []
    for entry in dataclasses.fields(options):
        value = getattr(options, entry.name)
        if value == entry.default or entry.name in SILENT:
            continue
        name = "--from" if entry.name == "preset" else "--" + entry.name.replace("_", "-")
        words += [name] if value is True else [name, str(value)]
    return words if "--data" in words or options.small else ["--data", options.data, *words]


def rounded(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Round numbers to five decimals."""
    return {name: round(float(value), 5) if isinstance(value, Real) else value for name, value in measures.items()}


def describe(task: Any, dataset: Dataset) -> str:
    """Return the sentence on the card of a classifier about which nothing else is known."""
    many = "any number" if task.config.multi_label else "one"
    return f"{many} of {len(task.labels)} labels of {dataset.name} for each {task.preprocessor.noun}"


def tell(judged: Mapping[str, Mapping[str, Any]], folder: Path, seconds: float) -> None:
    """Print the measures that count, and where everything lies."""
    for split, part in judged.items():
        shown = {name: round(part["measures"][name], 4) for name in TOLD if part["measures"].get(name) is not None}
        print(f"{split}: {json.dumps(shown)}")
    print(f"{folder} ({seconds:.0f} s)")
