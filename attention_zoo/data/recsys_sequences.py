"""Amazon Beauty, 5-core: 198,502 reviews of 12,101 products by 22,363 people, in order; without times and names.

Every person has at least five products and every product five persons. As papers do: the last item of each person is
the test, the one before it validation, all items are ranked. The split "items" is the catalogue; 33 of its items were
only chosen in val or test.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from attention_zoo.data.dataset import Split
from attention_zoo.data.formats import read_text
from attention_zoo.data.history_splits import leave_one_out
from attention_zoo.data.npz import read_npz
from attention_zoo.data.real_set import Form, RealSet, github
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import replace_file
from attention_zoo.recsys.histories import Histories

FILE, PUBLISHED = "amazon_beauty_5core_s3rec.npz", "Beauty.txt"
_COMMIT = "2a81540ae18615d88ef88227b0c066e5b74781e5"


@dataclass(frozen=True)
class Sequences(Form):
    """One npz: `items` (int32, from 1) and `offset` (int64 [users + 1]); user u has items[offset[u]:offset[u + 1]].

    Args:
        file: its name.
        published: name of the published file: on each line a user and his items, oldest first, separated by blanks.
        sums: sha256 of the bytes of `items` and then `offset` (little-endian), by the file's name; not checked where
            the file has none.
    """

    file: str
    published: str
    sums: Mapping[str, str] = field(default_factory=dict)

    def missing(self, folder: Path) -> str | None:
        """Return the file's name where `folder` lacks it."""
        return None if (folder / self.file).is_file() else self.file

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the histories, leave the last two items of each out, and add the catalogue."""
        path = folder / self.file
        found = read_npz(path, ["items", "offset"])
        items, offsets = found["items"], found["offset"]
        known = self.sums.get(self.file)
        if known is not None and (got := digest(items, offsets)) != known:
            raise ZooFileError(f"{path} is damaged or changed: the sha256 of its arrays must be {known}, got {got}")
        try:
            histories = Histories.cut(items.astype(np.int64), offsets)
        except (ZooValueError, TypeError, ValueError) as error:
            raise ZooFileError(f"{path} is damaged: {error}") from error
        splits = leave_one_out(list(range(1, len(histories) + 1)), histories)
        return {**splits, "items": Split({"item": np.unique(items).tolist()})}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Write the npz out of the published lines."""
        path = files[self.published]
        try:
            rows = [[int(word) for word in line.split()[1:]] for line in read_text(path).splitlines() if line.strip()]
            items = np.array([item for row in rows for item in row], np.int32)
        except (ValueError, OverflowError) as error:
            raise ZooFileError(f"{path} is damaged: a line must be whole numbers: {error}") from error
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        replace_file(folder / self.file, lambda file: np.savez_compressed(file, items=items, offset=offsets))


def digest(items: np.ndarray, offsets: np.ndarray) -> str:
    """Return the sha256 of the contents of a set, whatever way they are compressed."""
    found = hashlib.sha256(np.ascontiguousarray(items, "<i4").tobytes())
    found.update(np.ascontiguousarray(offsets, "<i8").tobytes())
    return found.hexdigest()


SET = RealSet(
    name="amazon_beauty",
    form=Sequences(FILE, PUBLISHED, {FILE: "92a7fa56a9a903e1c59af1e8f052f53b7732d62a92c33d55451e5e0e32f9e4e6"}),
    remote=(
        github(
            "RUCAIBox/CIKM2020-S3Rec",
            _COMMIT,
            f"data/{PUBLISHED}",
            "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
        ),
    ),
    sha256=None,
    licence="research use (none is stated, neither for the file nor for the reviews behind it)",
    permissive=False,
    source="https://github.com/RUCAIBox/CIKM2020-S3Rec",
    citation="McAuley et al. 2015, Image-Based Recommendations on Styles and Substitutes, SIGIR; numbered by Zhou et "
    "al. 2020, arXiv:2008.07873",
    raw="history",
    folder="recsys_sequences",
)
