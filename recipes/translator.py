"""Train a translator, from scratch or from a preset.

    python recipes/translator.py --data multi30k --half --test                       # English to German
    python recipes/translator.py --data multi30k --source de --target en --half --test
    python recipes/translator.py --data multi30k --network recurrent --half --test   # GRU and additive attention
    python recipes/translator.py --small                                             # under a minute, no network
    python recipes/translator.py --data mine.en --translations mine.de               # two files, line by line
    python recipes/translator.py --data pairs.tsv --from multi30k_en_de

`attention-zoo train translator ...` takes the same options. After a kill, the same line with `--resume` goes on.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from attention_zoo import data
from attention_zoo.cli import steps
from attention_zoo.cli.options import takes
from attention_zoo.data import Dataset
from attention_zoo.models.translator import Translator, TranslatorConfig
from attention_zoo.training import EpochLog
from attention_zoo.visualise import curves

SHOWN = 3  # translations printed at the end, and the first of them drawn
SYNTHETIC = 1500  # pairs of a small run


@dataclass(frozen=True)
class Plan:
    """What is known to work for a data set and network; options of the command line replace its parts."""

    network: dict[str, Any] = field(default_factory=dict)
    learning: dict[str, Any] = field(default_factory=dict)


LEARNING = {"batch_size": 128, "smoothing": 0.1, "averaging": 0.999, "clip": 1.0, "weight_decay": 0.01}
TRANSFORMER = Plan(
    {"width": 128, "depth": 4, "heads": 4, "feed_forward": 256, "dropout": 0.2, "vocabulary_size": 8000},
    {**LEARNING, "epochs": 40, "learning_rate": 3e-3, "schedule": "inverse_sqrt", "warmup": 0.1},
)
RECURRENT = Plan(
    {"width": 192, "units": 384, "dropout": 0.3, "vocabulary_size": 8000},
    {**LEARNING, "epochs": 20, "learning_rate": 2e-3, "schedule": "cosine"},
)
PLANS = {"transformer": TRANSFORMER, "recurrent": RECURRENT}
SMALL = {
    "network": {"width": 64, "depth": 2, "heads": 4, "feed_forward": 128, "dropout": 0.1, "vocabulary_size": 500},
    "learning": {"batch_size": 64, "epochs": 8, "learning_rate": 5e-3, "averaging": 0.98, "smoothing": 0.0},
}


@dataclass(frozen=True)
class Options(steps.RecipeOptions):
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name, a table with two columns, or a file of sentences")] = "multi30k"
    translations: Annotated[Path | None, Option(help="file of the sentences' translations, line by line")] = None
    network: Annotated[str | None, Option(help="transformer, recurrent")] = None
    source: Annotated[str, Option(help="language or column that is read")] = "en"
    target: Annotated[str, Option(help="language or column that is written")] = "de"
    width: Annotated[int | None, Option(help="channels of embeddings and blocks")] = None
    depth: Annotated[int | None, Option(help="encoder and decoder blocks")] = None
    vocabulary_size: Annotated[int | None, Option(help="pieces of words at most")] = None
    dropout: Annotated[float | None, Option(help="share dropped while training")] = None
    piece_dropout: Annotated[float | None, Option(help="share of joins of pieces left out while training")] = None
    beam: Annotated[int, Option(help="hypotheses kept while judging")] = 5


@takes(Options)
def main(options: Options) -> None:
    """Train a translator and keep it with its measures, curves and an alignment.

    Where an option is not given, what is known to work for the network is taken.
    """
    began = time.perf_counter()
    plan = planned(options)
    # 1. Data: train and validation; what has no validation split gives a tenth of its training pairs.
    dataset = read(options)
    folder = steps.find_place(options, dataset)
    # 2. Model: a preset to go on from, or a new network.
    task = start(options, plan)
    # 3. Train: the average of the weights is what is judged and kept.
    history = task.fit(
        dataset,
        resume_folder=folder / "checkpoint",
        callbacks=[EpochLog(folder / "history.csv")],
        seed=options.seed,
        **plan.learning,
    )
    if options.half:
        steps.round_weights(task)
    # 4. Judge: on validation data; on the test split only when asked to.
    splits = ("val", *(["test"] if options.test else []))
    judged = {split: {"measures": judge(task, dataset, split, options.beam)} for split in splits}
    # 5. Keep: the translator with its card, measures and pictures.
    words = f"{task.config.source} to {task.config.target}, learned from {dataset.name}"
    steps.keep(task, dataset, judged, options, folder, words)
    show(task, dataset, history, folder)
    steps.tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says; refuse what cannot work."""
    network = options.network or "transformer"
    plan = PLANS.get(network, Plan())
    if options.small:
        plan = Plan(SMALL["network"] if network == "transformer" else {"width": 64, "units": 64}, SMALL["learning"])
    names = ("network", "attention", "width", "depth", "vocabulary_size", "dropout", "piece_dropout")
    given = steps.network_options(options, names)
    languages = ("source", "target") if options.small else (options.source, options.target)
    described = {"source": languages[0], "target": languages[1], **plan.network, **given}
    plan = Plan(described, plan.learning | steps.chosen(options, steps.LEARNING))
    TranslatorConfig.of(**plan.network)
    steps.check(options, plan.learning)
    return plan


def read(options: Options) -> Dataset:
    """Read a set by name or the user's own sentences; made-up ones where a small run is to need no network."""
    if options.small and options.data in data.names("pair"):
        return data.synthetic_pairs(SYNTHETIC)

    def own(path: str) -> Dataset:
        return data.read_parallel(path, options.translations)

    return steps.read_data(options, "pair", own, "a table or a file of sentences")


def start(options: Options, plan: Plan) -> Translator:
    """Return the preset to go on from, or a new translator, which learns its vocabulary from the data."""
    if options.preset:
        return steps.load_preset(options, Translator)
    return Translator.new(dtype=options.precision, **plan.network)


def judge(task: Translator, dataset: Dataset, split: str, beam: int) -> dict[str, Any]:
    """Judge greedy and beam search on one split."""
    found = task.evaluate(dataset, split=split, beam=beam)
    greedy = task.evaluate(dataset, split=split, beam=1)
    return {**found, "beam": beam, **{f"greedy_{name}": greedy[name] for name in ("bleu", "bleu_tokenised", "chrf")}}


def show(task: Translator, dataset: Dataset, history: dict[str, list[float]], folder: Path) -> None:
    """Print a few translations, and draw the first one's alignment and the curves."""
    if history:
        curves.training_curves(history, folder / "curves.png")
    sources = dataset["val"][_column(task.config.source, dataset, "source")][:SHOWN]
    for source, found in zip(sources, task.translate(sources)):
        print(f"{source}\n    {found.text}")
    task.explain(sources[0]).save(folder / "alignment.png")


def _column(language: str, dataset: Dataset, other: str) -> str:
    return language if language in dataset.fields else other


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "translator", *sys.argv[1:]])
