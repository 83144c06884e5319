"""Train a speech recognizer, from scratch or from a preset.

    python recipes/speech_recognizer.py --data an4 --half --test                      # Conformer with CTC
    python recipes/speech_recognizer.py --data an4 --network streaming --begin an4_conformer --half --test  # live
    python recipes/speech_recognizer.py --data an4 --decoder-depth 1 --begin an4_conformer --half  # and attention
    python recipes/speech_recognizer.py --data an4 --network las --half --test        # listen, attend and spell
    python recipes/speech_recognizer.py --data fsdd --half --test                     # digits
    python recipes/speech_recognizer.py --small                                       # under a minute, no network
    python recipes/speech_recognizer.py --data manifest.tsv                           # paths and transcripts
    python recipes/speech_recognizer.py --data recordings --from an4_conformer

`attention-zoo train speech_recognizer ...` takes the same options. After a kill, the same line with `--resume` goes on.
"""

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from attention_zoo import data
from attention_zoo.audio.augmenting import SpecAugment
from attention_zoo.cli import steps
from attention_zoo.cli.options import takes
from attention_zoo.data import Dataset
from attention_zoo.errors import ZooValueError
from attention_zoo.models.speech_recognizer import SpeechRecognizer, SpeechRecognizerConfig
from attention_zoo.models.speech_recognizer.beginning import begin_from
from attention_zoo.training import EpochLog
from attention_zoo.visualise import curves

SHOWN = 3  # transcripts printed at the end, and the first of them drawn
ORDER = 7  # units that the language model looks at together


@dataclass(frozen=True)
class Plan:
    """What is known to work for a data set and network; options of the command line replace its parts."""

    network: dict[str, Any] = field(default_factory=dict)
    learning: dict[str, Any] = field(default_factory=dict)


AUGMENT = SpecAugment(frequency_width=15, time_width=20)
OWN = ("speeds", "plain_epochs")  # of `SpeechRecognizer.fit`, beside what all families take
LEARNING = {
    "epochs": 100, "batch_size": 16, "learning_rate": 1e-3, "schedule": "cosine", "warmup": 0.03, "smoothing": 0.1,
    "averaging": 0.999, "clip": 5.0, "weight_decay": 0.01, "speeds": (1.0, 0.9, 1.1), "augment": AUGMENT,
    "plain_epochs": 10,
}  # fmt: skip
BEGUN = {"epochs": 16, "plain_epochs": 0, "averaging": 0.99}  # where the encoder hears already
CONFORMER = Plan(
    {"width": 96, "depth": 4, "heads": 4, "feed_forward": 288, "attention": "rotary", "decoder_depth": 0}, LEARNING
)
PLANS = {
    ("an4", "conformer"): CONFORMER,
    ("an4", "streaming"): CONFORMER,
    ("an4", "las"): Plan({"width": 128, "depth": 3, "dropout": 0.2}, LEARNING),
    ("fsdd", "conformer"): Plan(
        {"width": 48, "depth": 3, "attention": "rotary", "decoder_depth": 0, "mels": 40, "units": "pieces"},
        {
            **LEARNING,
            "epochs": 20,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "plain_epochs": 4,
            "averaging": 0.99,
            "augment": SpecAugment(frequency_width=8, time_width=10),
        },
    ),
}
TOLD = {  # what is on the card of a set that is known
    "an4": "spelled names, numbers, dates and command words in American English",
    "fsdd": "a digit spoken in English",
}
SMALL = Plan(
    {"width": 32, "depth": 1, "heads": 2, "feed_forward": 64, "mels": 40, "dropout": 0.0},
    {
        **LEARNING,
        "epochs": 40,
        "batch_size": 8,
        "learning_rate": 4e-3,
        "speeds": (1.0,),
        "augment": None,
        "plain_epochs": 0,
        "averaging": None,
    },
)
WIDTHS = {"streaming": {"decoder_depth": 0}, "conformer": {"decoder_depth": 1}, "las": {}}


@dataclass(frozen=True)
class Options(steps.RecipeOptions):
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name, a manifest (path and text), or a folder with transcripts")] = "an4"
    network: Annotated[str | None, Option(help="conformer, streaming, las")] = None
    units: Annotated[str | None, Option(help="letters or pieces")] = None
    width: Annotated[int | None, Option(help="channels of a step")] = None
    depth: Annotated[int | None, Option(help="blocks of the encoder")] = None
    decoder_depth: Annotated[int | None, Option(help="blocks of the decoder; 0 is CTC alone")] = None
    dropout: Annotated[float | None, Option(help="share dropped while training")] = None
    begin: Annotated[
        str | None, Option(help="a recognizer whose units and encoder a new network begins with, by name or folder")
    ] = None
    language: Annotated[int, Option(help="units that the language model looks at together; 0 for none")] = ORDER


