"""Train a recommender of what comes next, from scratch or from a preset.

    python recipes/recommender.py --data amazon_beauty --half --test                      # causal attention (SASRec)
    python recipes/recommender.py --data amazon_beauty --network bert4rec --half --test   # hidden items, both ways
    python recipes/recommender.py --data amazon_beauty --network gru --half --test        # GRU and additive attention
    python recipes/recommender.py --data amazon_beauty --network din --half --test        # target attention
    python recipes/recommender.py --small                                                 # under a minute, synthetic
    python recipes/recommender.py --data mine.csv                    # columns user, item, time (rating, features)
    python recipes/recommender.py --data more.csv --from runs/mine/model                  # new interactions, new items

`attention-zoo train recommender ...` takes the same options. After a kill, the same line with `--resume` goes on.

Measures rank the whole catalogue, without what was seen; no negatives are drawn. Popularity, item-kNN and a Markov
chain of first order are judged in the same run.
"""

import dataclasses
import sys
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from typer import Option

from attention_zoo import data
from attention_zoo.cli import steps
from attention_zoo.cli.options import takes
from attention_zoo.data import Dataset
from attention_zoo.errors import ZooValueError
from attention_zoo.models.recommender import Recommender, RecommenderConfig
from attention_zoo.models.recommender.judging import baselines
from attention_zoo.models.recommender.training import Choice
from attention_zoo.training import EpochLog
from attention_zoo.visualise import curves

SYNTHETIC = 400  # users of a small run
SHOWN = 3  # histories whose recommendations are printed, and the first of them is drawn


@dataclass(frozen=True)
class Plan:
    """What is known to work for a data set and network; options of the command line replace their parts."""

    network: dict[str, Any] = field(default_factory=dict)
    learning: dict[str, Any] = field(default_factory=dict)
    description: str = ""  # sentence on the card


LEARNING = {
    "epochs": 60, "batch_size": 256, "learning_rate": 1e-3, "schedule": "constant", "warmup": 0.0, "weight_decay": 0.01,
    "clip": 5.0, "patience": 8, "monitor": "val_ndcg@10",
}  # fmt: skip
OWN = Plan({"dropout": 0.3}, LEARNING)
BEAUTY = {"width": 64, "heads": 2, "length": 50, "dropout": 0.5}
PLANS = {
    ("amazon_beauty", "sasrec"): Plan(
        {**BEAUTY, "depth": 2}, LEARNING, "what somebody buys next after some beauty products, of 12,101 of them"
    ),
    ("amazon_beauty", "bert4rec"): Plan(
        {**BEAUTY, "depth": 2, "dropout": 0.3, "hide": 0.3}, {**LEARNING, "epochs": 120}
    ),
    ("amazon_beauty", "gru"): Plan({**BEAUTY, "heads": 1}, LEARNING),
    ("amazon_beauty", "din"): Plan(
        {
            **BEAUTY,
            "depth": 2,
            "attention": {"name": "din", "units": [32, 16], "normalizer": "softmax"},
            "ranker_units": 32,
        },
        LEARNING,
    ),
}
SMALL = Plan(
    {"width": 32, "length": 24, "dropout": 0.1, "candidates": 30},
    {**LEARNING, "epochs": 12, "batch_size": 64, "learning_rate": 4e-3, "patience": None},
)


@dataclass(frozen=True)
class Options(steps.RecipeOptions):
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name, or a table with columns user, item, time")] = "amazon_beauty"
    network: Annotated[str | None, Option(help="sasrec, bert4rec, gru, din, autoint, afm")] = None
    length: Annotated[int | None, Option(help="items of a history that are read")] = None
    width: Annotated[int | None, Option(help="channels")] = None
    depth: Annotated[int | None, Option(help="blocks over the history")] = None
    heads: Annotated[int | None, Option(help="of the attention over the history")] = None
    dropout: Annotated[float | None, Option(help="share dropped while training")] = None
    weight_decay: Annotated[float | None, Option(help="share of a weight taken off a step, times the rate")] = None
    choice: Annotated[str, Option(help="softmax (over all items), sampled_softmax, bce")] = "softmax"
    negatives: Annotated[int | None, Option(help="items drawn for a batch (sampled_softmax) or a place (bce)")] = None
    split: Annotated[str, Option(help="of your own table: leave_one_out, or time")] = "leave_one_out"


