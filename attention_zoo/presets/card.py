"""What a preset is, what it was trained on, how good it is, and the checksum of each of its files."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from attention_zoo.errors import ZooFileError, unknown
from attention_zoo.files import read_json, write_json

CARD = "card.json"
REQUIRED = ("config.json", "weights.npz")
CHUNK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Card:
    """Describe one preset: the contents of its `card.json`, and a row of `list_models`.

    Args:
        name: the name that `load` takes.
        family: the model family ("text_classifier").
        description: one sentence for a person who chooses a model.
        data: what it was trained on; empty when untrained.
        licence: the licence of the weights ("CC BY 3.0", "research use").
        permissive: True when that licence allows commercial use and redistribution.
        split: which splits trained, tuned and tested it.
        seed: the seed of the shipped weights.
        command: the command that gives the metrics again.
        metrics: measure to number, on the test split.
        backend_difference: largest measured difference between two backends' scores (probability; of items, logits).
        attention: name of the attention that it is made of.
        parameters: number of trained numbers; 0 when unknown.
        bytes: size of all files but the card (bytes).
        trained: False for an architecture that has no weights yet.
        files: relative path to SHA-256 (hexadecimal) of every file but the card.
    """

    name: str
    family: str
    description: str = ""
    data: str = ""
    licence: str = ""
    permissive: bool = False
    split: str = ""
    seed: int | None = None
    command: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    backend_difference: float | None = None
    attention: str = ""
    parameters: int = 0
    bytes: int = 0
    trained: bool = False
    files: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "the card") -> "Card":
        """Build a card from the contents of a `card.json`.

        Args:
            values: field name to value.
            source: where they come from, for the sentence of an error.

        Raises:
            ZooValueError: if a field is unknown; the sentence holds the nearest names.
            ZooFileError: if a field is missing or of the wrong kind.
        """
        known = {entry.name: entry for entry in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise unknown(f"{source}: field", name, known)
        for name in ("name", "family"):
            if not values.get(name):
                raise ZooFileError(f"{source}: field {name!r} is missing")
        for name, value in values.items():
            if not _fits(name, value):
                raise ZooFileError(f"{source}: field {name!r} must be {_kind(name)}, got {value!r}")
        return cls(**values)

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Card":
        """Read `card.json` of a preset folder, without looking at the other files.

        Args:
            folder: the preset's folder.

        Raises:
            ZooFileError: if `card.json` is missing, not JSON, or holds a field of the wrong kind.
            ZooValueError: if it holds an unknown field.
        """
        path = Path(folder) / CARD
        return cls.from_dict(read_json(path), str(path))

    def write(self, folder: str | Path) -> "Card":
        """Write `card.json` for the files that lie in `folder` now; compute `bytes` and `files`.

        Args:
            folder: the preset's folder, complete but for its card.

        Returns:
            The card as written.

        Raises:
            ZooFileError: if the folder lacks a file that every preset has, or cannot be written.
        """
        folder = Path(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
        names = [path.relative_to(folder).as_posix() for path in paths]
        for name in REQUIRED:
            if name not in names:
                raise ZooFileError(f"{folder} is not a complete preset: {name} is missing")
        files = {name: sha256(path) for name, path in zip(names, paths)}
        card = dataclasses.replace(self, files=files, bytes=sum(path.stat().st_size for path in paths))
        write_json(folder / CARD, dataclasses.asdict(card))
        return card

    def verify(self, folder: str | Path) -> None:
        """Check that every file of the card is in `folder` and unchanged.

        Args:
            folder: the preset's folder.

        Raises:
            ZooFileError: for the first file that is missing, damaged, or whose path leaves the folder.
        """
        for name in (*REQUIRED, *self.files):
            if name not in self.files:
                raise ZooFileError(f"{Path(folder) / CARD} does not list {name}, which every preset has")
            path = inside(folder, name)
            if not path.is_file():
                raise ZooFileError(f"preset {self.name!r} is damaged: {path} is missing")
            if sha256(path) != self.files[name].lower():
                raise ZooFileError(f"preset {self.name!r} is damaged: the SHA-256 of {path} is not the one of its card")


# The kinds of the fields, for one sentence where a card was written by hand.
_TEXT = ("name", "family", "description", "data", "licence", "split", "command", "attention")
_FLAGS = ("permissive", "trained")
_TABLES = ("metrics", "files")


def _kind(name: str) -> str:
    if name in _TEXT:
        return "a string"
    if name in _FLAGS:
        return "true or false"
    if name == "files":
        return "a table of relative path to SHA-256"
    return "a table" if name in _TABLES else "a number"


def _fits(name: str, value: object) -> bool:
    if name in _TEXT:
        return isinstance(value, str)
    if name in _FLAGS:
        return isinstance(value, bool)
    if name in _TABLES:
        return isinstance(value, dict) and (name != "files" or all(isinstance(entry, str) for entry in value.values()))
    if value is None:
        return name in ("seed", "backend_difference")
    return isinstance(value, int | float) and not isinstance(value, bool)


def inside(folder: str | Path, name: str) -> Path:
    """Return the path of `name` in `folder`, or refuse it when it would leave the folder.

    Args:
        folder: the folder.
        name: a relative path with forward slashes, as cards and archives write it.

    Raises:
        ZooFileError: if `name` is empty or absolute, has a drive or a backslash, or climbs with `..`.
    """
    parts = PurePosixPath(name).parts
    # Checked as text, not by resolving: the Hugging Face cache holds links out of its snapshot folders.
    if not parts or parts[0] == "/" or ".." in parts or "\\" in name or "\0" in name or PureWindowsPath(name).drive:
        raise ZooFileError(f"the path {name!r} leaves the preset's folder {folder}")
    return Path(folder, *parts)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Args:
        path: the file.

    Raises:
        ZooFileError: if it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ZooFileError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
