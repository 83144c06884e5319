"""Multi30k, task 1: captions of photographs in English, with their translations into German and French.

Row i of every column is the same sentence, untokenised and in true case. `test` is `test_2016_flickr`, which papers
report. The captions were written for Flickr30k; neither they nor their translations come with a licence.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attention_zoo.data.dataset import Split
from attention_zoo.data.formats import read_text
from attention_zoo.data.real_set import Form, RealSet, github
from attention_zoo.errors import ZooFileError, ZooValueError

FILES = {"train": "train", "val": "val", "test": "test_2016_flickr"}
LANGUAGES = ("en", "de", "fr")
_COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"


@dataclass(frozen=True)
class SideBySide(Form):
    """One compressed text file for each split and language, a sentence a line: `<file>.<language>.txt.gz`.

    Args:
        files: what the files of each split begin with, by the split's name.
        languages: columns of a split, and endings of the files.
    """

    files: Mapping[str, str]
    languages: tuple[str, ...]

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        names = (self._name(stem, language) for stem in self.files.values() for language in self.languages)
        return next((name for name in names if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the files, and check that those of one split have as many lines."""
        splits = {}
        for split, stem in self.files.items():
            columns = {language: _lines(folder / self._name(stem, language)) for language in self.languages}
            counts = {language: len(lines) for language, lines in columns.items()}
            if len(set(counts.values())) > 1:
                raise ZooFileError(f"files {stem}.* of {folder} must have as many lines as each other, got {counts}")
            splits[split] = Split(columns)
        return splits

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Keep the published files, `<file>.<language>.gz`, as they are."""
        for stem in self.files.values():
            for language in self.languages:
                shutil.copyfile(files[f"{stem}.{language}.gz"], folder / self._name(stem, language))

    def _name(self, stem: str, language: str) -> str:
        return f"{stem}.{language}.txt.gz"


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path).removesuffix("\n").split("\n")
    except ZooValueError as error:
        raise ZooFileError(str(error)) from error


def _published(name: str, sha256: str):
    return github("multi30k/dataset", _COMMIT, f"data/task1/raw/{name}.gz", sha256)


SET = RealSet(
    name="multi30k",
    form=SideBySide(FILES, LANGUAGES),
    remote=(
        _published("train.en", "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
        _published("train.de", "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
        _published("train.fr", "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
        _published("val.en", "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
        _published("val.de", "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
        _published("val.fr", "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
        _published("test_2016_flickr.en", "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
        _published("test_2016_flickr.de", "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
        _published("test_2016_flickr.fr", "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"),
    ),
    sha256="685d773086db7c33377ed5d25dbd72c4032ac78af2f73b82f12e48930b524781",
    licence="research use (Multi30k states none for its texts)",
    permissive=False,
    source="https://github.com/multi30k/dataset",
    citation="Elliott, Frank, Sima'an, Specia 2016, Multi30K: Multilingual English-German Image Descriptions, VL; "
    "Elliott et al. 2017, Findings of the Second Shared Task on Multimodal Machine Translation and Multilingual Image "
    "Description, WMT",
    raw="pair",
)
