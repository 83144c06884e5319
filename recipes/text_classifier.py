"""Train a text classifier: one label or several, from scratch or from a preset, alone or taught by others.

    python recipes/text_classifier.py --data clinc150 --half --test        # the preset clinc150_intent
    python recipes/text_classifier.py --data goemotions --half --test      # the preset goemotions_emotion
    python recipes/text_classifier.py --small                              # under a minute, no network
    python recipes/text_classifier.py --data mine.csv --text-column review --label-column stars
    python recipes/text_classifier.py --data mine.csv --from clinc150_intent

`attention-zoo train text_classifier ...` takes the same options. After a kill, the same line with `--resume` goes on.

What it reaches on the official test splits (mean and spread of three seeds; benchmarks/results/text_classifier.json):

    clinc150    accuracy 0.941 +- 0.002, AUROC out of scope 0.971 +- 0.001    linear floor 0.930, 0.952
    goemotions  macro F1 0.498 +- 0.006                                       linear floor 0.475

Time on 2 x86-64 cores with TensorFlow, which did other work besides: clinc150 25 minutes for the teachers and 8 for the
student, goemotions 6 to 9 minutes. Seeds 1 and 2 of clinc150 shared the teachers of seed 0 (`--taught-by`).

clinc150: a linear SVM on TF-IDF, three BiGRUs on different pieces of words and a convolutional network label the 15,000
texts and 180,000 new ones spliced from them; one BiGRU with four attention hops learns from the mean of their answers
(validation 0.941; with eight hops, and tokens deleted from the texts that teachers had judged whole, 0.940).
goemotions: one BiGRU with sixteen attention hops, thresholds set on validation (validation 0.535; with four hops and
two epochs less 0.512).
"""

import dataclasses
import functools
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from typer import Option

from attention_zoo import catalogue, data
from attention_zoo.cli.options import takes
from attention_zoo.data import Dataset
from attention_zoo.errors import ZooFileError, ZooValueError, need
from attention_zoo.models.learning import Learning
from attention_zoo.models.text_classifier import TextClassifier, TextClassifierConfig
from attention_zoo.models.text_classifier import examples as reading
from attention_zoo.models.text_classifier.network import LOGITS
from attention_zoo.models.text_classifier.report import draw, judge_split
from attention_zoo.models.text_classifier.training import prior_bias
from attention_zoo.presets.card import write_json
from attention_zoo.text import TextPreprocessor
from attention_zoo.text.cooccurrence import cooccurrence_vectors
from attention_zoo.training import Batches, EpochLog, cross_validate
from attention_zoo.training.distil import MixedBatches, kept_soft_labels, linear_teacher, mixed_targets
from attention_zoo.training.splicing import delete_tokens, spliced_texts

POOLING = {"name": "structured_self_attention", "hops": 4}
NETWORK = {"network": "recurrent", "tokens": "wordpiece", "pooling": POOLING, "max_pooling": True}
VECTORS = 0.5  # standard deviation of the embeddings that start from co-occurrence
HELD_OUT = 0.1  # share of a table without a validation split that is held out


@dataclass(frozen=True)
class Plan:
    """What is known to work for a data set; options of the command line replace its parts."""

    network: dict[str, Any] = field(default_factory=lambda: {**NETWORK, "vocabulary_size": 8000, "max_length": 256})
    learning: dict[str, Any] = field(default_factory=lambda: {"epochs": 10, "batch_size": 32, "learning_rate": 1e-3})
    deletion: float = 0.1  # share of the tokens of a text deleted while training
    teachers: int = 0  # networks that teach, beside a linear classifier; 0 for none
    teacher_epochs: int = 10  # how often each of them sees all data
    splices: int = 0  # new texts made out of each text for the teachers to label
    drawn: int = 2  # new texts that an epoch of the student has for each training text
    trust: float = 0.5  # weight of the teachers where the truth is known
    description: str = ""  # sentence on the card


