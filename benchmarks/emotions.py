"""Measure emotion recognizers: each modality and fusion, what is missing, several tasks, conversations.

    python benchmarks/emotions.py --list                              # settings, and what is measured already
    python benchmarks/emotions.py --only 'ravdess audio' 'mosi *'     # patterns of settings; all without
    python benchmarks/emotions.py --folds 0 1 --only 'ravdess *'      # some folds
    python benchmarks/emotions.py --sum                               # only sum up what is there

RAVDESS: the five folds of actors of `data.ravdess`; test one, validate on the next, train on three. CMU-MOSI: the
official test split, three seeds. All settings of a data set train as the recipe's plan says
(`recipes/emotion_recognizer.py`); the best is the one that is best on validation.

Every training writes `runs/emotions/<setting>-<fold>.json` when it ends, and one that is there is not run again: stop
it and go on at any time. Log-mel features of sounds are computed once and kept beside. The summary is
`benchmarks/results/emotions.json`, with the confusion matrix of the best setting in `docs/emotions_confusion.png`;
`benchmarks/pages.py` makes tables of it. `--epochs` is for trying out: it writes to a folder of its own, and no
summary.
"""

import argparse
import dataclasses
import fnmatch
import gc
import hashlib
import json
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import harness
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "recipes"))

FOLDER = ROOT / "runs" / "emotions"
FUSIONS = ("concat", "gated", "mult", "bottleneck", "tensor", "low_rank", "co_attention", "film")
MODALITIES = ("image", "audio", "text")
TASKS = ("intensity", "sex")
MEASURES = ("accuracy", "macro_f1")
PICTURE = ROOT / "docs" / "emotions_confusion.png"


@dataclass(frozen=True)
class Setting:
    """One line of a table.

    Args:
        table: in which it stands.
        data: name of the set.
        network: what is otherwise than in the recipe's plan.
        learning: likewise.
        label: column that the model answers first.
        runs: folds, or seeds where the set has a split of its own.
    """

    table: str
    data: str
    network: dict[str, Any]
    learning: dict[str, Any] = field(default_factory=dict)
    label: str = "label"
    runs: int = 5


def _ravdess(table: str, modalities: tuple[str, ...], label: str = "label", **network: Any) -> Setting:
    return Setting(table, "ravdess", {"modalities": modalities, **network}, label=label)


def _mosi(modalities: tuple[str, ...], **network: Any) -> Setting:
    return Setting("conversations", "cmu_mosi_features", {"modalities": modalities, **network}, runs=3)


BOTH, PARTS = ("image", "audio"), [part for count in (1, 2, 3) for part in combinations(MODALITIES, count)]
SETTINGS = {
    **{f"ravdess {'+'.join(part)}": _ravdess("modalities", part) for part in PARTS[:6]},
    **{f"ravdess all {name}": _ravdess("fusions", MODALITIES, fusion=name) for name in FUSIONS},
    **{f"ravdess image+audio {name}": _ravdess("fusions", BOTH, fusion=name) for name in FUSIONS if name != "gated"},
    **{
        f"ravdess all dropout {rate}": _ravdess("missing", MODALITIES, modality_dropout=rate)
        for rate in (0.0, 0.4)
    },
    **{f"ravdess {name} alone": _ravdess("tasks", BOTH, label=name) for name in TASKS},
    **{
        f"ravdess tasks {sharing}": _ravdess("tasks", BOTH, tasks=TASKS, sharing=sharing)
        for sharing in ("shared", "specific", "fused")
    },
    "ravdess tasks shared, equal weights": _ravdess("tasks", BOTH, tasks=TASKS, task_weights=(1.0, 1.0, 1.0)),
    **{
        f"mosi {'+'.join(part)} {context}": _mosi(part, context=context)
        for context in ("none", "attention")
        for part in (*PARTS[:3], MODALITIES)
    },
    **{
        f"mosi all {name} attention": _mosi(MODALITIES, context="attention", fusion=name)
        for name in FUSIONS
        if name != "gated"
    },
}  # fmt: skip


def place(folder: Path, name: str, run: int) -> Path:
    """Return the file of one training."""
    return folder / f"{name.replace(' ', '_').replace(',', '')}-{run}.json"