@takes(Options)
def main(options: Options) -> None:
    """Train a speech recognizer and keep it with its measures, curves and an alignment.

    Where an option is not given, what is known to work for the data set and network is taken.
    """
    began = time.perf_counter()
    plan = planned(options)
    # 1. Data: train and validation; what has no validation split gives a tenth of its training utterances.
    dataset = steps.read_data(options, "sound", data.read_speech, "a manifest or a folder with transcripts")
    folder = steps.find_place(options, dataset)
    # 2. Model: a preset to go on from, or a new network.
    task = start(options, plan)
    # 3. Train: the average of the weights is what is judged and kept; the language model counts the transcripts, and
    # weighs in a search by CTC alone what makes the fewest errors on validation data.
    history = task.fit(
        dataset,
        resume_folder=folder / "checkpoint",
        callbacks=[EpochLog(folder / "history.csv")],
        seed=options.seed,
        **plan.learning,
    )
    if options.half:
        steps.round_weights(task)
    if options.language:
        task.learn_language(dataset, options.language)
        if not task.config.decodes:
            task.tune_search(dataset)
    # 4. Judge: on validation data; on the test split only when asked to.
    splits = ("val", *(["test"] if options.test else []))
    judged = {split: {"measures": judge(task, dataset, split)} for split in splits}
    # 5. Keep: the recognizer with its card, measures and pictures.
    said = TOLD.get(dataset.name, f"what is said, learned from {dataset.name}")
    live = " while somebody speaks" if task.config.network == "streaming" else ""
    steps.keep(task, dataset, judged, options, folder, said + live)
    show(task, dataset, history, folder)
    steps.tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says; refuse what cannot work."""
    network = options.network or "conformer"
    plan = PLANS.get((options.data, network), Plan({}, LEARNING))
    if options.small:
        plan = replace(SMALL, network={**SMALL.network, **WIDTHS.get(network, {})})
    if options.begin:
        if options.preset:
            raise ZooValueError("--begin makes a new network, and --from goes on with one; leave out one of them")
        plan = replace(plan, learning=plan.learning | BEGUN)
    names = ("network", "attention", "units", "width", "depth", "decoder_depth", "dropout")
    given = steps.network_options(options, names)
    plan = Plan({"network": network, **plan.network, **given}, plan.learning | steps.chosen(options, steps.LEARNING))
    SpeechRecognizerConfig.of(**plan.network)
    steps.check(options, {name: value for name, value in plan.learning.items() if name not in OWN})
    return plan


def start(options: Options, plan: Plan) -> SpeechRecognizer:
    """Return the preset to go on from, or a new recognizer, which learns features and units from the data.

    Raises:
        ZooValueError: if what to begin with is of another family, or its encoder of another shape.
    """
    if options.preset:
        return steps.load_preset(options, SpeechRecognizer)
    if options.begin:
        other = steps.load_preset(replace(options, preset=options.begin), SpeechRecognizer)
        task, taken = begin_from(other, seed=options.seed, dtype=options.precision, **plan.network)
        print(f"{taken} of {len(task.model.weights)} weights are those of {options.begin}")
        return task
    return SpeechRecognizer.new(dtype=options.precision, **plan.network)


def judge(task: SpeechRecognizer, dataset: Dataset, split: str) -> dict[str, Any]:
    """Judge on one split: as it is used, and the parts of that by themselves."""
    plain = {"lm_weight": 0.0, "length_bonus": 0.0}
    searches = {"greedy": {"beam": 1, "ctc_weight": 1.0, **plain}, "ctc_beam": {"ctc_weight": 1.0, **plain}}
    if task.preprocessor.language is not None:
        searches["ctc_beam_lm"] = {"ctc_weight": 1.0}
    if task.config.decodes:
        searches["joint"] = plain
        searches["attention"] = {"ctc_weight": 0.0, **plain}
    found = task.evaluate(dataset, split=split)
    for name, search in searches.items():
        other = task.evaluate(dataset, split=split, **search)
        found |= {f"{name}_{measure}": other[measure] for measure in ("wer", "cer")}
    return found


def show(task: SpeechRecognizer, dataset: Dataset, history: dict[str, list[float]], folder: Path) -> None:
    """Print a few transcripts, and draw the first one's alignment and the curves."""
    if history:
        curves.training_curves(history, folder / "curves.png")
    rows = dataset["val"]
    sounds, texts = rows["sound"][:SHOWN], rows["text"][:SHOWN]
    for text, found in zip(texts, task.transcribe(sounds)):
        print(f"{text}\n    {found.text}")
    task.explain(sounds[0], texts[0]).save(folder / "alignment.png")


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "speech_recognizer", *sys.argv[1:]])
