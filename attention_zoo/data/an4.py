"""AN4 (the Census database): people who spell names and addresses, say digits, dates and command words, at 16 kHz.

Columns are "sound" (bytes of a file), "text" (words in capitals, a letter that is spelled being a word) and "speaker".
`test` is the official one, 130 utterances of 10 speakers. `val` is all that 8 of the 74 speakers of the official train
split say (104 utterances): `numpy.random.default_rng(0).permutation(74)[:8]` of their sorted names.

CMU's own address (http://www.speech.cs.cmu.edu/databases/an4/) is without https, and so the same archive is downloaded
from the copy that NVIDIA keeps for the tutorials of NeMo; its sha256 is checked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from attention_zoo.data import packed
from attention_zoo.data.dataset import Split
from attention_zoo.data.real_set import Form, RealSet, RemoteFile
from attention_zoo.data.zips import as_flac, read_tar, read_zip, sound_of, write_zip
from attention_zoo.errors import ZooFileError

ARCHIVE = "an4_sphere.tar.gz"
HELD = ("fjam", "fsaf2", "mbmg", "mdcs2", "meab", "mrjc2", "mrmg", "msrb")  # speakers of the validation split
_ENDINGS = (".flac", ".opus")
COLUMNS = ("utt_id", "speaker", "n_samples", "text")
_FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}


@dataclass(frozen=True)
class Utterances(Form):
    """For each official split `an4_<split>.zip` with the sounds, and `an4_<split>.tsv.gz` that says who says what.

    Args:
        held: speakers of train that are the split "val".
    """

    held: tuple[str, ...]

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        names = [f"an4_{split}{ending}" for split in _FOLDERS for ending in (".tsv.gz", ".zip")]
        return next((name for name in names if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read train, val and test; sounds are the bytes of files."""
        whole = {split: _read(folder, split) for split in _FOLDERS}
        speakers = whole["train"]["speaker"]
        held = [row for row, speaker in enumerate(speakers) if speaker in self.held]
        rest = [row for row, speaker in enumerate(speakers) if speaker not in self.held]
        return {"train": whole["train"].rows(rest), "val": whole["train"].rows(held), "test": whole["test"]}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Compress the published sounds without loss, and pack the transcripts, in order of speaker and name."""
        path = files[ARCHIVE]
        inside = read_tar(path, lambda name: name.endswith((".sph", ".transcription")))
        for split, sub in _FOLDERS.items():
            lines = _content(inside, f"an4/etc/an4_{split}.transcription", path).decode("utf-8").splitlines()
            rows, sounds = [], []
            for name, speaker, text in sorted(_spoken(lines), key=lambda row: (row[1], row[0])):
                where = f"an4/wav/{sub}/{speaker}/{name}.sph"
                flac, samples = as_flac(_content(inside, where, path), f"{path}: {where}")
                rows.append((name, speaker, str(samples), text))
                sounds.append((f"{name}.flac", flac))
            packed.write(folder / f"an4_{split}.tsv.gz", COLUMNS, rows)
            write_zip(folder / f"an4_{split}.zip", sounds)


def _read(folder: Path, split: str) -> Split:
    table, path = folder / f"an4_{split}.tsv.gz", folder / f"an4_{split}.zip"
    columns, files = packed.read(table), read_zip(path)
    if set(columns) != set(COLUMNS):
        raise ZooFileError(f"{table} must have the columns {', '.join(COLUMNS)}, got {', '.join(columns)}")
    sounds = [sound_of(files, name, _ENDINGS, path) for name in columns["utt_id"]]
    return Split({"sound": sounds, "text": columns["text"], "speaker": columns["speaker"]})


def _spoken(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (name, speaker, text) of lines such as `<s> ENTER SIX </s> (an1-mxyz-b)`."""
    for line in lines:
        if line.strip():
            text, _, name = line.strip().removesuffix(")").rpartition("(")
            words = [word for word in text.split() if word not in ("<s>", "</s>")]
            yield name, name.split("-")[1], " ".join(words)


def _content(inside: Mapping[str, bytes], name: str, path: Path) -> bytes:
    if name not in inside:
        raise ZooFileError(f"{path} must hold {name}; it is missing")
    return inside[name]


SET = RealSet(
    name="an4",
    form=Utterances(HELD),
    remote=(
        RemoteFile(
            ARCHIVE,
            f"https://dldata-public.s3.us-east-2.amazonaws.com/{ARCHIVE}",
            "a0525579493735d32b60fb6fa5975dd0eaacde087b0a4eeb7f13b7ef33077b12",
        ),
    ),
    sha256=(
        "4179a2024982ea9a4a9a9d21b819ecd5f2dd0c25ed754e6751c4e7bb87a13456",
        "a0b56d9b415cb3a3ffdd655d646bad9b2da44618fd473af947a21cf7aa0a940a",
    ),
    licence="AN4 License Terms (free for any purpose; keep the notice of Carnegie Mellon University)",
    permissive=True,
    source="http://www.speech.cs.cmu.edu/databases/an4/",
    citation="Acero 1993, Acoustical and Environmental Robustness in Automatic Speech Recognition, Kluwer",
    raw="sound",
)
