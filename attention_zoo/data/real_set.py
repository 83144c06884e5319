"""How a real data set is described: one such description for each file of this folder that is named after a set."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attention_zoo.data.dataset import Split


@dataclass(frozen=True)
class RemoteFile:
    """A file as its owner publishes it.

    Args:
        name: what it is called while it lies here.
        url: public address (https), of one fixed version.
        sha256: of its bytes.
    """

    name: str
    url: str
    sha256: str


class Form(ABC):
    """How sets of one form lie in a folder: which files there are, how they are read, and what they are made of."""

    @abstractmethod
    def missing(self, folder: Path) -> str | None:
        """Return the name of the first file that `folder` lacks, None where it has all."""

    @abstractmethod
    def read(self, folder: Path) -> dict[str, Split]:
        """Read the splits, in order.

        Raises:
            ZooFileError: if a file is missing, cut, damaged or not as it should be; names it.
        """

    @abstractmethod
    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Write the set's files into an empty folder, out of the published files by name."""


@dataclass(frozen=True)
class RealSet:
    """A published data set: where it is, how it is read, and what may be done with it.

    Args:
        name: short name.
        form: how it lies in a folder.
        remote: the published files; none where it can only be read out of the user's folder.
        sha256: `Dataset.sha256` of the whole set, or those of its versions where it is about in several; None where the
            form checks each file's own sum.
        licence, permissive, source, citation, multi_label: as in `Dataset`.
        raw: column that a model reads, "text", "image" or "sound" (with a column "text" in the place of labels); "pair"
            where every column is the same text in another language, and there are no labels; "row" where a model reads
            several columns, of "image", "audio" and "text"; "history" where it reads what a user chose, in order.
        labels: all labels in output order; None where the train split names them (then sorted), or has none.
        folder: what the set's folder is called in the user's own data; the set's name where it is "".
    """

    name: str
    form: Form
    remote: tuple[RemoteFile, ...]
    sha256: str | tuple[str, ...] | None
    licence: str
    permissive: bool
    source: str
    citation: str = field(repr=False)
    raw: str = "text"
    labels: tuple[str, ...] | None = None
    multi_label: bool = False
    folder: str = ""

    @property
    def own_name(self) -> str:
        """What the set's folder is called in the user's own data."""
        return self.folder or self.name


def github(repository: str, commit: str, path: str, sha256: str) -> RemoteFile:
    """Describe a file of a GitHub repository at one commit."""
    url = f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"
    return RemoteFile(path.rsplit("/", 1)[-1], url, sha256)
