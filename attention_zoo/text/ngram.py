"""A language model that counts: how likely a unit is after the few before it."""

import io
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooFileError, ZooValueError, unknown
from attention_zoo.files import read_bytes, write_bytes

PAD_ID, BEGIN_ID, END_ID = 0, 2, 3
FORMAT = 1
# Log-probability of what is never said; finite, so that a weight of 0 leaves nothing of it.
NEVER = -1e9
# Rows of probabilities kept in memory; they are made again when wanted.
KEPT = 20_000
# Discounts where counts are too few to estimate them, as KenLM's `--discount_fallback` takes them.
FALLBACK = (0.5, 1.0, 1.5)

Context = tuple[int, ...]


class NGram:
    """Give the probability of each unit after the last `order` - 1, and of the end.

    p(unit | context) = share(unit, context) + rest(context) p(unit | context without its first)

    down to an even spread over the vocabulary. Units are ids: 0 pads and 2 begins a text, neither is ever said; 3 ends
    a text. Make one by `train` or `load`.

    Args:
        order: units that are looked at together, the next one among them.
        vocabulary_size: number of ids.
        tables: for each context its units int [entries], their shares float [entries], and its rest.

    Source: Jelinek, Mercer 1980 (interpolation).
    """

    def __init__(
        self, order: int, vocabulary_size: int, tables: Mapping[Context, tuple[np.ndarray, np.ndarray, float]]
    ) -> None:
        self.order, self.vocabulary_size, self.tables = order, vocabulary_size, dict(tables)
        even = np.full(vocabulary_size, 1.0 / max(vocabulary_size - 2, 1))
        even[[PAD_ID, BEGIN_ID]] = 0.0
        self._even = even
        self._logs: dict[Context, np.ndarray] = {}

    @classmethod
    def train(
        cls, rows: Iterable[Sequence[int]], order: int, vocabulary_size: int, smoothing: str = "kneser_ney"
    ) -> "NGram":
        """Count texts.

        Args:
            rows: ids of each text, without beginning, end and padding.
            order: units that are looked at together, the next one among them; at least 1.
            vocabulary_size: number of ids.
            smoothing: "kneser_ney" (modified, interpolated: lower orders count in how many contexts a unit is seen) or
                "witten_bell" (what is left to lower orders grows with the number of different followers). Measured on
                transcripts of an4 (letters; 848 to count, 100 of other speakers to foretell): perplexity 2.60 at order
                8 against 2.82 at order 5, the best of each.

        Raises:
            ZooValueError: if there is no text, an id is outside the vocabulary or none that can be said, or a number or
                name cannot work.

        Cost: texts x length x order steps of Python; memory for each different run of units.
        Source: Chen, Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling"; Kneser,
            Ney 1995; Witten, Bell 1991.
        """
        whole_number("order", order, unit="units")
        whole_number("vocabulary_size", vocabulary_size, least=4, unit="ids")
        if smoothing not in _SMOOTHINGS:
            raise unknown("smoothing", smoothing, _SMOOTHINGS)
        counts = _counted([_checked(row, vocabulary_size) for row in rows], order)
        if not counts[0]:
            raise ZooValueError("rows must hold at least one text, got none")
        tables: dict[Context, tuple] = {}
        for grams in _SMOOTHINGS[smoothing](counts):
            tables.update(grams)
        return cls(order, vocabulary_size, tables)

    def start(self) -> Context:
        """Return the state before the first unit."""
        return self._known((BEGIN_ID,))

    def follow(self, state: Context, token_id: int) -> Context:
        """Return the state after one unit more."""
        return self._known((*state, int(token_id)))

    def scores(self, state: Context) -> np.ndarray:
        """Return the log-probability of each id as the next one: float64 [vocabulary]; 3 is the end.

        What is never said has -1e9; the probabilities of the rest sum to 1. Not to be written to.
        """
        if state not in self._logs:
            if len(self._logs) >= KEPT:
                self._logs.clear()
            shares = self._shares(state)
            self._logs[state] = np.where(shares > 0, np.log(np.maximum(shares, 1e-300)), NEVER)
        return self._logs[state]

    def score(self, state: Context, token_id: int) -> tuple[float, Context]:
        """Return the log-probability of one unit, and the state after it."""
        return float(self.scores(state)[token_id]), self.follow(state, token_id)

    def total(self, row: Sequence[int]) -> float:
        """Return the log-probability of a text, its end counted."""
        total, state = 0.0, self.start()
        for token_id in row:
            one, state = self.score(state, token_id)
            total += one
        return total + float(self.scores(state)[END_ID])

    def perplexity(self, rows: Sequence[Sequence[int]]) -> float:
        """Return exp(- log-probability of all texts / number of their units and ends)."""
        rows = list(rows)
        return float(np.exp(-sum(map(self.total, rows)) / max(sum(len(row) + 1 for row in rows), 1)))

    def _known(self, context: Context) -> Context:
        """Return the longest end of a context that was seen; what lies before it changes nothing."""
        context = context[max(len(context) - self.order + 1, 0) :]
        while context and context not in self.tables:
            context = context[1:]
        return context

    def _shares(self, context: Context) -> np.ndarray:
        shares = self._even
        for length in range(len(context) + 1):
            ids, values, rest = self.tables.get(context[len(context) - length :], (None, None, None))
            if ids is not None:
                shares = shares * rest
                shares[ids] += values
        return shares

    def save(self, path: str | Path) -> Path:
        """Write the model to a file (.npz: arrays alone, nothing that runs).

        Raises:
            ZooFileError: if it cannot be written.
        """
        arrays = {"about": np.array([FORMAT, self.order, self.vocabulary_size])}
        levels = defaultdict(list)
        for context in sorted(self.tables):
            levels[len(context)].append(context)
        for length, contexts in levels.items():
            entries = [self.tables[context] for context in contexts]
            arrays[f"contexts.{length}"] = np.array(contexts, "uint32").reshape(len(contexts), length)
            arrays[f"sizes.{length}"] = np.array([len(ids) for ids, _, _ in entries], "uint32")
            arrays[f"ids.{length}"] = np.concatenate([ids for ids, _, _ in entries]).astype("uint32")
            arrays[f"shares.{length}"] = np.concatenate([values for _, values, _ in entries]).astype("float32")
            arrays[f"rests.{length}"] = np.array([rest for _, _, rest in entries], "float64")
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        return write_bytes(path, content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "NGram":
        """Read what `save` wrote.

        Raises:
            ZooFileError: if the file is missing, damaged or of another format.
        """
        content = read_bytes(path)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            form, order, size = (int(number) for number in arrays["about"])
            if form != FORMAT:
                raise ZooFileError(
                    f"{path} must have format {FORMAT}, got {form}; a newer attention-zoo may have written it"
                )
            return cls(order, size, dict(_entries(arrays, order, size)))
        except (KeyError, ValueError, IndexError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
            raise ZooFileError(f"{path} is damaged: it is no language model ({error})") from error


def _entries(arrays: Mapping[str, np.ndarray], order: int, size: int) -> Iterable[tuple[Context, tuple]]:
    """Return the tables of a file, entry by entry."""
    for length in range(order):
        if f"contexts.{length}" not in arrays:
            continue
        ids, shares = arrays[f"ids.{length}"].astype("int64"), arrays[f"shares.{length}"].astype("float64")
        sizes, rests = arrays[f"sizes.{length}"].astype("int64"), arrays[f"rests.{length}"]
        if len(ids) != sizes.sum() or len(ids) != len(shares) or (len(ids) and ids.max() >= size):
            raise ValueError(f"units of length {length} do not fit together")
        contexts = arrays[f"contexts.{length}"]
        ends = np.cumsum(sizes)
        for context, end, count, rest in zip(contexts.tolist(), ends, sizes, rests.tolist(), strict=True):
            # Shares were rounded: what is left over goes to the rest, so that all still sum to 1.
            part = shares[end - count : end]
            yield tuple(context), (ids[end - count : end], part * ((1.0 - rest) / part.sum()), rest)


def _checked(row: Sequence[int], size: int) -> list[int]:
    ids = [int(token_id) for token_id in row]
    for token_id in ids:
        if not 0 < token_id < size or token_id in (BEGIN_ID, END_ID):
            raise ZooValueError(f"rows must hold ids from 1 to {size - 1} but {BEGIN_ID} and {END_ID}, got {token_id}")
    return ids


def _counted(rows: Sequence[Sequence[int]], order: int) -> list[Counter]:
    """Count runs of 1, 2, ... `order` units that end in what is to be said."""
    counts: list[Counter] = [Counter() for _ in range(order)]
    for row in rows:
        units = (BEGIN_ID, *row, END_ID)
        for place in range(1, len(units)):
            for length in range(1, min(order, place + 1) + 1):
                counts[length - 1][units[place - length + 1 : place + 1]] += 1
    return counts


def _by_context(counts: Mapping[Context, int]) -> dict[Context, tuple[np.ndarray, np.ndarray]]:
    """Group runs by what stands before their last unit: ids and counts."""
    groups: dict[Context, list] = defaultdict(list)
    for gram, count in counts.items():
        groups[gram[:-1]].append((gram[-1], count))
    return {context: tuple(np.array(sorted(pairs)).T) for context, pairs in groups.items()}


def _witten_bell(counts: Sequence[Mapping]) -> Iterable[dict[Context, tuple]]:
    for grams in counts:
        tables = {}
        for context, (ids, seen) in _by_context(grams).items():
            total = seen.sum() + len(ids)
            tables[context] = (ids, seen / total, len(ids) / total)
        yield tables


def _kneser_ney(counts: Sequence[Mapping]) -> Iterable[dict[Context, tuple]]:
    for number, grams in enumerate(counts):
        if number + 1 < len(counts):
            before = Counter(gram[1:] for gram in counts[number + 1])
            # Nothing stands before a beginning: there the run itself is counted.
            grams = {gram: before[gram] if gram[0] != BEGIN_ID else seen for gram, seen in grams.items()}
        discounts = np.array([0.0, *_discounts(grams)])
        tables = {}
        for context, (ids, seen) in _by_context(grams).items():
            taken = discounts[np.minimum(seen, 3)]
            tables[context] = (ids, (seen - taken) / seen.sum(), taken.sum() / seen.sum())
        yield tables


def _discounts(grams: Mapping[Context, int]) -> tuple[float, float, float]:
    """Return what is taken from counts of 1, of 2, and of 3 and more (Chen and Goodman 1998)."""
    seen = Counter(grams.values())
    if not all(seen[count] for count in (1, 2, 3, 4)):
        return FALLBACK
    first = seen[1] / (seen[1] + 2 * seen[2])
    found = tuple(count - (count + 1) * first * seen[count + 1] / seen[count] for count in (1, 2, 3))
    return found if all(0 < one < count for count, one in zip((1, 2, 3), found)) else FALLBACK


_SMOOTHINGS = {"kneser_ney": _kneser_ney, "witten_bell": _witten_bell}
