"""CMU-MOSI as features of utterances: 93 videos in which somebody gives an opinion of a film; for measuring only.

Columns are "image" (float32 [100], of a 3D convolutional network), "audio" (float32 [73], of openSMILE), "text"
(float32 [100], of a convolutional network), "transcript" (the words), "label" (the sentiment: negative or positive) and
"conversation" (the video). Rows of a video follow one another as they were said. `test` is the official one (752
utterances of 31 videos). `val` is the last 10 of the 62 videos of the official train split by their sorted names (219
utterances), `train` the other 52.

The text features come from a network that its authors trained on the labels of the official train split, `val` among
them: a score on `val` is too good where text is read, and only `test` says what is true.

Nobody publishes this file in this form: it is read out of the user's folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attention_zoo.data.dataset import Split
from attention_zoo.data.npz import check_sums, read_npz
from attention_zoo.data.real_set import Form, RealSet
from attention_zoo.errors import ZooFileError

LABELS = ("negative", "positive")
FILE = "cmu_mosi_utterance_features.npz"
HELD_VIDEOS = 10  # of the official train split, for validation
_FEATURES = {"image": "video", "audio": "audio", "text": "text"}
_OTHER = ("label", "ids", "transcripts")


@dataclass(frozen=True)
class Utterances(Form):
    """One npz with the features, labels, names ("VIDEO_k") and words of both splits.

    Args:
        held: videos of train that are the split "val".
        sums: sha256 of each file by its name; no file is checked that has none.
    """

    held: int
    sums: Mapping[str, str] = field(default_factory=dict)

    def missing(self, folder: Path) -> str | None:
        """Return the file's name where `folder` lacks it."""
        return None if (folder / FILE).is_file() else FILE

    def read(self, folder: Path) -> dict[str, Split]:
        """Read train, val and test, the utterances of each video in their order."""
        check_sums(folder, self.sums)
        train, test = (_read(folder / FILE, split) for split in ("train", "test"))
        videos = sorted(set(train["conversation"]))
        held = set(videos[max(len(videos) - self.held, 0) :])
        kept, val = (
            train.rows(row for row, video in enumerate(train["conversation"]) if (video in held) is wanted)
            for wanted in (False, True)
        )
        return {"train": kept, "val": val, "test": test}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Refuse: there is no published file to write this out of."""
        raise ZooFileError(f"{folder} cannot be filled: {FILE} is not published")


def _read(path: Path, split: str) -> Split:
    names = {name: f"{split}_{name}" for name in (*_FEATURES.values(), *_OTHER)}
    found = read_npz(path, list(names.values()))
    arrays = {name: found[inside] for name, inside in names.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1 or not set(arrays["label"].tolist()) <= {0, 1}:
        raise ZooFileError(f"{path} is damaged: the arrays of {split} do not belong together: {lengths}")
    places = [_place(path, name) for name in arrays["ids"].tolist()]
    order = sorted(range(len(places)), key=places.__getitem__)
    columns = {column: arrays[name].astype("float32")[order] for column, name in _FEATURES.items()}
    return Split(
        {
            **columns,
            "transcript": [str(arrays["transcripts"][row]) for row in order],
            "label": [LABELS[arrays["label"][row]] for row in order],
            "conversation": [places[row][0] for row in order],
        }
    )


def _place(path: Path, name: str) -> tuple[str, int]:
    """Return the video of an utterance, and the how manieth it is there."""
    video, _, number = name.rpartition("_")
    if not video or not number.isdecimal():
        raise ZooFileError(f"{path} is damaged: {name!r} must be the name of a video, '_' and a number")
    return video, int(number)


SET = RealSet(
    name="cmu_mosi_features",
    form=Utterances(HELD_VIDEOS, {FILE: "d554050c1709f12d336e16729778a09c14524e3af796b6960d08613f11152ef1"}),
    remote=(),
    sha256=None,
    licence="research use (MIT for the features; CMU-MOSI itself states none)",
    permissive=False,
    source="https://github.com/declare-lab/multimodal-deep-learning",
    citation="Zadeh et al. 2016, arXiv:1606.06259; features of Poria et al. 2017, Context-Dependent Sentiment Analysis "
    "in User-Generated Videos, ACL",
    raw="row",
    labels=LABELS,
)
