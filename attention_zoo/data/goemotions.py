"""GoEmotions: Reddit comments with 27 emotions and neutral, several at once."""

from collections.abc import Mapping
from pathlib import Path

from attention_zoo.data.packed import Tables, tidy
from attention_zoo.data.real_set import RealSet, github

LABELS = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
FILES = {"train": "train", "val": "dev", "test": "test"}
_COMMIT = "b75f9d3a8b76bc1060687925b04ca98a1b8ea66b"


def convert(files: Mapping[str, Path]) -> dict[str, list[tuple[str, str, str]]]:
    """Return (label numbers, id, text) rows of each split; the published files have the text first."""
    rows = {}
    for stem in FILES.values():
        lines = files[f"{stem}.tsv"].read_text(encoding="utf-8").split("\n")
        fields = [line.split("\t") for line in lines if line]
        rows[stem] = [(labels, identifier, tidy(text)) for text, labels, identifier in fields]
    return rows


def arrange(columns: dict[str, list]) -> dict[str, list]:
    """Put names in place of the labels' numbers."""
    labels = [[LABELS[int(number)] for number in cell.split(",")] for cell in columns["labels"]]
    return {"text": columns["text"], "label": labels, "id": columns["id"]}


def _published(stem: str, sha256: str):
    return github("monologg/GoEmotions-pytorch", _COMMIT, f"data/original/{stem}.tsv", sha256)


SET = RealSet(
    name="goemotions",
    form=Tables(files=FILES, columns=("labels", "id", "text"), convert=convert, arrange=arrange),
    labels=LABELS,
    multi_label=True,
    remote=(
        _published("train", "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5"),
        _published("dev", "575489c079c9de1097062a01738f998590d6b7ead66dd1c9fd1d2ba01fd8bc62"),
        _published("test", "0587b2dd8b27b97352adbfc3fb083d46005c8946657fdc2b1ca8b1cc7f1f8be4"),
    ),
    sha256="8651fc636da2be60bd1fb8e57d2c7b3dda0907f433979694769ac4160c249064",
    licence="Apache-2.0",
    permissive=True,
    source="https://github.com/monologg/GoEmotions-pytorch",
    citation="Demszky et al. 2020, GoEmotions: A Dataset of Fine-Grained Emotions, ACL",
)