def keep_sounds(folder: Path) -> Any:
    """Let log-mel features be computed once for all trainings; return what writes those that are new."""
    from attention_zoo.multimodal.sounds import SoundReader

    path, compute = folder / "sounds.npz", SoundReader.read
    known: dict[str, np.ndarray] = {}
    if path.exists():
        with np.load(path) as archive:
            known |= {name: archive[name] for name in archive.files}
    written = [len(known)]

    def read(reader: SoundReader, values: list) -> list:
        if not all(isinstance(value, bytes) for _, value in values):
            return compute(reader, values)
        found = []
        for name, value in values:
            key = f"{hashlib.sha256(value).hexdigest()}_{reader.log_mel.mels}_{reader.max_seconds:g}"
            if key not in known:
                samples = reader.samples(value, name)
                known[key] = np.zeros((0, 0)) if samples is None else reader.log_mel(samples)
            found.append(reader.statistics(known[key]) if known[key].size else None)
        return found

    def write() -> None:
        if len(known) > written[0]:
            part = path.with_suffix(".part.npz")  # a run that is stopped leaves no half of a file
            np.savez(part, **known)
            part.rename(path)
            written[0] = len(known)

    SoundReader.read = read
    return write


def dataset_of(setting: Setting, run: int) -> Any:
    """Return the data of one training, with no column that it does not read."""
    import emotion_recognizer as recipe

    from attention_zoo import data

    dataset = data.load(setting.data)
    if setting.data == "ravdess":
        parts = data.ravdess.fold(dataset, run)
        dataset = dataclasses.replace(dataset, splits=dict(zip(("train", "val", "test"), parts)))
    if setting.label != "label":
        splits = {
            name: data.Split({**{column: split[column] for column in split.columns}, "label": split[setting.label]})
            for name, split in dataset.splits.items()
        }
        dataset = dataclasses.replace(dataset, splits=splits, labels=tuple(sorted(set(splits["train"]["label"]))))
    return recipe.shown(dataset, setting.network["modalities"])


def train(setting: Setting, run: int, epochs: int | None) -> dict[str, Any]:
    """Train and judge once; return what is kept."""
    import emotion_recognizer as recipe
    import keras

    from attention_zoo.models.emotion_recognizer import EmotionRecognizer
    from attention_zoo.models.emotion_recognizer.report import mean_shares, subset_measures
    from attention_zoo.training.metrics import confusion_matrix

    plan, dataset = recipe.PLANS[setting.data], dataset_of(setting, run)
    learning = {**plan.learning, **setting.learning, **({"epochs": epochs} if epochs else {})}
    network = {**plan.network, **setting.network}
    network |= {name: "features" for name in network["modalities"] if recipe.are_vectors(dataset["train"], name)}
    sounds = "audio" in network["modalities"] and network.get("audio", "sound") == "sound"
    task = EmotionRecognizer.new(seed=run, **network)
    clocks = {"seconds an epoch": time.perf_counter, "processor seconds an epoch": time.process_time}
    ticks = {name: [read()] for name, read in clocks.items()}
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: [ticks[name].append(read()) for name, read in clocks.items()]
    )
    task.fit(dataset, callbacks=[clock], seed=run, augment=plan.augment and sounds, **learning)
    judged = {split: task.evaluate(dataset, split=split) for split in ("val", "test")}
    answers, wanted = task.logits(dataset["test"]).argmax(axis=1), dataset["test"]["label"]
    truth = np.array([task.labels.index(label) for label in wanted])
    found: dict[str, Any] = {
        "run": run,
        "network": network,
        "learning": learning,
        "backend": keras.backend.backend(),
        "parameters": task.model.count_params(),
        # The first epoch compiles.
        **{name: statistics.median(np.diff(each)[min(1, len(each) - 2) :].tolist()) for name, each in ticks.items()},
        "labels": task.labels,
        "confusion": confusion_matrix(answers, truth, len(task.labels)).tolist(),
    }
    for split, measures in judged.items():
        found[split] = {name: value for name, value in measures.items() if name.endswith(MEASURES)}
    if len(task.config.modalities) > 1:
        parts = subset_measures(task, dataset["test"])
        found["subsets"] = {name: {key: one[key] for key in MEASURES} for name, one in parts.items()}
        found["shares"] = mean_shares(task, dataset["test"])
    return found


