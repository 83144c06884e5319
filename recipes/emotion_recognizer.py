"""Train an emotion recognizer of image, audio and text, from scratch or from a preset.

    python recipes/emotion_recognizer.py --data ravdess --fold 0 --half --test          # face, voice and words
    python recipes/emotion_recognizer.py --data ravdess --modalities image,audio --fusion mult
    python recipes/emotion_recognizer.py --data ravdess --tasks intensity,sex --sharing fused
    python recipes/emotion_recognizer.py --data cmu_mosi_features --context attention   # whole conversations
    python recipes/emotion_recognizer.py --data goemotions --half --test                # texts alone
    python recipes/emotion_recognizer.py --small                                        # under a minute, synthetic
    python recipes/emotion_recognizer.py --data people.csv             # columns image, audio, text (any empty), label
    python recipes/emotion_recognizer.py --data people.csv --from runs/mine/model

`attention-zoo train emotion_recognizer ...` takes the same options. After a kill, the same line with `--resume` goes
on.

RAVDESS has no official split: `--fold 0` to `4` takes the folds of actors that are written down in `data.ravdess`. The
text features of CMU-MOSI were trained on its validation videos too: what is measured there is too good.
`benchmarks/emotions.py` runs all folds, fusions and sharings.
"""

import dataclasses
import sys
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from typer import Option

from attention_zoo import data
from attention_zoo.cli import steps
from attention_zoo.cli.options import takes
from attention_zoo.data import Dataset, Split, ravdess
from attention_zoo.errors import ZooValueError
from attention_zoo.models.classifier.report import draw, judge_split
from attention_zoo.models.emotion_recognizer import EmotionRecognizer, EmotionRecognizerConfig
from attention_zoo.models.emotion_recognizer.examples import narrowed
from attention_zoo.models.emotion_recognizer.report import mean_shares, subset_measures
from attention_zoo.multimodal.kinds import CONVERSATION, FEATURES, MODALITIES, SOUND
from attention_zoo.training import EpochLog

SYNTHETIC = 200  # rows of a small run
TALKS = 10  # of so many conversations one is held out
HELD = {"train": False, "val": True}
LISTS = ("modalities", "tasks")  # options that hold names with commas between
KNOWN = ("row", "text")  # sets that can be had by name: of rows, and of texts alone


@dataclass(frozen=True)
class Plan:
    """What is known to work for a data set; options of the command line replace its parts."""

    network: dict[str, Any] = field(default_factory=dict)
    learning: dict[str, Any] = field(default_factory=dict)
    augment: bool = True  # whether bands and stretches of recorded sounds are masked while training
    description: str = ""  # sentence on the card


LEARNING = {
    "epochs": 40, "batch_size": 32, "learning_rate": 2e-3, "warmup": 0.1, "weight_decay": 0.05, "smoothing": 0.1,
    "averaging": 0.99, "clip": 5.0,
}  # fmt: skip
OWN = Plan({}, LEARNING)
PLANS = {
    "ravdess": Plan(
        {"max_seconds": 4.0, "dropout": 0.2, "head_dropout": 0.4},
        LEARNING,
        description="which of eight emotions an actor shows: action units of the face, voice, words; any may lack",
    ),
    "cmu_mosi_features": Plan(
        {"dropout": 0.3, "head_dropout": 0.5},
        {**LEARNING, "epochs": 20, "learning_rate": 1e-3},
        description="whether somebody speaks well or ill of a film, by features of face, voice and words",
    ),
    "goemotions": Plan(
        {
            "text_recurrent": "gru", "text_depth": 0, "width": 192, "hidden": 0, "dropout": 0.4, "head_dropout": 0.5,
            "pooling": {"name": "structured_self_attention", "hops": 16, "units": 64},
        },
        {**LEARNING, "epochs": 7, "batch_size": 128, "smoothing": 0.0, "averaging": 0.998},
        description="which of 28 emotions a short English comment shows, any number of them",
    ),
}  # fmt: skip
SMALL = Plan(
    {
        "width": 32, "heads": 2, "hidden": 0, "height": 24, "width_pixels": 24, "mels": 40, "audio_depth": 1,
        "sound_block": "transformer", "picture_widths": (8, 16, 32), "token_dropout": 0.0, "dropout": 0.0,
        "head_dropout": 0.1, "modality_dropout": 0.1,
    },
    {**LEARNING, "epochs": 8, "batch_size": 16, "learning_rate": 4e-3, "smoothing": 0.0, "averaging": None},
    augment=False,
)  # fmt: skip


@dataclass(frozen=True)
class Options(steps.ClassifierOptions):
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name, or a table with columns image, audio, text, label")] = "ravdess"
    modalities: Annotated[str | None, Option(help="what is read, with commas: image,audio,text")] = None
    fusion: Annotated[str | None, Option(help="concat, gated, mult, bottleneck, tensor, low_rank ...")] = None
    context: Annotated[str | None, Option(help="what rows of a conversation know of each other: none, attention")] = (
        None
    )
    tasks: Annotated[str | None, Option(help="columns that are learned beside the label, with commas")] = None
    sharing: Annotated[str | None, Option(help="of attention by the tasks: shared, specific, fused")] = None
    width: Annotated[int | None, Option(help="channels of a step")] = None
    modality_dropout: Annotated[float | None, Option(help="how often a modality is left out while training")] = None
    fold: Annotated[int | None, Option(help="of actors, for ravdess: 0 to 4")] = None


NETWORK = ("attention", "pooling", "modalities", "fusion", "context", "tasks", "sharing", "width", "modality_dropout")