SHORT = {**NETWORK, "width": 256, "units": 192, "vocabulary_size": 4000, "max_length": 64}
PLANS = {
    "clinc150": Plan(
        network={**SHORT, "embedding_dropout": 0.3, "head_dropout": 0.4},
        learning={
            "epochs": 10, "batch_size": 64, "learning_rate": 2e-3, "warmup": 0.08, "weight_decay": 0.05,
            "averaging": 0.995, "smoothing": 0.1,
        },
        teachers=4,
        splices=12,
        description="what a user wants of an assistant: one of 150 intents, and how little the text fits any of them",
    ),
    "goemotions": Plan(
        network={
            **NETWORK, "pooling": {**POOLING, "hops": 16, "units": 64}, "width": 192, "units": 96, "max_length": 64,
            "vocabulary_size": 8000, "min_frequency": 2, "embedding_dropout": 0.4, "head_dropout": 0.5,
        },
        learning={
            "epochs": 7, "batch_size": 128, "learning_rate": 2e-3, "warmup": 0.1, "weight_decay": 0.05, "clip": 5.0,
            "averaging": 0.998,
        },
        description="which of 28 emotions a short English comment shows, any number of them",
    ),
}  # fmt: skip
SMALL = Plan(
    network={**NETWORK, "width": 64, "vocabulary_size": 1500, "max_length": 64},
    learning={"epochs": 10, "batch_size": 32, "learning_rate": 4e-3, "weight_decay": 0.05},
    teacher_epochs=2,
)
# What each teacher does otherwise than the student, in turn: other pieces of words, other networks, other starts.
PLAIN = {"pooling": POOLING, "embedding_dropout": 0.4, "head_dropout": 0.5}
TEACHERS = (
    PLAIN,
    {**PLAIN, "tokens": "word", "vocabulary_size": 6000, "vectors": False},
    {**PLAIN, "tokens": "bpe", "vocabulary_size": 1200, "embedding_dropout": 0.3, "vectors": False},
    {**PLAIN, "network": "convolutional", "tokens": "word", "vocabulary_size": 6000, "convolutions": (1, 2, 3)},
)


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name (clinc150 ...), or your own table: .csv .tsv .jsonl")] = "clinc150"
    text_column: Annotated[str | None, Option(help="column of the texts; found when not given")] = None
    label_column: Annotated[str | None, Option(help="column of the labels; found when not given")] = None
    network: Annotated[str | None, Option(help="transformer, recurrent, convolutional, hierarchical")] = None
    attention: Annotated[str | None, Option(help="attention of the encoder blocks, by name")] = None
    pooling: Annotated[str | None, Option(help="attention that sums a text up, by name")] = None
    preset: Annotated[str | None, Option("--from", help="a preset to fine-tune, by name or folder")] = None
    epochs: Annotated[int | None, Option(help="how often all data is seen")] = None
    batch_size: Annotated[int | None, Option(help="texts a step")] = None
    learning_rate: Annotated[float | None, Option(help="largest rate")] = None
    schedule: Annotated[str | None, Option(help="cosine, linear, constant, inverse_sqrt")] = None
    warmup: Annotated[float | None, Option(help="share of the steps in which the rate rises")] = None
    clip: Annotated[float | None, Option(help="largest norm of the gradients")] = None
    smoothing: Annotated[float | None, Option(help="share of the truth spread over all labels")] = None
    balance: Annotated[float | None, Option(help="power by which rare labels weigh more (0 to 1)")] = None
    patience: Annotated[int | None, Option(help="epochs without improvement before the end")] = None
    precision: Annotated[str, Option(help="float32, mixed_bfloat16, mixed_float16")] = "float32"
    seed: Annotated[int, Option(help="of everything random")] = 0
    teachers: Annotated[int | None, Option(help="networks that teach beside a linear classifier; 0: none")] = None
    splices: Annotated[int | None, Option(help="new texts made of each text for the teachers to label")] = None
    taught_by: Annotated[Path | None, Option(help="folder of another run whose teachers' answers are used")] = None
    folds: Annotated[int, Option(help="first cross-validate with so many folds; 0: not")] = 0
    resume: Annotated[bool, Option("--resume", help="go on with what is in the output folder")] = False
    test: Annotated[bool, Option("--test", help="judge on the test split, once, at the end")] = False
    small: Annotated[bool, Option("--small", help="the bundled sample and a small network")] = False
    half: Annotated[bool, Option("--half", help="keep weights in 2 bytes; they are judged as they are kept")] = False
    name: Annotated[str, Option(help="name on the card of the classifier")] = "model"
    output: Annotated[Path | None, Option(help="folder to write; runs/<data>-<seed> when not given")] = None