def summed_up(name: str, runs: list[dict]) -> dict[str, Any]:
    """Return mean and spread (sample standard deviation) of one setting's runs."""
    setting = SETTINGS[name]
    row: dict[str, Any] = {"setting": name, "table": setting.table, "data": setting.data, "runs": len(runs)}
    row |= {"of": setting.runs, "network": setting.network}
    for measure in runs[0]["test"]:
        row |= spread(measure, [run["test"][measure] for run in runs])
    row |= spread("val accuracy", [run["val"]["accuracy"] for run in runs])
    if "shares" in runs[0]:
        row["shares"] = means([run["shares"] for run in runs])
        row["subsets"] = means([{part: one["accuracy"] for part, one in run["subsets"].items()} for run in runs])
    for name in ("seconds an epoch", "processor seconds an epoch"):
        row[name] = round(statistics.median(run[name] for run in runs), 2)
    row |= {"epochs": runs[0]["learning"]["epochs"], "parameters": runs[0]["parameters"]}
    return {**row, "backend": runs[0]["backend"]}


def means(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each number over runs."""
    return {name: round(statistics.mean(one[name] for one in found), 4) for name in found[0]}


def spread(name: str, values: list[float]) -> dict[str, float | None]:
    """Return mean and spread of a measure by its name."""
    found = {name: round(statistics.mean(values), 4)}
    return {**found, f"{name} spread": round(statistics.stdev(values), 4) if len(values) > 1 else None}


def gathered(folder: Path) -> dict[str, list[dict]]:
    """Read what was measured, by setting."""
    found = {}
    for name, setting in SETTINGS.items():
        paths = [place(folder, name, run) for run in range(setting.runs)]
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
        if runs:
            found[name] = runs
    return found


def draw(runs: dict[str, list[dict]], rows: list[dict]) -> None:
    """Draw the confusion matrix of the setting that is best on validation, all folds together."""
    from attention_zoo.visualise import confusion_matrix

    known = [row for row in rows if row["table"] in ("modalities", "fusions")]
    if not known:
        return
    best = max(known, key=lambda row: row["val accuracy"])["setting"]
    matrix = np.sum([run["confusion"] for run in runs[best]], axis=0)
    confusion_matrix(matrix, runs[best][0]["labels"], PICTURE)


def main() -> None:
    """Train what is not there yet, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of settings")
    parser.add_argument("--folds", nargs="+", type=int, help="folds (of CMU-MOSI: seeds); all without")
    parser.add_argument("--epochs", type=int, help="for trying out")
    parser.add_argument("--list", action="store_true", help="show settings and what is there")
    parser.add_argument("--sum", action="store_true", help="train nothing")
    options = parser.parse_args()
    folder = FOLDER.with_name(f"{FOLDER.name}-{options.epochs}") if options.epochs else FOLDER
    chosen = [name for name in SETTINGS if any(fnmatch.fnmatchcase(name, pattern) for pattern in options.only)]
    if options.list:
        for name in chosen:
            there = [run for run in range(SETTINGS[name].runs) if place(folder, name, run).exists()]
            print(f"{name:44} {SETTINGS[name].table:14} {len(there)} of {SETTINGS[name].runs}")
        return
    if not options.sum:
        measure(chosen, options.folds, options.epochs, folder)
    runs = gathered(folder)
    rows = [summed_up(name, found) for name, found in runs.items()]
    if rows:
        columns = ("setting", "runs", "accuracy", "accuracy spread", "macro_f1", "seconds an epoch")
        print(harness.table([{key: row[key] for key in columns} for row in rows]))
    if rows and not options.epochs:
        draw(runs, rows)
        harness.record("emotions", "settings", rows)


def measure(names: list[str], folds: list[int] | None, epochs: int | None, folder: Path) -> None:
    """Run the trainings that are not there yet, one after the other."""
    import keras

    for each in (folder, FOLDER):
        each.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    write_sounds = keep_sounds(FOLDER)
    # Fold by fold: what is stopped early has something of every setting.
    todo = [
        (name, run)
        for run in range(max((SETTINGS[name].runs for name in names), default=0))
        for name in names
        if run < SETTINGS[name].runs and (folds is None or run in folds) and not place(folder, name, run).exists()
    ]
    for number, (name, run) in enumerate(todo, 1):
        start = time.perf_counter()
        found = train(SETTINGS[name], run, epochs)
        found["seconds"] = round(time.perf_counter() - start, 1)
        place(folder, name, run).write_text(json.dumps(found) + "\n", encoding="utf-8")
        write_sounds()
        told = f"accuracy {found['test']['accuracy']:.3f}, {found['seconds an epoch']:.1f} s an epoch"
        told += f" ({found['processor seconds an epoch']:.1f} s of the processor)"
        print(f"{number} of {len(todo)}: {name}, run {run}: {told}, {found['seconds']:.0f} s", flush=True)
        keras.backend.clear_session()
        gc.collect()


if __name__ == "__main__":
    main()
