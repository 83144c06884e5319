"""CIFAR-10 (WebP q80): the images of CIFAR-10, lossily compressed; for measuring what helps, not for a published score.

Two files hold what is to be known: `cifar10_train.npz` and `cifar10_test.npz` with `webp` (uint8, all images one after
the other), `offset` (int64, image i is `webp[offset[i]:offset[i + 1]]`) and `label` (uint8). The images stay the bytes
of WebP files until a preprocessor decodes them (about 0.2 ms each). Their order is not the official one. Val is 5,000
of the train images, 500 of each label, drawn by `hold_out(train, 0.1, seed=0)`. Nobody publishes these files: they are
read out of the user's folder.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from attention_zoo.data.cifar10 import CITATION, LABELS, SHARE
from attention_zoo.data.dataset import Split
from attention_zoo.data.real_set import Form, RealSet
from attention_zoo.data.splitting import hold_out
from attention_zoo.errors import ZooFileError

_KINDS = {"webp": np.uint8, "offset": np.int64, "label": np.uint8}


@dataclass(frozen=True)
class WebpFiles(Form):
    """One npz file of WebP images for each split.

    Args:
        files: file of each split, by the split's name.
    """

    files: Mapping[str, str]

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        return next((name for name in self.files.values() if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read train, val and test; the images of a split are a list of bytes."""
        whole = {split: _read(folder / name) for split, name in self.files.items()}
        train, val = hold_out(whole.pop("train"), SHARE, seed=0)
        return {"train": train, "val": val, **whole}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Refuse: there are no published files to write these out of."""
        raise ZooFileError(f"{folder} cannot be filled: {', '.join(self.files.values())} are not published")


def _read(path: Path) -> Split:
    try:
        with np.load(path) as content:
            webp, offset, label = (content[name] for name in _KINDS)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error
    kinds = {"webp": webp.dtype, "offset": offset.dtype, "label": label.dtype}
    is_whole = kinds == _KINDS and len(offset) == len(label) + 1 and not (np.diff(offset) <= 0).any()
    if not is_whole or offset[0] != 0 or offset[-1] != len(webp) or label.max(initial=0) >= len(LABELS):
        raise ZooFileError(f"{path} is damaged: its webp, offset and label do not belong together")
    content, places = webp.tobytes(), offset.tolist()
    images = [content[start:end] for start, end in pairwise(places)]
    return Split({"image": images, "label": [LABELS[number] for number in label.tolist()]})


SET = RealSet(
    name="cifar10_webp",
    form=WebpFiles(files={"train": "cifar10_train.npz", "test": "cifar10_test.npz"}),
    remote=(),
    sha256="70cedc833d3ecbe4795c9beed0609be6916f94165cd0ca49c80463eeb1e3b65d",
    licence="none stated; research use",
    permissive=False,
    source="https://github.com/cyizhuo/CIFAR-10-dataset",
    citation=f"{CITATION}; re-encoded as WebP of quality 80",
    raw="image",
    labels=LABELS,
)
