"""Reuters-21578 R8: news-wire texts of eight topics."""

from collections.abc import Mapping
from pathlib import Path

from attention_zoo.data.packed import Tables, tidy
from attention_zoo.data.real_set import RealSet, github

FILES = {"train": "train", "test": "test"}
_COMMIT = "962223652e9bb164ac2d83cd09fc7b8845ce860b"


def convert(files: Mapping[str, Path]) -> dict[str, list[tuple[str, str]]]:
    """Return (topic, text) rows of each split."""
    rows = {}
    for stem in FILES.values():
        lines = files[f"{stem}.txt"].read_text(encoding="utf-8").split("\n")
        rows[stem] = [tuple(tidy(field) for field in line.split("\t")) for line in lines if line]
    return rows


SET = RealSet(
    name="reuters_r8",
    form=Tables(files=FILES, columns=("label", "text"), convert=convert),
    remote=(
        github(
            "yao8839836/text_gcn",
            _COMMIT,
            "data/R8/train.txt",
            "3ed60c905aaa95b96c3fc4afb6d14ad2e20106c59c5b9dda950dcb3075eecfbe",
        ),
        github(
            "yao8839836/text_gcn",
            _COMMIT,
            "data/R8/test.txt",
            "2ba368c42e6808bc3dc68b8f7879eb07a2810ed137f0b304e2213b689677e561",
        ),
    ),
    sha256="868f82d4dfd0bfe1d0a49eb18c88e634a5f3017b42659afa4a982a7dfffae26a",
    licence="none stated; research use",
    permissive=False,
    source="https://github.com/yao8839836/text_gcn",
    citation="Lewis 1997, Reuters-21578; split R8 as in Yao et al. 2019, Graph Convolutional Networks for Text "
    "Classification, AAAI",
)
