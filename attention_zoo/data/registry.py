"""The real data sets by name."""

from pathlib import Path

from attention_zoo.data import (
    an4,
    cifar10,
    cifar10_webp,
    clinc150,
    cmu_mosi,
    fashion_mnist,
    fsdd,
    goemotions,
    imdb,
    multi30k,
    ravdess,
    recsys_sequences,
    reuters_r8,
    sst2,
    store,
)
from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.real_set import RealSet
from attention_zoo.errors import ZooFileError, ZooValueError, unknown

_TEXTS = (clinc150, goemotions, imdb, sst2, reuters_r8)
_IMAGES = (fashion_mnist, cifar10, cifar10_webp)
_PARALLEL = (multi30k,)
_SOUNDS = (an4, fsdd)
_ROWS = (ravdess, cmu_mosi)
_HISTORIES = (recsys_sequences,)
_ALL = (*_TEXTS, *_IMAGES, *_PARALLEL, *_SOUNDS, *_ROWS, *_HISTORIES)
REAL_SETS = {module.SET.name: module.SET for module in _ALL}
SAMPLES = Path(__file__).parent / "samples"


def names(raw: str | None = None) -> list[str]:
    """Return the names of the real data sets.

    Args:
        raw: "text" or "image" for those of texts or of images with labels, "pair" for those of texts in several
            languages, "sound" for those of speech with transcripts, "row" for those of image, audio and text with
            labels, "history" for those of what people chose in order; None for all.
    """
    return [name for name, real_set in REAL_SETS.items() if raw in (None, real_set.raw)]


def load(name: str, sample: bool = False) -> Dataset:
    """Load a real data set by name; downloads it once where no folder has it.

    Args:
        name: one of `names()`.
        sample: True takes the small real sample that comes with the package (clinc150, goemotions,
            fashion_mnist, an4, fsdd): no network.

    Returns:
        The set, its texts or images and its labels (of parallel texts and of sounds: all columns) checked against their
        known sha256 (the sample is not checked).

    Raises:
        ZooValueError: if the name is unknown, or there is no sample of it.
        ZooFileError: if it cannot be found or downloaded, or its files are damaged or changed.
    """
    if name not in REAL_SETS:
        raise unknown("data set", name, REAL_SETS)
    real_set = REAL_SETS[name]
    if sample:
        if not (SAMPLES / name).is_dir():
            known = ", ".join(each for each in REAL_SETS if (SAMPLES / each).is_dir())
            raise ZooValueError(f"sample=True works for {known}; no sample of {name} is bundled")
        return _read(real_set, SAMPLES / name, sample=True)
    folder = store.find(real_set)
    dataset = _read(real_set, folder, sample=False)
    known = (real_set.sha256,) if isinstance(real_set.sha256, str) else real_set.sha256
    if known is not None and (got := dataset.sha256) not in known:
        raise ZooFileError(
            f"{name} in {folder} is damaged or changed: sha256 of its {_contents(real_set)} must be "
            f"{' or '.join(known)}, got {got}; delete that folder to get it anew"
        )
    return dataset


def _read(real_set: RealSet, folder: Path, sample: bool) -> Dataset:
    splits = real_set.form.read(folder)
    return Dataset(
        name=real_set.name,
        splits=splits,
        labels=real_set.labels or _labels(splits["train"]),
        multi_label=real_set.multi_label,
        licence=real_set.licence,
        permissive=real_set.permissive,
        source=real_set.source,
        citation=real_set.citation,
        sample=sample,
    )


def _labels(train: Split) -> tuple[str, ...]:
    return tuple(sorted(set(train["label"]))) if "label" in train.columns else ()


def _contents(real_set: RealSet) -> str:
    return {"pair": "texts", "sound": "sounds and texts"}.get(real_set.raw, f"{real_set.raw}s and labels")
