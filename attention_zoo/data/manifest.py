"""The user's own recordings as a data set: a table of paths and transcripts, or a folder with both."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.folder import SPLIT_NAMES
from attention_zoo.data.formats import Row, find_column, read_rows, read_text
from attention_zoo.errors import ZooTypeError, ZooValueError

SOUND_NAMES = (
    "sound", "audio", "audio_filepath", "audio_file", "audio_path", "wav", "recording", "path", "file", "filename",
    "file_name", "filepath", "file_path", "sound_path", "clip",
)  # fmt: skip
TEXT_NAMES = (
    "text", "transcript", "transcription", "transcripts", "sentence", "utterance", "words", "normalized_text",
    "target", "label",
)  # fmt: skip
SOUND_ENDINGS = (
    ".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".sph", ".w64", ".wav", ".wave",
)  # fmt: skip
_TRANSCRIPTS = ".trans.txt"
_NAMED = 3  # files that a warning names


def read_speech(path: str | os.PathLike, sound: str | None = None, text: str | None = None) -> Dataset:
    """Read recordings and what is said in them.

        read_speech("manifest.tsv")                       columns by usual names, or: sound="clip", text="words"
        read_speech("recordings")                         recordings/a.wav beside recordings/a.txt, at any depth
        read_speech("LibriSpeech/dev-clean")              *.trans.txt: on each line a name and what is said
        recordings/train/..., recordings/test/...         where there is a level train, val, test

    Sounds stay paths: none is opened. Rows whose sound is no file, and sounds or rows without a transcript, are left
    out, and a `UserWarning` counts them and names the first three.

    Args:
        path: .csv, .tsv, .jsonl or .json, perhaps with .gz, UTF-8, whose first row names the columns; or a folder.
            Paths of a table begin at its folder unless they are absolute.
        sound: name of the column with the paths; None finds it by the usual names (`SOUND_NAMES`).
        text: name of the column with the transcripts; None finds it by the usual names (`TEXT_NAMES`).

    Returns:
        A set of the columns "sound" (paths as strings) and "text"; of one split, "train", where the folder has no such
        level. Hold a part of it out with `hold_out`.

    Raises:
        ZooValueError: if the table is empty, not UTF-8 or malformed, a column is unknown or cannot be found, or no row
            is left.
        ZooTypeError: if a cell is no text (names the line).
        ZooFileError: if the path is missing or cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        columns, rows = read_rows(path, "the path of a sound and its text")
        sound = find_column(path, columns, sound, "sound", SOUND_NAMES)
        text = find_column(path, columns, text, "text", tuple(name for name in TEXT_NAMES if name != sound))
        found = {"train": _of_rows(path, rows, sound, text)}
    elif sound is not None or text is not None:
        raise ZooValueError(f"sound and text name columns of a table, got {sound!r} and {text!r} for a folder")
    else:
        found = {name: list(_of_folder(folder)) for name, folder in _splits(path).items()}
    splits = {}
    for name, pairs in found.items():
        splits[name] = _kept(path, pairs)
    return Dataset(path.absolute().name, splits, source=str(path))


def _of_rows(path: Path, rows: list[Row], sound: str, text: str) -> list[tuple[str, str]]:
    cells = [(_cell(path, row, sound).strip(), _cell(path, row, text)) for row in rows]
    return [(os.path.join(path.parent, place) if place else "", said) for place, said in cells]


def _cell(path: Path, row: Row, column: str) -> str:
    value = row.values.get(column)
    if value is not None and not isinstance(value, str):
        raise ZooTypeError(f"{path} {row.place} column {column!r} must be text, got {value!r}")
    return value or ""


def _splits(path: Path) -> dict[str, Path]:
    """Return the folder of each split; the folder itself is train where it has no such level."""
    inside = sorted(entry for entry in path.iterdir() if entry.is_dir() and entry.name.lower() in SPLIT_NAMES)
    found = {SPLIT_NAMES[entry.name.lower()]: entry for entry in inside}
    if len(found) < len(inside):
        raise ZooValueError(f"{path} must hold one folder for each split, got {', '.join(e.name for e in inside)}")
    order = list(dict.fromkeys(SPLIT_NAMES.values()))
    return dict(sorted(found.items(), key=lambda pair: order.index(pair[0]))) or {"train": path}


def _of_folder(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (sound, transcript) of a folder and those within, in order; "" where there is none."""
    for place, folders, names in os.walk(path):  # links to folders are not followed: they might lead back up
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here, names = Path(place), sorted(name for name in names if not name.startswith("."))
        sounds = {os.path.splitext(name)[0]: name for name in names if name.lower().endswith(SOUND_ENDINGS)}
        said = {}
        for name in names:
            if name.lower().endswith(_TRANSCRIPTS):
                said |= dict(_lines(here / name))
        for stem in sorted({*sounds, *said}):
            beside = here / f"{stem}.txt"
            text = said.get(stem) or (read_text(beside) if beside.is_file() else "")
            yield os.path.join(place, sounds.get(stem, f"{stem}.flac")), text


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, transcript) of lines such as `84-121123-0000 GO DO YOU HEAR`."""
    for line in read_text(path).splitlines():
        name, _, text = line.strip().partition(" ")
        # A name that leads elsewhere names nothing of this folder.
        if name and os.path.basename(name) == name:
            yield name, text


def _kept(path: Path, pairs: list[tuple[str, str]]) -> Split:
    """Leave out what has no sound or no transcript, and say so."""
    lost = [place or "(no path)" for place, _ in pairs if not os.path.isfile(place)]
    silent = [place for place, text in pairs if os.path.isfile(place) and not text.strip()]
    kept = [(place, " ".join(text.split())) for place, text in pairs if os.path.isfile(place) and text.strip()]
    for missing, what in ((lost, "whose sound does not exist"), (silent, "without a transcript")):
        if missing and kept:
            more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
            message = f"left out of {path}: {len(missing):,} of {len(pairs):,} rows {what}: "
            warnings.warn(message + ", ".join(missing[:_NAMED]) + more, UserWarning, stacklevel=3)
    if not kept:
        raise ZooValueError(
            f"{path} must hold at least one sound with its transcript, got {len(lost):,} rows whose sound does not "
            f"exist (the first: {lost[0] if lost else 'none'}) and {len(silent):,} without a transcript"
        )
    return Split({"sound": [place for place, _ in kept], "text": [text for _, text in kept]})