@takes(Options)
def main(options: Options) -> None:
    """Train a text classifier and keep it with its measures, curves and confusion matrix.

    Where an option is not given, what is known to work for the data set is taken.
    """
    began = time.perf_counter()
    plan = planned(options)
    # 1. Data: train, validation, and texts with none of the labels where the set has some.
    dataset = read_data(options)
    folder = find_place(options, dataset)
    if options.folds:
        found = fold(options, plan, dataset, folder)
        write_json(folder / "folds.json", found)
    # 2. Model: a preset to go on from, or a new network whose embedding starts from the training texts.
    task = load_preset(options) if options.preset else new_task(dataset, plan.network, options.seed, options.precision)
    # 3. Train: on the truth, or on what teachers say of the texts and of new ones made from them.
    history = train(task, dataset, plan, options, folder)
    if options.half:
        round_weights(task)
    # 4. Judge: on validation data; on the test split only when asked to.
    judged = {split: judge_split(task, dataset, split) for split in ("val", *(["test"] if options.test else []))}
    # 5. Keep: the classifier with its card, measures and pictures.
    keep(task, dataset, judged, options, folder)
    shown = judged["test" if options.test else "val"]
    draw(task, shown, history, folder)
    tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says."""
    plan = SMALL if options.small else PLANS.get(options.data, Plan())
    network = {name: getattr(options, name) for name in ("network", "attention", "pooling")}
    learning = {
        name: getattr(options, name)
        for name in (
            "epochs", "batch_size", "learning_rate", "schedule", "warmup", "clip", "smoothing", "balance", "patience",
        )
    }  # fmt: skip
    given = {name: getattr(options, name) for name in ("teachers", "splices") if getattr(options, name) is not None}
    for name, value in given.items():
        if value < 0:
            raise ZooValueError(f"--{name} must be at least 0, got {value}")
    if options.preset and any(value is not None for value in (*network.values(), options.teachers, options.taught_by)):
        raise ZooValueError(
            "--from takes the preset's own network; leave out --network, --attention, --pooling and --teachers"
        )
    plan = dataclasses.replace(
        plan,
        network=plan.network | {name: value for name, value in network.items() if value is not None},
        learning=plan.learning | {name: value for name, value in learning.items() if value is not None},
        **given,
    )
    # What cannot work is said before anything is read or written.
    config = TextClassifierConfig.of(**plan.network)
    if options.attention and not config.depth:
        raise ZooValueError(
            f"--attention is that of encoder blocks, and network {config.network!r} has none; take --network "
            "transformer, or --pooling"
        )
    Learning.split({**plan.learning, "seed": options.seed})
    if options.preset:
        catalogue.find(options.preset)
    return plan


def read_data(options: Options) -> Dataset:
    """Read a set by name, its bundled sample, or the user's table; hold out validation data where there is none."""
    if options.data in data.names():
        dataset = data.load(options.data, sample=options.small)
    elif Path(options.data).suffix:
        dataset = data.read_table(options.data, options.text_column, options.label_column)
    else:
        raise ZooValueError(f"--data must be one of {', '.join(data.names())}, or a table, got {options.data!r}")
    if options.test and "test" not in dataset.splits:
        raise ZooValueError(f"--test wants a test split, and {dataset.name} has none")
    if "val" in dataset.splits:
        return dataset
    rest, held = data.hold_out(dataset["train"], HELD_OUT, seed=0)
    return dataclasses.replace(dataset, splits={**dataset.splits, "train": rest, "val": held})


def find_place(options: Options, dataset: Dataset) -> Path:
    """Say where to write: a new folder, or the one of before where `--resume` says so; nothing is made yet."""
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


def load_preset(options: Options) -> TextClassifier:
    """Load the classifier to be fine-tuned."""
    task = catalogue.load(options.preset)
    if not isinstance(task, TextClassifier):
        raise ZooValueError(f"--from must be a text classifier, got {options.preset!r}")
    return task


def new_task(dataset: Dataset, network: dict[str, Any], seed: int, precision: str = "float32") -> TextClassifier:
    """Make a classifier whose embedding starts from what stands together in the training texts."""
    network = dict(network)
    vectors = network.pop("vectors", True)
    texts = dataset["train"]["text"]
    task = TextClassifier.new(
        dataset.labels, texts, seed=seed, dtype=precision, multi_label=dataset.multi_label, **network
    )
    if dataset.multi_label:
        prior_bias(task.model.get_layer(LOGITS), hard_targets(dataset, task.labels))
    table = task.model.get_layer("embedding").table.embeddings
    if vectors and table.shape[0] > task.config.width:
        found = cooccurrence_vectors(flat_rows(task.preprocessor, texts), table.shape[0], task.config.width)
        scale = VECTORS / (np.sqrt(task.config.width) if task.config.position != "none" else 1.0)
        used = np.abs(found).sum(axis=1, keepdims=True) > 0
        table.assign(np.where(used, found * scale, keras.ops.convert_to_numpy(table.value)))
    return task