NETWORK = ("network", "attention", "length", "width", "depth", "heads", "dropout")
LEARNED = (*steps.LEARNING, "weight_decay")


@takes(Options)
def main(options: Options) -> None:
    """Train a recommender and keep it with its measures beside those of baselines, curves and an explanation.

    Where an option is not given, what is known to work for the data set and network is taken.
    """
    began = time.perf_counter()
    plan, choice = planned(options), Choice(options.choice, options.negatives)
    # 1. Data: of each user the last item is the test, the one before it validation; or what came after a time.
    dataset = read(options)
    folder = steps.find_place(options, dataset)
    # 2. Model: a preset to go on from, or a new network.
    task = start(options, plan)
    # 3. Train: the weights of the best epoch are kept, by validation over the whole catalogue.
    history = task.fit(
        dataset,
        choice=choice,
        resume_folder=folder / "checkpoint",
        callbacks=[EpochLog(folder / "history.csv")],
        seed=options.seed,
        **plan.learning,
    )
    if options.half:
        steps.round_weights(task)
    # 4. Judge: on validation data; on the test split only when asked to; baselines beside.
    splits = ("val", *(["test"] if options.test else []))
    judged = {split: {"measures": judge(task, dataset, split)} for split in splits}
    # 5. Keep: the recommender with its card, measures and pictures.
    description = plan.description or f"{task.config.network}: what comes next in {dataset.name}"
    steps.keep(task, dataset, judged, options, folder, description)
    show(task, dataset, history, folder)
    steps.tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says; refuse what cannot work."""
    network = options.network or "sasrec"
    plan = SMALL if options.small else PLANS.get((options.data, network), OWN)
    given = steps.network_options(options, NETWORK)
    learning = plan.learning | steps.chosen(options, LEARNED)
    plan = dataclasses.replace(plan, network={"network": network, **plan.network, **given}, learning=learning)
    RecommenderConfig.of(**plan.network)
    steps.check(options, plan.learning)
    return plan


def read(options: Options) -> Dataset:
    """Read a set by name or the user's own table; synthetic histories where a small run is to need no network."""
    if options.small and options.data in data.names("history"):
        return data.synthetic_interactions(SYNTHETIC)
    dataset = steps.read_data(
        options, "history", lambda path: data.read_interactions(path, split=options.split), "a table of interactions"
    )
    if not len(dataset["val"]):
        raise ZooValueError(f"{dataset.name} must have users with three items at least, got none")
    return dataset


def start(options: Options, plan: Plan) -> Recommender:
    """Return the preset to go on from, or a new recommender, which learns the catalogue from the data."""
    if options.preset:
        return steps.load_preset(options, Recommender)
    return Recommender.new(dtype=options.precision, **plan.network)


def judge(task: Recommender, dataset: Dataset, split: str) -> dict[str, Any]:
    """Judge on one split, and beside it what needs no network."""
    found = task.evaluate(dataset, split=split)
    for name, measures in baselines(task, dataset, split).items():
        found |= {f"{name}_{measure}": measures[measure] for measure in ("recall@10", "ndcg@10")}
    return found


def show(task: Recommender, dataset: Dataset, history: dict[str, list[float]], folder: Any) -> None:
    """Print a few recommendations, and draw the first one's explanation and the curves."""
    if history:
        curves.training_curves(history, folder / "curves.png")
    histories = dataset["val"]["history"][:SHOWN]
    for chosen, found in zip(histories, task.recommend(histories, k=min(5, task.config.items))):
        print(f"{', '.join(map(str, chosen[-5:]))}\n    {', '.join(map(str, found.items))}")
    task.explain(histories[0]).save(folder / "explanation.png")


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "recommender", *sys.argv[1:]])
