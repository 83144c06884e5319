"""A folder of the user's own images as a data set: one folder for each label."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.errors import ZooFileError, ZooValueError

# Endings of the formats that `attention_zoo.vision` reads.
IMAGE_ENDINGS = (
    ".avif", ".bmp", ".dib", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
SPLIT_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
# What file managers leave in folders.
_LITTER = ("thumbs.db", "desktop.ini")


def read_image_folder(path: str | os.PathLike) -> Dataset:
    """Read a folder that holds one folder of images for each label.

        animals/cat/1.jpg  animals/dog/2.png                one split, "train"
        animals/train/cat/1.jpg  animals/test/dog/2.png     where there is a level train, val, test above the labels

    Folders within a label's folder belong to that label. Hidden files and folders (".name") are passed over; other
    files that are no images by their ending are left out, and a `UserWarning` says so. The images are not opened.

    Args:
        path: folder. The names of splits may also be training, valid, validation, dev, testing.

    Returns:
        A set of the columns "image" (paths as strings, sorted by label, then by name) and "label"; labels sorted.

    Raises:
        ZooFileError: if the folder is missing, is no folder, or cannot be read.
        ZooValueError: if there are no folders of labels, fewer than two labels, a label without images, or a label of
            val or test that train does not have.
    """
    path = Path(path)
    if not path.is_dir():
        raise ZooFileError(f"{path} {'is a file; read a table with read_table' if path.exists() else 'does not exist'}")
    folders = _splits(path)
    strays: list[str] = []
    found = {split: _labels(folder, strays) for split, folder in folders.items()}
    labels = tuple(sorted({label for images in found.values() for label in images}))
    first = next(iter(found))
    if len(labels) < 2:
        raise ZooValueError(f"{path} must hold folders of at least two labels, got {', '.join(labels) or 'none'}")
    for split, images in found.items():
        for label in images:
            if label not in found[first]:
                raise ZooValueError(f"label {label!r} of {folders[split]} is not one of {folders[first]}")
    if strays:
        more = f" and {len(strays) - 1:,} more" if len(strays) > 1 else ""
        warnings.warn(
            f"left out, being no image in the folder of a label: {strays[0]}{more}", UserWarning, stacklevel=2
        )
    return Dataset(
        path.absolute().name, {name: _split(images) for name, images in found.items()}, labels, source=str(path)
    )


def _splits(path: Path) -> dict[str, Path]:
    """Return the folder of each split, train first; the folder itself is train where it has no such level."""
    inside = _entries(path)[0]
    named = [folder for folder in inside if folder.name.lower() in SPLIT_NAMES]
    # A label may be called "train" as well: then its folder holds images, and no folders.
    level = [folder for folder in named if _entries(folder)[0]]
    if not level:
        return {"train": path}
    if len(level) < len(inside):
        others = ", ".join(folder.name for folder in inside if folder not in level)
        raise ZooValueError(f"{path} must hold either splits or labels, got {level[0].name} beside {others}")
    splits: dict[str, Path] = {}
    for folder in level:
        split = SPLIT_NAMES[folder.name.lower()]
        if split in splits:
            raise ZooValueError(f"{path} must hold one folder for {split}, got {splits[split].name} and {folder.name}")
        splits[split] = folder
    order = list(dict.fromkeys(SPLIT_NAMES.values()))
    return dict(sorted(splits.items(), key=lambda pair: order.index(pair[0])))


def _labels(path: Path, strays: list[str]) -> dict[str, list[str]]:
    """Return the images of each label, in order; what is none is added to `strays`."""
    folders, files = _entries(path)
    strays += map(str, files)
    if not folders:
        raise ZooValueError(f"{path} must hold a folder of images for each label, got {len(files)} files and no folder")
    found = {}
    for folder in folders:
        images = []
        for file in _files(folder):
            (images if file.suffix.lower() in IMAGE_ENDINGS else strays).append(str(file))
        if not images:
            raise ZooValueError(f"{folder} holds no image; images end in {', '.join(IMAGE_ENDINGS)}")
        found[folder.name] = images
    return found


def _files(path: Path) -> Iterator[Path]:
    folders, files = _entries(path)
    yield from files
    for folder in folders:
        if not folder.is_symlink():  # it might lead back up
            yield from _files(folder)


def _entries(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files of a folder, sorted, without what is hidden."""
    try:
        inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        folders = [entry for entry in inside if entry.is_dir()]
    except OSError as error:
        raise ZooFileError(f"{path} cannot be read: {error.strerror or error}") from error
    known = set(folders)
    return folders, [entry for entry in inside if entry not in known and entry.name.lower() not in _LITTER]


def _split(images: dict[str, list[str]]) -> Split:
    pairs = [(path, label) for label, paths in images.items() for path in paths]
    return Split({"image": [path for path, _ in pairs], "label": [label for _, label in pairs]})