def flat_rows(preprocessor: TextPreprocessor, texts: list[str]) -> list[np.ndarray]:
    """Return token ids without padding, one row a text or a sentence."""
    rows = reading.rows(preprocessor, texts)
    return [part[part != 0] for row in rows for part in np.atleast_2d(row)]


def hard_targets(dataset: Dataset, labels: tuple[str, ...]) -> np.ndarray:
    """Return the truth of the training texts, 0 and 1 [texts, labels]."""
    found = reading.targets(reading.read_examples(dataset, "train"), labels)
    return found if found.ndim == 2 else np.eye(len(labels), dtype=np.float32)[found]


def train(task: TextClassifier, dataset: Dataset, plan: Plan, options: Options, folder: Path) -> dict[str, list[float]]:
    """Train on the truth, or on the answers of teachers; return the history."""
    learning = {**plan.learning, "seed": options.seed}
    callbacks = [EpochLog(folder / "history.csv")]
    if options.preset:
        return task.fit(dataset, resume_folder=folder / "checkpoint", callbacks=callbacks, **learning)
    if plan.teachers or options.taught_by:
        new = new_texts(dataset, plan)
        soft = soft_labels(task, dataset, new, plan, options, folder)
        batches = taught_batches(task, dataset, new, soft, plan, options.seed)
        learning["smoothing"] = 0.0  # it is within the targets
    else:
        batches = plain_batches(task, dataset, plan, options.seed)
    return task.fit(batches, dataset, resume_folder=folder / "checkpoint", callbacks=callbacks, **learning)


def round_weights(task: TextClassifier) -> None:
    """Round all weights to what 2 bytes can hold, so that what is judged is what is kept."""
    for weight in task.model.weights:
        value = keras.ops.convert_to_numpy(weight.value)
        if value.dtype.kind == "f":
            weight.assign(value.astype(np.float16).astype(np.float32))


def plain_batches(task: TextClassifier, dataset: Dataset, plan: Plan, seed: int) -> Batches:
    """Return the training texts with their labels."""
    part = reading.read_examples(dataset, "train")
    return Batches(
        reading.rows(task.preprocessor, part.texts),
        reading.targets(part, task.labels),
        batch_size=plan.learning["batch_size"],
        seed=seed,
        longest=task.preprocessor.max_length,
        augment=None if task.config.hierarchical else delete_tokens(plan.deletion),
    )


def taught_batches(
    task: TextClassifier, dataset: Dataset, new: list[str], soft: np.ndarray, plan: Plan, seed: int
) -> Batches:
    """Return all training texts and some of the new ones in each epoch, with the answers of the teachers.

    No token is deleted here: the teachers have judged the texts as they are.
    """
    texts = dataset["train"]["text"]
    hard = hard_targets(dataset, task.labels)
    return MixedBatches(
        reading.rows(task.preprocessor, [*texts, *new]),
        mixed_targets(hard, soft, plan.trust, plan.learning.get("smoothing", 0.0)),
        always=len(texts),
        drawn=min(plan.drawn * len(texts), len(new)),
        batch_size=plan.learning["batch_size"],
        seed=seed,
        longest=task.preprocessor.max_length,
    )


def new_texts(dataset: Dataset, plan: Plan) -> list[str]:
    """Make texts for the teachers to label; the same for every seed, so that runs can share the answers."""
    labels = [label if isinstance(label, str) else tuple(label) for label in dataset["train"]["label"]]
    return spliced_texts(dataset["train"]["text"], labels, plan.splices, seed=0)


