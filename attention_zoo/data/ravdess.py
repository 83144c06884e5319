"""RAVDESS, speech: 24 actors say two sentences in eight emotions; sound, face and text of the same 1,440 clips.

Columns are "image" (float32 [35]: how strong 17 action units of the face are, 0 to 5, and the share of frames in which
18 of them are there, each the mean over the frames of the video), "audio" (bytes of an Ogg Opus file, 16 kHz), "text"
(what is said, the same in every emotion), "label" (the emotion), "intensity" (normal, strong), "sex" (female, male),
"actor", "statement" (1, 2) and "clip" (its name). RAVDESS has no official split, and so the one split, "train", holds
all rows; `fold(dataset, i)` splits it by actors.

Nobody publishes these files in this form: they are read out of the user's folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attention_zoo.checks import whole_number
from attention_zoo.data import packed
from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.npz import check_sums, read_npz
from attention_zoo.data.real_set import Form, RealSet
from attention_zoo.data.zips import read_zip, sound_of
from attention_zoo.errors import ZooFileError, ZooValueError

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
TABLE, FACES, SOUNDS = "ravdess_speech.tsv.gz", "ravdess_face_au.npz", "ravdess_speech_16k.zip"
COLUMNS = ("utt_id", "actor", "sex", "emotion", "intensity", "statement", "repetition", "n_samples", "text")
INTENSITIES = {"1": "normal", "2": "strong"}
# Actors of each fold. These are the folds of Luna-Jimenez et al. 2021 (Sensors 21, 7665), so that scores can be laid
# beside theirs and those of others who took them. Odd actors are men: in no fold do men and women differ by more than
# one.
FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)


@dataclass(frozen=True)
class Clips(Form):
    """A table of the clips, their action units in its order, and a zip of their sounds.

    Args:
        sums: sha256 of each file by its name; no file is checked that has none.
    """

    sums: Mapping[str, str] = field(default_factory=dict)

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        return next((name for name in (TABLE, FACES, SOUNDS) if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read all clips; sounds are the bytes of files."""
        check_sums(folder, self.sums)
        rows, faces = packed.read(folder / TABLE), read_npz(folder / FACES, ("utt_id", "au"))
        if set(rows) != set(COLUMNS):
            raise ZooFileError(f"{folder / TABLE} must have the columns {', '.join(COLUMNS)}, got {', '.join(rows)}")
        if faces["utt_id"].tolist() != rows["utt_id"] or faces["au"].ndim != 2:
            raise ZooFileError(f"{folder / FACES} must have one row of action units for each row of {TABLE}")
        if strange := sorted({*rows["emotion"]} - {*LABELS} | {*rows["intensity"]} - {*INTENSITIES}):
            raise ZooFileError(f"{folder / TABLE} is damaged: {strange[0]!r} is no emotion and no intensity")
        files = read_zip(folder / SOUNDS)
        audio = [sound_of(files, name, (".opus",), folder / SOUNDS) for name in rows["utt_id"]]
        columns = {
            "image": faces["au"].astype("float32"),
            "audio": audio,
            "text": rows["text"],
            "label": rows["emotion"],
        }
        columns["intensity"] = [INTENSITIES[each] for each in rows["intensity"]]
        columns |= {name: rows[name] for name in ("sex", "actor", "statement")}
        return {"train": Split({**columns, "clip": rows["utt_id"]})}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Refuse: there are no published files to write these out of."""
        raise ZooFileError(f"{folder} cannot be filled: {', '.join((TABLE, FACES, SOUNDS))} are not published")


def fold(dataset: Dataset, number: int) -> tuple[Split, Split, Split]:
    """Return one of the five splits by actors: nobody who is tested was ever heard or seen in training.

    Args:
        dataset: `data.load("ravdess")`.
        number: 0 to 4.

    Returns:
        (train, val, test): test is fold `number`, val the one after it (after the last the first), train the others.

    Raises:
        ZooValueError: if there is no such fold.
    """
    if whole_number("number", number, 0, "fold") >= len(FOLDS):
        raise ZooValueError(f"number must be from 0 to {len(FOLDS) - 1} (fold), got {number}")
    rows = dataset["train"]
    fold_of = {str(actor): place for place, actors in enumerate(FOLDS) for actor in actors}
    places = [(fold_of[actor] - number) % len(FOLDS) for actor in rows["actor"]]
    parts = {"train": range(2, len(FOLDS)), "val": (1,), "test": (0,)}
    train, val, test = (rows.rows(row for row, at in enumerate(places) if at in part) for part in parts.values())
    return train, val, test


SET = RealSet(
    name="ravdess",
    form=Clips(
        {
            TABLE: "b4d16a09108e8905269311aff93715cab8725f353a859eafe87b3913132078ac",
            FACES: "d1168aa7b8600be77d4666646f8a5f6569537372218923155a2e48d768a66881",
            SOUNDS: "267ace0b3ff55bbf93da768de2b39acdb671c2abaea29e9da52aaf6d2cd1dc5c",
        }
    ),
    remote=(),
    sha256=None,
    licence="CC BY-NC-SA 4.0 (non-commercial, share-alike; the copies that these files were made of state none)",
    permissive=False,
    source="https://zenodo.org/records/1188976",
    citation="Livingstone, Russo 2018, The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), PLoS "
    "ONE 13(5); action units by OpenFace 2.0, Baltrusaitis et al. 2018",
    raw="row",
    labels=LABELS,
)
