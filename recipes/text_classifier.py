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
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from typer import Option

from attention_zoo import data
from attention_zoo.cli import steps
from attention_zoo.cli.options import takes
from attention_zoo.data import Dataset
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import write_json
from attention_zoo.models.classifier import LOGITS
from attention_zoo.models.classifier import examples as reading
from attention_zoo.models.classifier.report import draw, judge_split
from attention_zoo.models.classifier.training import prior_bias
from attention_zoo.models.text_classifier import TextClassifier, TextClassifierConfig
from attention_zoo.models.text_classifier.task import rows
from attention_zoo.text import TextPreprocessor
from attention_zoo.text.cooccurrence import cooccurrence_vectors
from attention_zoo.training import Batches, EpochLog, cross_validate
from attention_zoo.training.distil import MixedBatches, kept_soft_labels, linear_teacher, mixed_targets
from attention_zoo.training.splicing import delete_tokens, spliced_texts

POOLING = {"name": "structured_self_attention", "hops": 4}
NETWORK = {"network": "recurrent", "tokens": "wordpiece", "pooling": POOLING, "max_pooling": True}
VECTORS = 0.5  # standard deviation of the embeddings that start from co-occurrence


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
class Options(steps.ClassifierOptions):
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name (clinc150 ...), or your own table: .csv .tsv .jsonl")] = "clinc150"
    network: Annotated[str | None, Option(help="transformer, recurrent, convolutional, hierarchical")] = None
    text_column: Annotated[str | None, Option(help="column of the texts; found when not given")] = None
    label_column: Annotated[str | None, Option(help="column of the labels; found when not given")] = None
    teachers: Annotated[int | None, Option(help="networks that teach beside a linear classifier; 0: none")] = None
    splices: Annotated[int | None, Option(help="new texts made of each text for the teachers to label")] = None
    taught_by: Annotated[Path | None, Option(help="folder of another run whose teachers' answers are used")] = None
    folds: Annotated[int, Option(help="first cross-validate with so many folds; 0: not")] = 0


@takes(Options)
def main(options: Options) -> None:
    """Train a text classifier and keep it with its measures, curves and confusion matrix.

    Where an option is not given, what is known to work for the data set is taken.
    """
    began = time.perf_counter()
    plan = planned(options)
    # 1. Data: train, validation, and texts with none of the labels where the set has some.
    dataset = steps.read_data(
        options, "text", lambda path: data.read_table(path, options.text_column, options.label_column), "a table"
    )
    folder = steps.find_place(options, dataset)
    if options.folds:
        found = fold(options, plan, dataset, folder)
        write_json(folder / "folds.json", found)
    # 2. Model: a preset to go on from, or a new network whose embedding starts from the training texts.
    task = start(options, plan, dataset)
    # 3. Train: on the truth, or on what teachers say of the texts and of new ones made from them.
    history = train(task, dataset, plan, options, folder)
    if options.half:
        steps.round_weights(task)
    # 4. Judge: on validation data; on the test split only when asked to.
    judged = {split: judge_split(task, dataset, split) for split in ("val", *(["test"] if options.test else []))}
    # 5. Keep: the classifier with its card, measures and pictures.
    known = dataset.name in PLANS and not options.small
    description = PLANS[dataset.name].description if known else ""
    steps.keep(task, dataset, judged, options, folder, description or steps.describe(task, dataset))
    draw(task, judged["test" if options.test else "val"], history, folder)
    steps.tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says; refuse what cannot work."""
    plan = SMALL if options.small else PLANS.get(options.data, Plan())
    given = steps.chosen(options, ("teachers", "splices"))
    for name, value in given.items():
        if value < 0:
            raise ZooValueError(f"--{name} must be at least 0, got {value}")
    if options.preset and (options.teachers is not None or options.taught_by is not None):
        raise ZooValueError("--from goes on from a trained classifier, which nobody teaches; leave out --teachers")
    network = plan.network | steps.network_options(options, ("network", "attention", "pooling"))
    plan = dataclasses.replace(
        plan, network=network, learning=plan.learning | steps.chosen(options, steps.LEARNING), **given
    )
    config = TextClassifierConfig.of(**plan.network)
    if options.attention and not config.depth:
        raise ZooValueError(
            f"--attention is that of encoder blocks, and network {config.network!r} has none; take --network "
            "transformer, or --pooling"
        )
    steps.check(options, plan.learning)
    return plan


def start(options: Options, plan: Plan, dataset: Dataset) -> TextClassifier:
    """Return the preset to go on from, or a new classifier."""
    if options.preset:
        return steps.load_preset(options, TextClassifier)
    return new_task(dataset, plan.network, options.seed, options.precision)


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
    return [part[part != 0] for row in rows(preprocessor, texts) for part in np.atleast_2d(row)]


def hard_targets(dataset: Dataset, labels: tuple[str, ...]) -> np.ndarray:
    """Return the truth of the training texts, 0 and 1 [texts, labels]."""
    found = reading.targets(reading.read_examples(dataset, TextClassifier.raw), labels)
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
        return task.fit(batches, dataset, resume_folder=folder / "checkpoint", callbacks=callbacks, **learning)
    learning["augment"] = augment(task, plan)
    return task.fit(dataset, resume_folder=folder / "checkpoint", callbacks=callbacks, **learning)


def augment(task: TextClassifier, plan: Plan) -> Any:
    """Return what deletes tokens while training; texts read sentence by sentence stay whole."""
    return None if task.config.hierarchical else delete_tokens(plan.deletion)


def taught_batches(
    task: TextClassifier, dataset: Dataset, new: list[str], soft: np.ndarray, plan: Plan, seed: int
) -> Batches:
    """Return all training texts and some of the new ones in each epoch, with the answers of the teachers.

    No token is deleted here: the teachers have judged the texts as they are.
    """
    texts = dataset["train"]["text"]
    hard = hard_targets(dataset, task.labels)
    return MixedBatches(
        rows(task.preprocessor, [*texts, *new]),
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
    learning = {**plan.learning, "seed": seed, "calibrate": False, "augment": augment(teacher, plan)}
    learning["epochs"] = plan.teacher_epochs
    teacher.fit(dataset, resume_folder=home / f"checkpoint_{number}", **learning)
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
        task = start(options, plan, part)
        alone = dataclasses.replace(plan, teachers=0)
        place = folder / f"fold_{number + 1}"
        train(task, part, alone, dataclasses.replace(options, taught_by=None), place)
        return judge_split(task, part, "val")["measures"]

    return cross_validate(once, truth if dataset.multi_label else truth.argmax(axis=1), options.folds, options.seed)


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "text_classifier", *sys.argv[1:]])
