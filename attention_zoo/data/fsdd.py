"""FSDD, the Free Spoken Digit Dataset: six people say the digits zero to nine, fifty times each, at 8 kHz.

Columns are "sound" (bytes of a FLAC file), "text" (the digit as a word) and "speaker". The split is the official one:
recordings 0 to 4 of each digit and speaker are `test` (300); of the others, 5 to 9 are `val` (300), the rest `train`
(2,400). All splits have the same six speakers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attention_zoo.data.dataset import Split
from attention_zoo.data.real_set import Form, RealSet, RemoteFile
from attention_zoo.data.zips import as_flac, read_tar, read_zip, write_zip
from attention_zoo.errors import ZooFileError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FIRST_TRAIN, FIRST_VAL = 10, 5  # recordings before are of val, and of test
_VERSION = "1.0.10"
ARCHIVE = f"free-spoken-digit-dataset-{_VERSION}.tar.gz"
_NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.flac")
_RECORDED = re.compile(rf"free-spoken-digit-dataset-{re.escape(_VERSION)}/recordings/([0-9]_[a-z]+_([0-9]+))\.wav")


@dataclass(frozen=True)
class Digits(Form):
    """`fsdd_train.zip` and `fsdd_test.zip` with files `{digit}_{speaker}_{index}.flac`."""

    files: tuple[str, ...] = ("fsdd_train.zip", "fsdd_test.zip")

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        return next((name for name in self.files if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read train, val and test; sounds are the bytes of files, in order of digit, speaker and index."""
        rows: dict[str, list[tuple]] = {"train": [], "val": [], "test": []}
        for file in self.files:
            for name, content in read_zip(folder / file).items():
                if not _NAME.fullmatch(name):
                    raise ZooFileError(f"{folder / file} must hold {{digit}}_{{speaker}}_{{index}}.flac, got {name!r}")
                digit, speaker, index = _NAME.fullmatch(name).groups()
                rows[split_of(name)].append((int(digit), speaker, int(index), content))
        splits = {}
        for split, found in rows.items():
            if not found:
                raise ZooFileError(f"{folder} must hold recordings of {split}, got none")
            digits, speakers, _, sounds = zip(*sorted(found))
            splits[split] = Split({"sound": sounds, "text": [WORDS[digit] for digit in digits], "speaker": speakers})
        return splits

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Compress the published sounds without loss."""
        inside = read_tar(files[ARCHIVE], lambda name: _RECORDED.fullmatch(name) is not None)
        sounds: dict[str, list[tuple[str, bytes]]] = {name: [] for name in self.files}
        for name, content in sorted(inside.items()):
            stem, index = _RECORDED.fullmatch(name).groups()
            flac, _ = as_flac(content, f"{files[ARCHIVE]}: {name}")
            sounds[self.files[int(index) < FIRST_VAL]].append((f"{stem}.flac", flac))
        for name, found in sounds.items():
            write_zip(folder / name, found)


def split_of(name: str) -> str:
    """Return the split of a recording by its name, `{digit}_{speaker}_{index}.flac`."""
    index = int(_NAME.fullmatch(name)[3])
    if index >= FIRST_TRAIN:
        return "train"
    return "val" if index >= FIRST_VAL else "test"


SET = RealSet(
    name="fsdd",
    form=Digits(),
    remote=(
        RemoteFile(
            ARCHIVE,
            f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v{_VERSION}.tar.gz",
            "feb479fad3a37883c3d21ed7f982281c2dd1c18d5aefd7e8a5d50f58023392aa",
        ),
    ),
    sha256="b0723b6aff60532d5dc2e6a6aefee8ea34b528a1388546d6925d11d675af2c1c",
    licence="CC BY-SA 4.0",
    permissive=True,
    source="https://github.com/Jakobovski/free-spoken-digit-dataset",
    citation=f"Jackson and contributors, Free Spoken Digit Dataset (FSDD), version {_VERSION}",
    raw="sound",
)
