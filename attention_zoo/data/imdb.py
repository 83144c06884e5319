"""IMDB Large Movie Review Dataset: film reviews, negative or positive."""

import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from attention_zoo.data.packed import Tables, tidy
from attention_zoo.data.progress import LateBar
from attention_zoo.data.real_set import RealSet, RemoteFile

LABELS = ("neg", "pos")
ARCHIVE = "aclImdb_v1.tar.gz"
_REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/(\d+)_(\d+)\.txt")


def convert(files: Mapping[str, Path]) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return (label, id, rating, text) rows of each split, by label, then id.

    The archive is read as a stream: nothing of it is ever written to a path that it names.
    """
    rows: dict[str, list[tuple[str, str, str, str]]] = {"train": [], "test": []}
    path = files[ARCHIVE]
    with (
        open(path, "rb") as raw,
        LateBar("imdb: unpacking", path.stat().st_size) as bar,
        tarfile.open(fileobj=raw, mode="r|gz") as archive,
    ):
        for member in archive:
            bar.reach(raw.tell())
            review = _REVIEW.fullmatch(member.name) if member.isfile() else None
            if review:
                split, label, identifier, rating = review.groups()
                text = archive.extractfile(member).read().decode("utf-8")
                rows[split].append((label, identifier, rating, tidy(text)))
    return {split: sorted(found, key=lambda row: (row[0], int(row[1]))) for split, found in rows.items()}


SET = RealSet(
    name="imdb",
    form=Tables(files={"train": "train", "test": "test"}, columns=("label", "id", "rating", "text"), convert=convert),
    labels=LABELS,
    remote=(
        RemoteFile(
            ARCHIVE,
            f"https://ai.stanford.edu/~amaas/data/sentiment/{ARCHIVE}",
            "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        ),
    ),
    sha256="3314ec2639931d859a74a065adcb93f8f77f5ee9159e3acb5deebef6848ac07a",
    licence="none stated; research use",
    permissive=False,
    source="https://ai.stanford.edu/~amaas/data/sentiment/",
    citation="Maas et al. 2011, Learning Word Vectors for Sentiment Analysis, ACL",
)
