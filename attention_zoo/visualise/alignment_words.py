"""Which pieces of a text make a word, in any script; the columns of what has no words; a matrix over both."""

import functools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.segments import printable

if TYPE_CHECKING:
    from attention_zoo.text import Token

# Scripts without blanks between words: there each piece of the tokenizer is a word of its own.
UNSPACED = ("CJK", "HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO")
WITHIN_WORDS = "'’-‐‑"
WITHIN_NUMBERS = ".,:"


@dataclass(frozen=True)
class Word:
    """One or more pieces that are read as one.

    Attributes:
        text: what is shown.
        tokens: positions of its pieces, one after the other.
        start: first character in the text.
        end: one past the last.
        mark: True for what stands for no text, such as the end mark.
    """

    text: str
    tokens: tuple[int, ...]
    start: int
    end: int
    mark: bool = False


@dataclass(frozen=True)
class Axis:
    """Columns that are no words but even steps along a line, such as frames of sound.

    Args:
        count: columns.
        step: length of a column, in units.
        start: where the first column begins, in units.
        unit: of the numbers, such as "s"; may be empty.
        name: what is counted, such as "time".

    Raises:
        ZooValueError: if count is below 0, step is not above 0, or a number is not finite.
    """

    count: int
    step: float = 1.0
    start: float = 0.0
    unit: str = ""
    name: str = "position"

    def __post_init__(self) -> None:
        whole_number("count", self.count, 0, "columns")
        if not (math.isfinite(self.step) and self.step > 0):
            raise ZooValueError(f"step must be finite and above 0 (units of a column), got {self.step!r}")
        if not math.isfinite(self.start):
            raise ZooValueError(f"start must be finite (units), got {self.start!r}")

    def label(self, column: int) -> str:
        """Return the stretch that a column covers: "1.2 to 1.24 s"."""
        ends = (self.start + self.step * place for place in (column, column + 1))
        shown = " to ".join(f"{end:.{self.digits}f}" for end in ends)
        return f"{shown} {self.unit}".strip()

    @property
    def digits(self) -> int:
        """Digits after the point that tell each end of a column from the next."""
        least = max(0, -math.floor(math.log10(self.step)))
        exact = (digits for digits in range(least, least + 3) if round(self.step, digits) == self.step)
        return next(exact, least + 1)

    def __len__(self) -> int:
        return self.count


class WordMatrix(NamedTuple):
    """An alignment over words.

    Attributes:
        rows: words that are written.
        columns: words that are read, or an `Axis`.
        weights: float32 [rows, columns].
    """

    rows: tuple[Word, ...]
    columns: tuple[Word, ...] | Axis
    weights: np.ndarray


def words_of(text: str, tokens: Sequence["Token"], name: str = "tokens") -> tuple[Word, ...]:
    """Join the pieces of each word.

    A word is a run of letters and digits with the apostrophes, hyphens and decimal points inside it; each other sign
    is a word of its own. In scripts without blanks between words, each piece is one. A piece of blanks only belongs to
    the word after it. A piece without characters (start is end) is a mark, shown by its own text.

    Args:
        text: that the tokens are of.
        tokens: pieces with `text`, `start` and `end` (characters), in reading order.
        name: the argument, for the sentence.

    Raises:
        ZooValueError: if a token lies outside the text or before its predecessor.
    """
    text = printable(text)
    numbers = _word_numbers(text)
    words: list[Word] = []
    blanks: list[int] = []
    for place, (start, end) in enumerate(_spans(text, tokens, name)):
        shown = printable(tokens[place].text).strip()
        if start == end and not shown:
            blanks.append(place)
            continue
        if start == end:
            _close(words, blanks)
            words.append(Word(shown, (place,), start, end, True))
        else:
            if words and not words[-1].mark and numbers[words[-1].end - 1] == numbers[start]:
                last = words.pop()
                start, end, blanks = last.start, max(end, last.end), [*last.tokens, *blanks]
            words.append(Word(text[start:end], (*blanks, place), start, end))
        blanks = []
    _close(words, blanks)
    return tuple(words)