def soft_labels(
    task: TextClassifier, dataset: Dataset, new: list[str], plan: Plan, options: Options, folder: Path
) -> np.ndarray:
    """Return the mean of what all teachers say of the training texts and of the new ones."""
    asked = [*dataset["train"]["text"], *new]
    home = (options.taught_by or folder) / "teachers"
    told = {"data": dataset.sha256, "texts": len(asked), "splices": plan.splices}
    if options.taught_by and not (home / "linear.npz").is_file():
        raise ZooFileError(f"--taught-by must be the folder of a run with teachers, and {home} holds none")

    def linear() -> np.ndarray:
        hard = hard_targets(dataset, task.labels)
        return linear_teacher(dataset["train"]["text"], hard, dataset.multi_label)(asked)

    answers = [kept_soft_labels(home / "linear.npz", told, linear)]
    for number in range(plan.teachers):
        network = {**plan.network, **TEACHERS[number % len(TEACHERS)]}
        known = {**told, "network": network, "epochs": plan.teacher_epochs, "number": number}
        make = functools.partial(teach, dataset, asked, plan, number, options, home)
        answers.append(kept_soft_labels(home / f"network_{number}.npz", known, make))
    return np.mean(answers, axis=0)


def teach(dataset: Dataset, asked: list[str], plan: Plan, number: int, options: Options, home: Path) -> np.ndarray:
    """Train one teacher and return its probabilities of the texts."""
    seed = 1000 * (number + 1) + options.seed
    teacher = new_task(dataset, {**plan.network, **TEACHERS[number % len(TEACHERS)]}, seed, options.precision)
    batches = plain_batches(teacher, dataset, plan, seed)
    learning = {**plan.learning, "seed": seed, "calibrate": False}
    learning["epochs"] = plan.teacher_epochs
    teacher.fit(batches, dataset, resume_folder=home / f"checkpoint_{number}", **learning)
    probabilities = []
    for start in range(0, len(asked), 4096):
        logits = np.float64(teacher.logits(asked[start : start + 4096], 256))
        logits -= logits.max(axis=1, keepdims=True) if not dataset.multi_label else 0.0
        powers = np.exp(logits)
        total = powers.sum(axis=1, keepdims=True) if not dataset.multi_label else 1.0 + powers
        probabilities.append((powers / total).astype(np.float32))
    return np.concatenate(probabilities)


def fold(options: Options, plan: Plan, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Cross-validate on the training texts: each text is judged once by a network that has not seen it."""
    rows = dataset["train"]
    truth = hard_targets(dataset, dataset.labels)

    def once(train_rows: np.ndarray, held_rows: np.ndarray, number: int) -> dict[str, float]:
        splits = {"train": rows.rows(train_rows.tolist()), "val": rows.rows(held_rows.tolist())}
        part = dataclasses.replace(dataset, splits=splits)
        task = load_preset(options) if options.preset else new_task(part, plan.network, options.seed, options.precision)
        alone = dataclasses.replace(plan, teachers=0)
        place = folder / f"fold_{number + 1}"
        train(task, part, alone, dataclasses.replace(options, taught_by=None), place)
        return judge_split(task, part, "val")["measures"]

    return cross_validate(once, truth if dataset.multi_label else truth.argmax(axis=1), options.folds, options.seed)


def keep(task: TextClassifier, dataset: Dataset, judged: dict, options: Options, folder: Path) -> None:
    """Write the classifier with its card, and all measures."""
    command = "attention-zoo train text_classifier " + " ".join(spoken(options))
    metrics = {split: rounded(part["measures"]) for split, part in judged.items()}
    many = "any number" if task.config.multi_label else "one"
    described = PLANS[dataset.name].description if dataset.name in PLANS and not options.small else ""
    task.save(
        folder / "model",
        description=described or f"{many} of {len(task.labels)} labels of {dataset.name} for a text",
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


def spoken(options: Options) -> list[str]:
    """Return the options that are not the usual ones, as on the command line."""
    words = []
    for entry in dataclasses.fields(options):
        value = getattr(options, entry.name)
        if value == entry.default or entry.name in ("resume", "output", "name"):
            continue
        name = "--from" if entry.name == "preset" else "--" + entry.name.replace("_", "-")
        words += [name] if value is True else [name, str(value)]
    return words if "--data" in words or options.small else ["--data", options.data, *words]


def rounded(measures: dict[str, float | None]) -> dict[str, float | None]:
    """Round to five decimals."""
    return {name: None if value is None else round(float(value), 5) for name, value in measures.items()}


def tell(judged: dict, folder: Path, seconds: float) -> None:
    """Print the measures that count, and where everything lies."""
    for split, part in judged.items():
        names = ("accuracy", "macro_f1", "macro_roc_auc", "out_of_scope_auroc")
        shown = {name: round(part["measures"][name], 4) for name in names if part["measures"].get(name) is not None}
        print(f"{split}: {json.dumps(shown)}")
    print(f"{folder} ({seconds:.0f} s)")


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "text_classifier", *sys.argv[1:]])
