"""Train the same small network with every attention for images, on the same pictures for the same time, and compare.

    ATTENTION_ZOO_DATA=... python benchmarks/which_attention.py --seeds 0          # goes on where it was stopped
    python benchmarks/which_attention.py --draw                                    # csv and picture alone

A residual network of three stages (16, 32 and 64 channels, one block each) has the attention in each block, before what
the block found is added. It sees 10,000 pictures of CIFAR-10 (WebP, quality 80) for eight epochs and is judged on the
5,000 validation pictures: this says which attention helps a small network on a small budget, not which is best. Writes
`benchmarks/results/which_attention.json` after each variant, `docs/which_attention.csv` and `docs/which_attention.png`.
"""

import argparse
import csv
import json
import statistics
import time
from pathlib import Path

import harness

NETWORK = {
    "network": "resnet", "height": 32, "width": 32, "channels": 3, "widths": (16, 32, 64), "depths": (1, 1, 1),
    "strides": (1, 2, 2), "pooling": "mean", "mean": (0.491, 0.482, 0.447), "std": (0.247, 0.243, 0.262),
}  # fmt: skip
LEARNING = {
    "epochs": 8, "batch_size": 128, "learning_rate": 5e-3, "weight_decay": 0.05, "warmup": 0.15,
    "augment": ("flip", {"name": "crop", "padding": 4}),
}  # fmt: skip
PICTURES = 10_000
DOCS = Path(__file__).parents[1] / "docs"
NONE = "none"


def variants() -> list[str]:
    """Return the names to be compared: no attention, and every one of the first tier that reads images."""
    from attention_zoo import layers

    return [NONE, *sorted(layers.names(role="image", tier="P0"))]


def pictures():
    """Return the training pictures, the validation pictures, and their labels, decoded once."""
    from attention_zoo import data

    dataset = data.load("cifar10_webp")
    train = dataset["train"].take(PICTURES, seed=0)
    return dataset, (train["image"], train["label"]), (dataset["val"]["image"], dataset["val"]["label"])


def measure(attention: str, seed: int, labels: tuple[str, ...], train: tuple, held: tuple) -> dict:
    """Train one network and judge it."""
    from attention_zoo.models.image_classifier import ImageClassifier

    task = ImageClassifier.new(labels, seed=seed, attention=attention, **NETWORK)
    began = time.perf_counter()
    task.fit(train, held, seed=seed, calibrate=False, progress=False, **LEARNING)
    seconds = time.perf_counter() - began
    right = [answer.label == label for answer, label in zip(task.predict(held[0], batch_size=256), held[1])]
    pixels = task.preprocessor(held[0][:256])["pixels"]
    once = harness.compare({"predict": lambda: task.model.predict(pixels, verbose=0)}, seconds=1.5, least=3)["predict"]
    return {
        "attention": attention,
        "seed": seed,
        "accuracy": statistics.mean(right),
        "parameters": task.model.count_params(),
        "training seconds": seconds,
        "images a second": len(pixels) / once,
    }


def summed(rows: list[dict]) -> list[dict]:
    """Return one line an attention, the best first: means over seeds."""
    found = []
    for name in dict.fromkeys(row["attention"] for row in rows):
        own = [row for row in rows if row["attention"] == name]
        accuracies = [row["accuracy"] for row in own]
        found.append(
            {
                "attention": name,
                "accuracy": round(statistics.mean(accuracies), 4),
                "deviation": round(statistics.stdev(accuracies), 4) if len(own) > 1 else "",
                "seeds": len(own),
                "parameters": own[0]["parameters"],
                "images a second": round(statistics.median(row["images a second"] for row in own)),
                "training seconds": round(statistics.median(row["training seconds"] for row in own), 1),
            }
        )
    return sorted(found, key=lambda row: -row["accuracy"])


def draw(rows: list[dict]) -> None:
    """Write the table and the picture: accuracy against the time of a picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with open(DOCS / "which_attention.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    figure, axes = plt.subplots(figsize=(11, 7), layout="constrained")
    times = [1e6 / row["images a second"] for row in rows]
    plain = next((row["accuracy"] for row in rows if row["attention"] == NONE), None)
    axes.scatter(
        times, [100 * row["accuracy"] for row in rows], s=[row["parameters"] / 2500 for row in rows], alpha=0.5
    )
    for row, place in zip(rows, times):
        axes.annotate(
            row["attention"], (place, 100 * row["accuracy"]), fontsize=7, xytext=(3, 2), textcoords="offset points"
        )
    if plain is not None:
        axes.axhline(100 * plain, linestyle=":", color="grey")
    axes.set_xscale("log")
    axes.set_xlabel("microseconds a picture (prediction, batches of 256)")
    axes.set_ylabel("validation accuracy, %")
    axes.set_title(
        f"One small network, one budget: {PICTURES:,} pictures of CIFAR-10 (WebP), {LEARNING['epochs']} epochs"
    )
    figure.savefig(DOCS / "which_attention.png", dpi=110)


def main() -> None:
    """Measure what is not measured yet, then write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds to train with")
    parser.add_argument("--only", nargs="+", help="names of attention; all when not given")
    parser.add_argument("--draw", action="store_true", help="train nothing")
    options = parser.parse_args()
    path = harness.RESULTS / "which_attention.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]["rows"] if path.exists() else []
    if not options.draw:
        dataset, train, held = pictures()
        done = {(row["attention"], row["seed"]) for row in rows}
        for seed in options.seeds:
            for name in options.only or variants():
                if (name, seed) not in done:
                    rows.append(measure(name, seed, dataset.labels, train, held))
                    harness.record("which_attention", "rows", rows)
                    print(json.dumps(rows[-1]), flush=True)
    draw(summed(rows))


if __name__ == "__main__":
    main()
