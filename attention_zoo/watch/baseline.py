"""What the attention of a model looks like on its normal data: a table beside a preset."""

import json
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooFileError, ZooValueError, need
from attention_zoo.files import read_json, replace_file, write_json
from attention_zoo.watch.columns import Columns
from attention_zoo.watch.windows import MAD

FORMAT = 1
QUANTILES = {"q01": 0.01, "q05": 0.05, "q95": 0.95, "q99": 0.99}
MEASURES = ("count", "mean", "std", "variance", "median", "spread", *QUANTILES)
PROFILE = "profile_"


@dataclass(frozen=True)
class Baseline:
    """Describe each statistic of each head over examples; made by `of`, or by `load`.

    Args:
        columns: what stands in which column.
        measures: by name, float64 [columns]: `count` of examples in which the statistic was a number, `mean`, `std` and
            `variance` (of the examples, not of the mean), `median`, `spread` (1.4826 x the median distance from the
            median: the standard deviation of a normal distribution, but deaf to outliers), quantiles `q01`, `q05`,
            `q95`, `q99`. All but the count are NaN where the count is 0: there the statistic is not defined.
        about: what the user noted: model, data, commit ....
    """

    columns: Columns
    measures: dict[str, np.ndarray]
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, statistics: Mapping[str, Any], **about: Any) -> "Baseline":
        """Measure statistics of examples.

        Args:
            statistics: by site, [examples, heads, statistics].
            **about: kept with it; what JSON can write.

        Raises:
            ZooValueError: if there is no example, or shapes are wrong.
        """
        columns = Columns.of(statistics)
        table = columns.table(statistics)
        if not len(table):
            raise ZooValueError("statistics must hold at least one example, got none")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column of NaN gives NaN, as it should
            mean, median = np.nanmean(table, axis=0), np.nanmedian(table, axis=0)
            quantiles = np.nanquantile(table, list(QUANTILES.values()), axis=0)
            variance = np.nanvar(table, axis=0)
            spread = MAD * np.nanmedian(np.abs(table - median), axis=0)
        count = np.isfinite(table).sum(axis=0).astype(np.float64)
        rest = dict(zip(QUANTILES, quantiles))
        measures = {"count": count, "mean": mean, "std": np.sqrt(variance), "variance": variance}
        return cls(columns, {**measures, "median": median, "spread": spread, **rest}, about)

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat table: one row for each statistic of each head."""
        return [
            {
                "site": self.columns.heads[owner][0],
                "head": self.columns.heads[owner][1],
                "statistic": name,
                **{measure: float(values[place]) for measure, values in self.measures.items()},
                "count": int(self.measures["count"][place]),
            }
            for place, (owner, name) in enumerate(zip(self.columns.owners, self.columns.names))
        ]

    def drift(self, statistics: Mapping[str, Any]) -> dict[str, list[float]]:
        """Return how far the profiles of distances have moved from the baseline's.

            distance = sqrt(H((p + q) / 2) - (H(p) + H(q)) / 2), entropy H in bits

        Args:
            statistics: by site, [examples, heads, statistics]; p is the mean of the profiles of all examples.

        Returns:
            by site that mixes positions, the Jensen-Shannon distance of each head: 0 the same, 1 nothing in common; NaN
            where a profile has no weight at all.

        Raises:
            ZooValueError: if a site is missing or shapes are wrong.

        Source: Lin 1991; Endres, Schindelin 2003 (the root is a metric).
        """
        table = self.columns.table(statistics)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            mean = np.nanmean(table, axis=0)
        profile = np.array([name.startswith(PROFILE) for name in self.columns.names])
        found: dict[str, list[float]] = {}
        for place, (site, _) in enumerate(self.columns.heads):
            ours = profile & (self.columns.owners == place)
            if ours.any():
                found.setdefault(site, []).append(_distance(mean[ours], self.measures["mean"][ours]))
        return found

    def save(self, path: str | os.PathLike) -> Path:
        """Write it, whole or not at all.

        Args:
            path: `.json` (no package is needed), or `.parquet` (one row for each statistic of each head).

        Raises:
            ZooValueError: if the name ends otherwise.
            ZooImportError: for parquet, if pyarrow is not installed.
            ZooFileError: if it cannot be written.
        """
        if _kind(path) == ".parquet":
            return self._write_parquet(path)
        measures = {name: [_plain(value) for value in values.tolist()] for name, values in self.measures.items()}
        told = {"about": self.about, "sites": self.columns.described(), "measures": measures}
        return write_json(path, {"format": FORMAT, **told})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Baseline":
        """Read what `save` wrote.

        Raises:
            ZooValueError: if the name ends in neither `.json` nor `.parquet`.
            ZooImportError: for parquet, if pyarrow is not installed.
            ZooFileError: if it is missing, damaged or of another format.
        """
        told = _read_parquet(path) if _kind(path) == ".parquet" else read_json(path, format=FORMAT)
        try:
            columns = Columns.restored(told["sites"])
            # NumPy reads None, which stands for NaN in JSON, as NaN.
            measures = {name: np.array(told["measures"][name], np.float64) for name in MEASURES}
            about = dict(told["about"])
        except (KeyError, TypeError, ValueError) as error:
            raise ZooFileError(f"{path} is no baseline, or damaged ({error})") from error
        if any(values.shape != (len(columns),) for values in measures.values()):
            raise ZooFileError(f"{path} is damaged: its measures are not of {len(columns)} columns")
        return cls(columns, measures, about)

    def _write_parquet(self, path: str | os.PathLike) -> Path:
        arrow, parquet = need("pyarrow", "parquet"), need("pyarrow.parquet", "parquet")
        told = json.dumps({"format": FORMAT, "about": self.about, "sites": self.columns.described()})
        table = arrow.Table.from_pylist(self.rows()).replace_schema_metadata({"attention_zoo": told})
        return replace_file(path, lambda file: parquet.write_table(table, file))


def _read_parquet(path: str | os.PathLike) -> dict[str, Any]:
    arrow, parquet = need("pyarrow", "parquet"), need("pyarrow.parquet", "parquet")
    if not Path(path).is_file():
        raise ZooFileError(f"{path} is missing")
    try:
        table = parquet.read_table(path)
        told = json.loads((table.schema.metadata or {})[b"attention_zoo"])
        measures = {name: table.column(name).to_pylist() for name in MEASURES}
    except (arrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise ZooFileError(f"{path} is no baseline, or damaged ({error})") from error
    if told.get("format") != FORMAT:
        raise ZooFileError(f"{path} must have format {FORMAT}, got {told.get('format')!r}")
    return {**told, "measures": measures}


def _kind(path: str | os.PathLike) -> str:
    kind = Path(path).suffix.lower()
    if kind not in (".json", ".parquet"):
        raise ZooValueError(f"path must end in .json or .parquet, got {str(path)!r}")
    return kind


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _distance(found: np.ndarray, normal: np.ndarray) -> float:
    """Return the Jensen-Shannon distance of two profiles, each scaled to sum to 1."""
    total = np.array([np.sum(found), np.sum(normal)])
    if not np.all(total > 0):
        return math.nan
    p, q = found / total[0], normal / total[1]
    divergence = _entropy((p + q) / 2.0) - (_entropy(p) + _entropy(q)) / 2.0
    return math.sqrt(max(divergence, 0.0))


def _entropy(shares: np.ndarray) -> float:
    known = shares[shares > 0]
    return float(-(known * np.log2(known)).sum())