def over_words(weights: np.ndarray, rows: Sequence[Word], columns: Sequence[Word] | Axis) -> WordMatrix:
    """Add the columns of a word's pieces and average the rows of a word's pieces.

    Args:
        weights: [target pieces, source pieces].
        rows: words of the target.
        columns: words of the source; an `Axis` is kept as it is.
    """
    found = weights.astype(np.float64)
    if not isinstance(columns, Axis):
        found = _added(found.T, [len(word.tokens) for word in columns]).T
        columns = tuple(columns)
    sizes = [len(word.tokens) for word in rows]
    found = _added(found, sizes) / np.array(sizes, float).reshape(-1, 1)
    return WordMatrix(tuple(rows), columns, found.astype(np.float32))


def coarser(matrix: WordMatrix, most: int) -> WordMatrix:
    """Join neighbouring columns of an `Axis` by adding them, so that there are at most `most`; words stay."""
    axis = matrix.columns
    if not isinstance(axis, Axis) or axis.count <= most:
        return matrix
    joined = -(-axis.count // most)
    sizes = [len(part) for part in np.array_split(np.arange(axis.count), range(joined, axis.count, joined))]
    fewer = Axis(len(sizes), axis.step * joined, axis.start, axis.unit, axis.name)
    return WordMatrix(matrix.rows, fewer, _added(matrix.weights.T, sizes).T)


def column_names(columns: Sequence[Word] | Axis) -> list[str]:
    """Return what each column is called."""
    if isinstance(columns, Axis):
        return [columns.label(place) for place in range(columns.count)]
    return [word.text for word in columns]


def _added(values: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Add the rows of each run; runs follow each other and have at least one row."""
    if not sizes:
        return values[:0]
    return np.add.reduceat(values, np.cumsum([0, *sizes[:-1]]), axis=0)


def _close(words: list[Word], blanks: list[int]) -> None:
    """Give blanks that no word follows to the word before."""
    if blanks and words:
        last = words.pop()
        words.append(Word(last.text, (*last.tokens, *blanks), last.start, last.end, last.mark))
    elif blanks:
        words.append(Word("␣", tuple(blanks), 0, 0, True))


def _spans(text: str, tokens: Sequence["Token"], name: str) -> list[tuple[int, int]]:
    """Return where each token begins and ends, without the blanks at both ends."""
    spans = []
    for position, (before, token) in enumerate(pairwise([None, *tokens])):
        least = before.start if before else 0
        if not least <= token.start <= token.end <= len(text):
            raise ZooValueError(
                f"{name}[{position}] must lie in the text ({len(text)} characters) and not before its predecessor, "
                f"got start {token.start}, end {token.end}"
            )
        piece = text[token.start : token.end]
        start = token.start + len(piece) - len(piece.lstrip())
        spans.append((start, max(start, token.start + len(piece.rstrip()))))
    return spans


def _word_numbers(text: str) -> list[int]:
    """Return for each character the number of its word."""
    numbers: list[int] = []
    kind = "blank"
    for place, character in enumerate(text):
        found = _kind(character)
        if found == "joiner":
            found = "letter" if _joins(text, place) else "alone"
        goes_on = numbers and (found == "tail" or found == kind == "letter")
        numbers.append(numbers[-1] if goes_on else place)
        kind = kind if found == "tail" else found
    return numbers


def _joins(text: str, place: int) -> bool:
    """Return whether a hyphen, an apostrophe or a point stands inside a word or a number."""
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    if len(around) < 2:
        return False
    if text[place] in WITHIN_NUMBERS:
        return around.isdigit()
    return all(_kind(character) in ("letter", "tail") for character in around)


@functools.lru_cache(maxsize=65536)
def _kind(character: str) -> str:
    if character.isspace():
        return "blank"
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":
        return "tail"
    if character in WITHIN_WORDS + WITHIN_NUMBERS:
        return "joiner"
    if character.isalnum() and not unicodedata.name(character, "").startswith(UNSPACED):
        return "letter"
    return "alone"
