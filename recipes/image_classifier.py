"""Train an image classifier, from scratch or from a preset.

    python recipes/image_classifier.py --data fashion_mnist --half --test          # at most 0.8 M parameters
    python recipes/image_classifier.py --data fashion_mnist --tiny --half --test   # at most 100 k parameters
    python recipes/image_classifier.py --small                                     # under a minute, no network
    python recipes/image_classifier.py --data pictures/ --height 64 --width 64     # a folder with a folder a label
    python recipes/image_classifier.py --data pictures.csv --from fashion_mnist_hybrid

`attention-zoo train image_classifier ...` takes the same options. After a kill, the same line with `--resume` goes on.
"""

import dataclasses
import sys
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from typer import Option

from attention_zoo.cli import steps
from attention_zoo.cli.options import takes
from attention_zoo.cli.summary import write_summary
from attention_zoo.errors import ZooValueError
from attention_zoo.models.classifier.report import draw, judge_split
from attention_zoo.models.image_classifier import ImageClassifier, ImageClassifierConfig
from attention_zoo.training import EpochLog

TIMED = 1024  # pictures whose answers are timed for the summary
SIZE = ("height", "width", "channels")


@dataclass(frozen=True)
class Plan:
    """What is known to work for a data set; options of the command line replace its parts."""

    network: dict[str, Any] = field(default_factory=lambda: {"network": "hybrid"})
    learning: dict[str, Any] = field(default_factory=dict)
    description: str = ""  # sentence on the card


LEARNING = {"batch_size": 128, "learning_rate": 3e-3, "weight_decay": 0.05, "warmup": 0.1, "smoothing": 0.1}
CLOTHES = {"height": 28, "width": 28, "channels": 1, "mean": 0.286, "std": 0.353}
FLIP_CROP = ("flip", {"name": "crop", "padding": 2})
OWN = Plan(learning={**LEARNING, "epochs": 30, "averaging": 0.998, "augment": FLIP_CROP})
PLANS = {
    "fashion_mnist": Plan(
        {
            **CLOTHES,
            "network": "hybrid",
            "blocks": ("basic", "basic", "basic", "attention"),
            "widths": (32, 64, 120, 120),
            "depths": (2, 2, 2, 1),
            "strides": (1, 2, 2, 1),
            "heads": 4,
            "feed_forward": 2.0,
            "gate": "squeeze_excite",
            "head_dropout": 0.3,
            "stochastic_depth": 0.1,
        },
        {**LEARNING, "epochs": 40, "averaging": 0.998, "augment": (*FLIP_CROP, "erase")},
        "which of ten kinds of clothing a grey picture of 28 x 28 pixels shows",
    ),
}
TINY = {
    "fashion_mnist": Plan(
        {**CLOTHES, "network": "resnet", "widths": (16, 32, 64), "depths": (1, 1, 1), "head_dropout": 0.1},
        {**LEARNING, "epochs": 40, "averaging": 0.998, "smoothing": 0.05, "augment": FLIP_CROP},
        "which of ten kinds of clothing a grey picture of 28 x 28 pixels shows, with few parameters",
    ),
}
SMALL = Plan(
    {"network": "hybrid", **CLOTHES, "widths": (16, 32, 48), "depths": (1, 1, 1)},
    {**LEARNING, "epochs": 6, "batch_size": 32, "smoothing": 0.0},
)


@dataclass(frozen=True)
class Options(steps.ClassifierOptions):
    """The options of the command line."""

    data: Annotated[str, Option(help="a set by name, a folder with a folder for each label, or a table")] = (
        "fashion_mnist"
    )
    network: Annotated[str | None, Option(help="hybrid, resnet, vit, swin")] = None
    height: Annotated[int | None, Option(help="pixels that pictures are resized to")] = None
    width: Annotated[int | None, Option(help="pixels that pictures are resized to")] = None
    channels: Annotated[int | None, Option(help="1 for grey, 3 for colour")] = None
    augment: Annotated[str | None, Option(help="what is done to pictures, with commas: flip,crop,erase,mixup")] = None
    summary: Annotated[
        bool | None, Option("--summary/--no-summary", help="time each backend and ONNX; not with --small unless asked")
    ] = None
    tiny: Annotated[bool, Option("--tiny", help="the network for the edge, where the data set has one")] = False


@takes(Options)
def main(options: Options) -> None:
    """Train an image classifier and keep it with its measures, curves and confusion matrix.

    Where an option is not given, what is known to work for the data set is taken.
    """
    began = time.perf_counter()
    plan = planned(options)
    # 1. Data: train and validation; what has no validation split gives a tenth of its training pictures.
    dataset = steps.read_data(options, "image", ImageClassifier.raw.table, "a folder or a table of pictures")
    folder = steps.find_place(options, dataset)
    # 2. Model: a preset to go on from, or a new network.
    task = start(options, plan)
    # 3. Train: the average of the weights is what is judged and kept.
    learning = {**plan.learning, "seed": options.seed}
    history = task.fit(
        dataset, resume_folder=folder / "checkpoint", callbacks=[EpochLog(folder / "history.csv")], **learning
    )
    if options.half:
        steps.round_weights(task)
    # 4. Judge: on validation data; on the test split only when asked to.
    judged = {split: judge_split(task, dataset, split) for split in ("val", *(["test"] if options.test else []))}
    # 5. Keep: the classifier with its card, measures and pictures.
    steps.keep(task, dataset, judged, options, folder, plan.description or steps.describe(task, dataset))
    split = "test" if options.test else "val"
    draw(task, judged[split], history, folder)
    if not options.small if options.summary is None else options.summary:
        pictures = task.preprocessor.pack(dataset[split]["image"][:TIMED])
        write_summary(task, folder, pictures, judged[split]["measures"]["accuracy"], split)
    steps.tell(judged, folder, time.perf_counter() - began)


def planned(options: Options) -> Plan:
    """Join what is known to work with what the command line says; refuse what cannot work."""
    if options.tiny and options.data not in TINY:
        raise ZooValueError(f"--tiny is known for {', '.join(TINY)}, got --data {options.data}")
    plan = SMALL if options.small else (TINY if options.tiny else PLANS).get(options.data, OWN)
    learning = plan.learning | steps.chosen(options, steps.LEARNING)
    if options.augment is not None:
        learning["augment"] = tuple(name.strip() for name in options.augment.split(",") if name.strip()) or None
    network = plan.network | steps.network_options(options, ("network", "attention", "pooling", *SIZE))
    plan = dataclasses.replace(plan, network=network, learning=learning)
    ImageClassifierConfig.of(**plan.network)
    steps.check(options, plan.learning)
    return plan


def start(options: Options, plan: Plan) -> ImageClassifier:
    """Return the preset to go on from, or a new classifier."""
    if options.preset:
        return steps.load_preset(options, ImageClassifier)
    return ImageClassifier.new(seed=options.seed, dtype=options.precision, **plan.network)


if __name__ == "__main__":
    from attention_zoo.cli import main as command_line

    command_line(["train", "image_classifier", *sys.argv[1:]])
