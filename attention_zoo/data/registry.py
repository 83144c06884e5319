"""The real data sets by name."""

from pathlib import Path

from attention_zoo.data import clinc150, goemotions, imdb, packed, reuters_r8, sst2, store
from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.real_set import RealSet
from attention_zoo.errors import ZooFileError, ZooValueError, unknown

REAL_SETS = {module.SET.name: module.SET for module in (clinc150, goemotions, imdb, sst2, reuters_r8)}
SAMPLES = Path(__file__).parent / "samples"


def names() -> list[str]:
    """Return the name of every real data set."""
    return list(REAL_SETS)


def load(name: str, sample: bool = False) -> Dataset:
    """Load a real data set by name; downloads it once where no folder has it.

    Args:
        name: one of `names()`.
        sample: True takes the small real sample that comes with the package (clinc150, goemotions): no network.

    Returns:
        The set, its texts and labels checked against their known sha256 (the sample is not checked).

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
    if dataset.sha256 != real_set.sha256:
        raise ZooFileError(
            f"{name} in {folder} is damaged or changed: sha256 of its texts and labels must be "
            f"{real_set.sha256}, got {dataset.sha256}; delete that folder to get it anew"
        )
    return dataset


def _read(real_set: RealSet, folder: Path, sample: bool) -> Dataset:
    splits = {}
    for split, stem in real_set.files.items():
        path = packed.locate(folder, stem)
        if path is None:
            raise ZooFileError(f"{folder} must hold {stem}.tsv.gz (or .xz) of {real_set.name}; it is missing")
        columns = packed.read(path)
        if set(columns) != set(real_set.columns):
            raise ZooFileError(f"{path} must have the columns {', '.join(real_set.columns)}, got {', '.join(columns)}")
        splits[split] = Split(real_set.arrange(columns))
    return Dataset(
        name=real_set.name,
        splits=splits,
        labels=real_set.labels or tuple(sorted(set(splits["train"]["label"]))),
        multi_label=real_set.multi_label,
        licence=real_set.licence,
        permissive=real_set.permissive,
        source=real_set.source,
        citation=real_set.citation,
        sample=sample,
    )
