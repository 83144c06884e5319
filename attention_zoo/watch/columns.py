"""Which column of a table holds which statistic of which head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.watch.names import GATE, MIX, names_of


@dataclass(frozen=True)
class Columns:
    """The order of all statistics of all heads of some sites, the columns of one head side by side.

    Args:
        sites: name, number of heads, and names of the statistics of each.
    """

    sites: tuple[tuple[str, int, tuple[str, ...]], ...]

    @classmethod
    def of(cls, statistics: Mapping[str, Any]) -> "Columns":
        """Read sites and heads off statistics of examples.

        Args:
            statistics: by site, [examples, heads, statistics].

        Raises:
            ZooTypeError: if it is no mapping.
            ZooValueError: if there is no site, or the shape of one is wrong.
        """
        _check(statistics)
        return cls(tuple((site, np.shape(one)[1], names_of(one)) for site, one in statistics.items()))

    @cached_property
    def heads(self) -> tuple[tuple[str, int], ...]:
        """Site and number of each head."""
        return tuple((site, head) for site, heads, _ in self.sites for head in range(heads))

    @cached_property
    def owners(self) -> np.ndarray:
        """Place in `heads` of the head of each column, int [columns]; it never falls."""
        widths = [len(names) for _, heads, names in self.sites for _ in range(heads)]
        return np.repeat(np.arange(len(widths)), widths)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of the statistic of each column."""
        return tuple(name for _, heads, names in self.sites for _ in range(heads) for name in names)

    @cached_property
    def starts(self) -> np.ndarray:
        """First column of each head, int [heads]."""
        return np.flatnonzero(np.diff(self.owners, prepend=-1))

    def __len__(self) -> int:
        return len(self.names)

    def table(self, statistics: Mapping[str, Any]) -> np.ndarray:
        """Put statistics of examples into one table.

        Args:
            statistics: by site, [examples, heads, statistics]; sites that are not among these columns are left out.

        Returns:
            float64 [examples, columns]; NaN where a statistic is not finite.

        Raises:
            ZooTypeError: if it is no mapping.
            ZooValueError: if a site is missing or has other heads, or examples are not equally many at all sites.
        """
        _check(statistics)
        parts = []
        for site, heads, names in self.sites:
            if site not in statistics:
                raise ZooValueError(f"statistics must hold the site {site!r}, got {', '.join(sorted(statistics))}")
            one = np.asarray(statistics[site], np.float64)
            if one.shape[1:] != (heads, len(names)):
                raise ZooValueError(
                    f"statistics of {site!r} must be [examples, {heads} heads, {len(names)}], got {list(one.shape)}"
                )
            parts.append(one.reshape(len(one), heads * len(names)))
        counts = {len(part) for part in parts}
        if len(counts) > 1:
            raise ZooValueError(f"statistics must be of equally many examples at each site, got {sorted(counts)}")
        table = np.concatenate(parts, axis=1)
        table[~np.isfinite(table)] = np.nan
        return table

    def split(self, table: np.ndarray) -> dict[str, np.ndarray]:
        """Undo `table`: return [examples, heads, statistics] by site."""
        found, start = {}, 0
        for site, heads, names in self.sites:
            end = start + heads * len(names)
            found[site] = table[:, start:end].reshape(len(table), heads, len(names))
            start = end
        return found

    def by_site(self, values: Sequence[Any]) -> dict[str, list[Any]]:
        """Sort one value for each head into lists, by site."""
        values = iter(values)
        return {site: [next(values) for _ in range(heads)] for site, heads, _ in self.sites}

    def described(self) -> list[dict[str, Any]]:
        """Return what `restored` reads, as JSON can write it."""
        return [{"site": site, "heads": heads, "names": list(names)} for site, heads, names in self.sites]

    @classmethod
    def restored(cls, entries: Sequence[Mapping[str, Any]]) -> "Columns":
        """Build from what `described` gave."""
        return cls(tuple((str(one["site"]), int(one["heads"]), tuple(map(str, one["names"]))) for one in entries))


def _check(statistics: Any) -> None:
    if not isinstance(statistics, Mapping):
        raise ZooTypeError(f"statistics must be a mapping from site to array, got {type(statistics).__name__}")
    if not statistics:
        raise ZooValueError("statistics must hold at least one site, got none")
    for site, one in statistics.items():
        shape = np.shape(one)
        if len(shape) != 3 or shape[1] < 1 or shape[2] not in (len(MIX), len(GATE)):
            raise ZooValueError(
                f"statistics of {site!r} must be [examples, heads, {len(MIX)} or {len(GATE)}], got {list(shape)}"
            )