@takes(Options)
def main(options: Options) -> None:
    """Train an emotion recognizer and keep it with its measures, curves, confusion matrix and an explanation.

    Where an option is not given, what is known to work for the data set is taken.
    """
    began = time.perf_counter()
    plan = planned(options)
    preset = steps.load_preset(options, EmotionRecognizer) if options.preset else None
    # 1. Data: train and validation; what has no validation split gives a tenth of its rows, or of its conversations.
    dataset = read(options, plan.network.get("tasks", ()) if preset is None else tuple(preset.config.task_labels))
    folder = steps.find_place(options, dataset)
    # 2. Model: a preset to go on from, or a new network for what the data holds.
    task = preset or start(options, plan, dataset)
    dataset = shown(dataset, task.config.modalities)
    # 3. Train: the average of the weights is what is judged and kept.
    history = task.fit(
        dataset,
        resume_folder=folder / "checkpoint",
        callbacks=[EpochLog(folder / "history.csv")],
        seed=options.seed,
        augment=plan.augment and "audio" in task.config.modalities and task.config.audio == SOUND,
        **plan.learning,
    )
    if options.half:
        steps.round_weights(task)
    # 4. Judge: on validation data; on the test split only when asked to.
    judged = {split: judge(task, dataset, split) for split in ("val", *(["test"] if options.test else []))}
    # 5. Keep: the recognizer with its card, measures and pictures.
    description = "" if options.small else plan.description
    steps.keep(task, dataset, judged, options, folder, description or steps.describe(task, dataset))
    split = "test" if options.test else "val"
    draw(task, judged[split], history, folder)
    task.explain(dataset[split].rows([0])).save(folder / "explanation.png")
    steps.tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says; refuse what cannot work."""
    if options.network is not None:
        raise ZooValueError("--network is not known here: the network follows from --modalities and --fusion")
    if options.fold is not None and (options.data != ravdess.SET.name or options.small):
        raise ZooValueError(f"--fold is of --data {ravdess.SET.name}, got --data {options.data}")
    plan = SMALL if options.small else PLANS.get(options.data, OWN)
    given = steps.network_options(options, NETWORK)
    for name in LISTS:
        if name in given:
            given[name] = tuple(word.strip() for word in given[name].split(",") if word.strip())
    network = plan.network | given
    EmotionRecognizerConfig.of(**network)
    learning = plan.learning | steps.chosen(options, steps.LEARNING)
    steps.check(options, learning)
    return dataclasses.replace(plan, network=network, learning=learning)


def read(options: Options, tasks: tuple[str, ...]) -> Dataset:
    """Read a set by name or the user's own table; synthetic rows where a small run is to need no network."""
    if options.small and options.data in data.names("row"):
        dataset = data.synthetic_emotions(SYNTHETIC)
    elif options.data == ravdess.SET.name:
        dataset = data.load(options.data)
        parts = ravdess.fold(dataset, options.fold or 0)
        dataset = dataclasses.replace(dataset, splits=dict(zip(("train", "val", "test"), parts)))
    else:
        dataset = steps.read_data(options, KNOWN, lambda path: own(path, tasks), "a table")
    for task in tasks:
        dataset["train"][task]  # says which columns there are where this is none
    return dataset


def own(path: str, tasks: tuple[str, ...]) -> Dataset:
    """Read a table; of one with conversations, whole ones are held out."""
    dataset = data.read_multimodal(path, tasks=tasks)
    rows = dataset["train"]
    talks = list(dict.fromkeys(rows[CONVERSATION])) if CONVERSATION in rows.columns else []
    held = set(talks[TALKS - 1 :: TALKS]) - {None}
    if not held:
        return dataset
    places = [talk in held for talk in rows[CONVERSATION]]
    parts = {name: [row for row, is_held in enumerate(places) if is_held is kept] for name, kept in HELD.items()}
    return dataclasses.replace(dataset, splits={name: rows.rows(part) for name, part in parts.items()})


def start(options: Options, plan: Plan, dataset: Dataset) -> EmotionRecognizer:
    """Return a new recognizer for what the data holds, which learns vocabulary and statistics from it."""
    present = [name for name in MODALITIES if name in dataset.fields]
    network = {"modalities": present, **plan.network}
    for name in network["modalities"]:
        if name not in present:
            raise ZooValueError(f"--modalities has {name}, and {dataset.name} has only {', '.join(present)}")
        if are_vectors(dataset["train"], name):
            network[name] = FEATURES
    return EmotionRecognizer.new(seed=options.seed, dtype=options.precision, **network)


def are_vectors(rows: Split, modality: str) -> bool:
    """Tell vectors of features from pictures, sounds and texts."""
    value = next((value for value in rows[modality] if value is not None), None)
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def shown(dataset: Dataset, modalities: tuple[str, ...]) -> Dataset:
    """Return a data set without what a model does not read."""
    splits = {name: narrowed(split, modalities) for name, split in dataset.splits.items()}
    return dataclasses.replace(dataset, splits=splits)


def judge(task: EmotionRecognizer, dataset: Dataset, split: str) -> dict[str, Any]:
    """Judge on one split: all labels, each part of the modalities by itself, and how much each of them weighs."""
    judged = judge_split(task, dataset, split)
    found = dict(judged["measures"])
    if task.config.tasks:
        found |= task.evaluate(dataset, split=split)
    if len(task.config.modalities) > 1:
        measure = "macro_f1" if task.config.multi_label else "accuracy"
        for name, measures in subset_measures(task, dataset[split]).items():
            found[f"{measure}_of_{name}"] = measures[measure]
        found |= {f"weight_of_{name}": weight for name, weight in mean_shares(task, dataset[split]).items()}
    return {**judged, "measures": found}


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "emotion_recognizer", *sys.argv[1:]])
