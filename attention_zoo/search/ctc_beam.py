"""Search over the texts that the steps of a recognizer add up to, with a language model beside them."""

import dataclasses
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.search.ctc import BLANK, SILENT, checked
from attention_zoo.search.settings import EOS_ID

NEVER = -np.inf


@dataclasses.dataclass(frozen=True)
class CtcDecoding:
    """Settings of a prefix beam search.

    score(text) = log p_ctc(text) + language_weight x log p_language(text) + bonus x units + word_bonus x words

    Raises:
        ZooValueError: if a number is out of its range or a name is unknown.
        ZooTypeError: if something is no number.
    """

    beam: int = 10  # texts kept alive at each step
    nbest: int = 1  # texts handed back, at most `beam`
    least: float = 1e-4  # units less likely than this at a step do not begin there (probability); 0 looks at all
    language_weight: float = 0.0  # share of the language model's log-probability that is added
    bonus: float = 0.0  # added for each unit (nats), against the language model's liking for short texts
    word_bonus: float = 0.0  # added for each word (nats); wants a separator
    separator: int | None = None  # id of the unit between words
    blank: int = BLANK  # id of the blank
    eos_id: int = EOS_ID  # id under which the language model knows the end
    banned: tuple[int, ...] = SILENT  # ids that are never said

    def __post_init__(self) -> None:
        whole_number("beam", self.beam, unit="texts")
        whole_number("nbest", self.nbest, unit="texts")
        if self.nbest > self.beam:
            raise ZooValueError(f"nbest must be at most beam ({self.beam}), got {self.nbest}")
        for name in ("blank", "eos_id", *(("separator",) if self.separator is not None else ())):
            whole_number(name, getattr(self, name), least=0)
        for name in ("least", "language_weight", "bonus", "word_bonus"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ZooTypeError(f"{name} must be a number, got {type(value).__name__}")
            if not np.isfinite(value) or (value < 0 and "bonus" not in name):
                raise ZooValueError(f"{name} must be finite and, but for a bonus, at least 0, got {value!r}")
        if self.least >= 1:
            raise ZooValueError(f"least must be under 1 (probability), got {self.least!r}")
        if self.word_bonus and self.separator is None:
            raise ZooValueError("word_bonus wants a separator, the id of the unit between words, got None")
        object.__setattr__(self, "banned", tuple(whole_number("banned", one, least=0) for one in self.banned))

    def change(self, **changes: Any) -> "CtcDecoding":
        """Return these settings with some changed."""
        return self.from_config({**self.get_config(), **changes})

    def get_config(self) -> dict[str, Any]:
        """Return the settings as plain values that JSON can hold."""
        return {**dataclasses.asdict(self), "banned": list(self.banned)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "CtcDecoding":
        """Make settings of what `get_config` gave."""
        names = [field.name for field in dataclasses.fields(cls)]
        for name in config:
            if name not in names:
                raise unknown("setting of decoding", name, names)
        return cls(**config)


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """A text that a search found.

    Args:
        token_ids: its units.
        score: what the search ranks by.
        ctc: log-probability of the units by the recognizer alone: over the paths that the search followed, so never
            above the exact one.
        language: log-probability by the language model, its end counted; 0 without one.
    """

    token_ids: tuple[int, ...]
    score: float
    ctc: float
    language: float = 0.0


def prefix_beam(
    log_probabilities: np.ndarray, settings: CtcDecoding | None = None, language: Any = None
) -> list[list[Hypothesis]]:
    """Find the likeliest texts of each utterance: paths that say the same are added up.

    A text keeps two numbers, the log-probability that it ends in a blank here and that it ends in its last unit here:
    only after a blank does the same unit begin anew. At each step a text stays as it is or grows by one unit; those
    that become equal are joined, and the best `beam` live on.

    Args:
        log_probabilities: float [batch, steps, vocabulary].
        settings: of the search; None takes the usual ones.
        language: a language model, with `start() -> state`, `scores(state) -> [vocabulary]`, log-probabilities of what
            comes next, the end among it, and `follow(state, token_id) -> state`; None for none.

    Returns:
        for each utterance at most `nbest` texts, best first.

    Raises:
        ZooValueError: if the array has not three axes, or settings and language model contradict each other.

    Cost: about 30 operations of NumPy on beam x vocabulary numbers a step; with peaked probabilities fewer.
    Source: Graves 2006, "Connectionist Temporal Classification", section 3.2 (prefix search); Hannun, Maas, Jurafsky,
        Ng 2014, arXiv:1408.2873, algorithm 1. Differs: score and language model are kept apart until the ranking.
    """
    settings = settings or CtcDecoding()
    chances = checked(log_probabilities, 3)
    if settings.language_weight and language is None:
        raise ZooValueError(f"language_weight {settings.language_weight} wants a language model, got None")
    if settings.blank >= chances.shape[2]:
        raise ZooValueError(f"blank must be under the vocabulary's {chances.shape[2]}, got {settings.blank}")
    if not settings.language_weight:
        language = None
    return [_Search(one.astype("float64"), settings, language).run() for one in chances]


class _Texts:
    """All texts that a search has met, as a tree: each is its parent and one unit more."""

    def __init__(self, settings: CtcDecoding, language: Any, size: int) -> None:
        self.settings, self.language, self.size = settings, language, size
        self.parents, self.units, self.known = [-1], [-1], {}
        self.worths = [0.0]  # all that is added to the recognizer's log-probability so far
        self.told = [0.0]  # of it, the language model's log-probability, not yet weighed
        self.states = [language.start() if language else None]
        self.nexts: dict[int, np.ndarray] = {}
        self.fixed = np.full(size, settings.bonus)
        self.open = settings.separator is not None and settings.separator < size and bool(settings.word_bonus)

    def child(self, text: int, unit: int) -> int:
        """Return the number of a text with one unit more."""
        key = (text, unit)
        if key not in self.known:
            self.known[key] = len(self.parents)
            self.worths.append(self.worths[text] + float(self.added(text)[unit]))
            if self.language:
                self.told.append(self.told[text] + float(self.scores(text)[unit]))
                self.states.append(self.language.follow(self.states[text], unit))
            else:
                self.told.append(0.0)
            self.parents.append(text)
            self.units.append(unit)
        return self.known[key]

    def scores(self, text: int) -> np.ndarray:
        """Return the language model's log-probabilities of what comes after a text."""
        return np.asarray(self.language.scores(self.states[text]), "float64")

    def added(self, text: int) -> np.ndarray:
        """Return what each unit adds to the worth of a text, beside its sound: [vocabulary]."""
        if text not in self.nexts:
            value = self.fixed
            if self.language:
                value = value + self.settings.language_weight * self.scores(text)[: self.size]
            if self.open and self.units[text] in (-1, self.settings.separator):
                # A word begins: what is no separator adds it.
                value = value + self.settings.word_bonus
                value[self.settings.separator] -= self.settings.word_bonus
            self.nexts[text] = value
        return self.nexts[text]

    def end(self, text: int) -> float:
        """Return the language model's log-probability that nothing comes after a text."""
        return float(self.scores(text)[self.settings.eos_id]) if self.language else 0.0

    def ids(self, text: int) -> tuple[int, ...]:
        """Return the units of a text."""
        said = []
        while text:
            said.append(self.units[text])
            text = self.parents[text]
        return tuple(said[::-1])


class _Search:
    """The search of one utterance."""

    def __init__(self, chances: np.ndarray, settings: CtcDecoding, language: Any) -> None:
        self.chances, self.settings = chances, settings
        self.texts = _Texts(settings, language, chances.shape[1])
        allowed = np.ones(chances.shape[1], bool)
        allowed[[one for one in (settings.blank, *settings.banned) if one < len(allowed)]] = False
        least = np.log(settings.least) if settings.least else NEVER
        self.begin = allowed & (chances > least)
        self.plain = not (language or settings.bonus or settings.word_bonus)

    def run(self) -> list[Hypothesis]:
        """Go through all steps, and return the best texts."""
        self.living, self.last = [0], np.array([-1])
        # Log-probability of ending in a blank, in the last unit, and of either.
        self.blank, self.unit, self.both = np.zeros(1), np.full(1, NEVER), np.zeros(1)
        # -inf - -inf happens where a text cannot be; the maximum then leaves it at that.
        with np.errstate(invalid="ignore", divide="ignore"):
            for chances, begin in zip(self.chances, self.begin):
                self._step(chances, np.flatnonzero(begin))
        texts, settings = self.texts, self.settings
        ends = [texts.end(text) for text in self.living]
        worths = [texts.worths[text] + settings.language_weight * end for text, end in zip(self.living, ends)]
        scores = self.both + worths
        found = []
        for place in np.argsort(-scores, kind="stable")[: settings.nbest]:
            text = self.living[place]
            told = texts.told[text] + ends[place]
            found.append(Hypothesis(texts.ids(text), float(scores[place]), float(self.both[place]), told))
        return found

    def _step(self, chances: np.ndarray, units: np.ndarray) -> None:
        blank, unit = self.both + chances[self.settings.blank], self.unit + chances[self.last]
        unit[self.last < 0] = NEVER
        if not len(units):
            self.blank, self.unit, self.both = blank, unit, np.logaddexp(blank, unit)
            return
        # What grows goes on from either end, but from a blank alone where the unit is said again.
        grown = np.where(units == self.last[:, None], self.blank[:, None], self.both[:, None]) + chances[units]
        self._join(grown, units, unit)
        stays, width = np.logaddexp(blank, unit), len(units)
        values, worths = np.concatenate([stays, grown.ravel()]), None
        if self.plain:
            ranks = values
        else:
            worths = np.array([self.texts.worths[text] for text in self.living])
            added = np.stack([self.texts.added(text)[units] for text in self.living])
            ranks = values + np.concatenate([worths, (worths[:, None] + added).ravel()])
        kept = _best(ranks, self.settings.beam)
        old, new = kept[kept < len(stays)], kept[kept >= len(stays)] - len(stays)
        children = [self.texts.child(self.living[row], int(units[column])) for row, column in zip(*divmod(new, width))]
        nothing, said = np.full(len(new), NEVER), grown.ravel()[new]
        self.living = [self.living[place] for place in old] + children
        self.last = np.concatenate([self.last[old], units[new % width]])
        self.blank, self.unit = np.concatenate([blank[old], nothing]), np.concatenate([unit[old], said])
        self.both = np.concatenate([stays[old], said])

    def _join(self, grown: np.ndarray, units: np.ndarray, unit: np.ndarray) -> None:
        """Give what grows into a living text to that text."""
        places = {text: place for place, text in enumerate(self.living)}
        columns = {int(one): column for column, one in enumerate(units)}
        for place, text in enumerate(self.living):
            row, column = places.get(self.texts.parents[text]), columns.get(self.texts.units[text])
            if row is not None and column is not None:
                unit[place] = np.logaddexp(unit[place], grown[row, column])
                grown[row, column] = NEVER


def _best(ranks: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the `count` largest that can be, in order of place."""
    if len(ranks) > count:
        places = np.sort(np.argpartition(-ranks, count - 1)[:count])
    else:
        places = np.arange(len(ranks))
    possible = places[ranks[places] > NEVER]
    return possible if len(possible) else places[:1]
