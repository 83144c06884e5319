"""Draw the bundled samples out of the whole sets; the same seed gives the same bytes.

    python attention_zoo/data/samples/make.py

Takes the whole sets from where `attention_zoo.data` finds them (downloads them if need be), and writes
`clinc150/`, `goemotions/`, `fashion_mnist/`, `an4/` and `fsdd/` beside this file.
"""

from pathlib import Path

import numpy as np

from attention_zoo import data
from attention_zoo.data import an4, clinc150, fashion_mnist, fsdd, goemotions, idx, packed, store, zips

SEED = 0
HERE = Path(__file__).parent
INTENTS = (
    "alarm", "balance", "book_flight", "calendar", "definition", "exchange_rate", "greeting", "play_music", "recipe",
    "restaurant_reservation", "tell_joke", "timer", "traffic", "translate", "weather",
)  # fmt: skip
INTENT_ROWS = {"train": 60, "val": 15, "test": 20}
OUTSIDE_ROWS = {"oos_train": 60, "oos_val": 60, "oos_test": 100}
EMOTION_ROWS = {"train": (1200, 12), "val": (200, 3), "test": (200, 3)}
CLOTHES_ROWS = {"train": 60, "val": 20, "test": 20}
UTTERANCE_ROWS = {"train": 15, "val": 5, "test": 5}
LONGEST_UTTERANCE = {"train": 3.0, "val": 3.0, "test": 2.0}  # seconds: the test split is lossless, and larger
DIGIT_ROWS = {"train": 2, "val": 1, "test": 1}  # of each digit


def clinc() -> dict[str, list[tuple[str, ...]]]:
    """Draw the same number of sentences of each of 15 intents, and some that are out of scope."""
    whole = data.load("clinc150")
    rows: dict[str, list[tuple[str, ...]]] = {}
    for split, count in INTENT_ROWS.items():
        pairs = list(zip(whole[split]["label"], whole[split]["text"]))
        rows[split] = [
            pair for intent in INTENTS for pair in drawn([each for each in pairs if each[0] == intent], count)
        ]
    for split, count in OUTSIDE_ROWS.items():
        rows[split] = drawn(list(zip(whole[split]["label"], whole[split]["text"])), count)
    return rows


def emotions() -> dict[str, list[tuple[str, ...]]]:
    """Draw comments at random, with at least a few of each label."""
    whole = data.load("goemotions")
    rows = {}
    for split, (count, least) in EMOTION_ROWS.items():
        columns = [whole[split][name] for name in ("label", "id", "text")]
        numbers = [",".join(str(goemotions.LABELS.index(name)) for name in names) for names in columns[0]]
        every = list(zip(numbers, *columns[1:]))
        rows[split] = [every[row] for row in covering(columns[0], count, least)]
    return rows


def clothes() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Draw the same number of images of each of the ten kinds of clothing, as (images, label numbers)."""
    whole = data.load("fashion_mnist")
    drawn_of = {}
    for split, count in CLOTHES_ROWS.items():
        numbers = np.array([fashion_mnist.LABELS.index(label) for label in whole[split]["label"]], np.uint8)
        kinds = range(len(fashion_mnist.LABELS))
        rows = sorted(row for kind in kinds for row in drawn(np.flatnonzero(numbers == kind).tolist(), count))
        drawn_of[split] = whole[split]["image"][rows], numbers[rows]
    return drawn_of


def utterances() -> dict[str, tuple[list[tuple[str, ...]], list[tuple[str, bytes]]]]:
    """Draw short utterances of AN4, by official split: rows of the table, and files of the zip."""
    folder, rows = store.find(an4.SET), {}
    for split in ("train", "test"):
        columns = packed.read(folder / f"an4_{split}.tsv.gz")
        every = list(zip(*(columns[name] for name in an4.COLUMNS)))
        chosen = []
        for part in ("train", "val") if split == "train" else ("test",):
            of_part = [row for row in every if (row[1] in an4.HELD) == (part == "val")]
            short = [row for row in of_part if int(row[2]) <= 16_000 * LONGEST_UTTERANCE[part]]
            chosen += drawn(short, UTTERANCE_ROWS[part])
        files = zips.read_zip(folder / f"an4_{split}.zip")
        wanted = {row[0] for row in chosen}
        rows[split] = chosen, [(name, content) for name, content in files.items() if name.rpartition(".")[0] in wanted]
    return rows


def digits() -> dict[str, list[tuple[str, bytes]]]:
    """Draw as many recordings of each digit of FSDD, by file of the set: names and contents."""
    folder = store.find(fsdd.SET)
    rows = {}
    for file in fsdd.SET.form.files:
        every = list(zips.read_zip(folder / file).items())
        rows[file] = []
        for split, count in DIGIT_ROWS.items():
            for digit in "0123456789":
                found = [pair for pair in every if pair[0][0] == digit and fsdd.split_of(pair[0]) == split]
                rows[file] += drawn(found, count, int(digit))
    return rows


def drawn(rows: list, count: int, place: int = 0) -> list:
    """Draw `count` rows, in their own order; another `place` draws others of as many rows."""
    return [rows[row] for row in sorted(np.random.default_rng(SEED + place).permutation(len(rows))[:count])]


def covering(labels: list[list[str]], count: int, least: int) -> list[int]:
    """Draw `count` row numbers so that each label has `least` rows, the rarest label served first."""
    order = np.random.default_rng(SEED).permutation(len(labels)).tolist()
    rows_of = {name: [row for row in order if name in labels[row]] for name in goemotions.LABELS}
    chosen: dict[int, None] = {}
    for name in sorted(rows_of, key=lambda name: len(rows_of[name])):
        lacking = least - sum(name in labels[row] for row in chosen)
        fresh = [row for row in rows_of[name] if row not in chosen]
        chosen.update(dict.fromkeys(fresh[: max(lacking, 0)]))
    chosen.update(dict.fromkeys([row for row in order if row not in chosen][: count - len(chosen)]))
    return sorted(chosen)


def main() -> None:
    """Write the samples."""
    for real_set, rows in ((clinc150.SET, clinc()), (goemotions.SET, emotions())):
        folder = HERE / real_set.name
        folder.mkdir(exist_ok=True)
        for split, stem in real_set.form.files.items():
            packed.write(folder / f"{stem}.tsv.gz", real_set.form.columns, rows[split])
    folder = HERE / fashion_mnist.SET.name
    folder.mkdir(exist_ok=True)
    stems = {**fashion_mnist.SET.form.files, "val": "val"}
    for split, pair in clothes().items():
        for name, array in zip(idx.names_of(stems[split]), pair):
            idx.write_idx(folder / name, array)
    folder = HERE / an4.SET.name
    folder.mkdir(exist_ok=True)
    for split, (rows, files) in utterances().items():
        packed.write(folder / f"an4_{split}.tsv.gz", an4.COLUMNS, rows)
        zips.write_zip(folder / f"an4_{split}.zip", files)
    folder = HERE / fsdd.SET.name
    folder.mkdir(exist_ok=True)
    for file, files in digits().items():
        zips.write_zip(folder / file, files)


if __name__ == "__main__":
    main()
