"""How a real data set is described: one such description for each file of this folder that is named after a set."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


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


def _as_read(columns: dict[str, list]) -> dict[str, list]:
    return columns


@dataclass(frozen=True)
class RealSet:
    """A published data set: where it is, how it is read, and what may be done with it.

    Args:
        name: short name.
        labels: all labels in output order; None where the train split names them (then sorted).
        files: file (without its ending) of each split, by the split's name.
        columns: columns of those files, in order.
        remote: the published files.
        convert: makes the rows of each file (in the order of `columns`) out of the published files.
        sha256: `Dataset.sha256` of the whole set.
        licence, permissive, source, citation, multi_label: as in `Dataset`.
        arrange: makes the columns of a `Split` out of those of a file.
    """

    name: str
    files: Mapping[str, str]
    columns: tuple[str, ...]
    remote: tuple[RemoteFile, ...]
    convert: Callable[[Mapping[str, Path]], Mapping[str, Iterable[tuple[str, ...]]]] = field(repr=False)
    sha256: str
    licence: str
    permissive: bool
    source: str
    citation: str = field(repr=False)
    labels: tuple[str, ...] | None = None
    multi_label: bool = False
    arrange: Callable[[dict[str, list]], dict[str, list]] = field(default=_as_read, repr=False)


def github(repository: str, commit: str, path: str, sha256: str) -> RemoteFile:
    """Describe a file of a GitHub repository at one commit."""
    url = f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"
    return RemoteFile(path.rsplit("/", 1)[-1], url, sha256)
