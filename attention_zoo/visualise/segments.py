"""Cut a text into what the model read (tokens) and what lies between, and say numbers in few characters."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.errors import ZooValueError

if TYPE_CHECKING:
    from attention_zoo.text import Token

UNREAD_LIMIT = 40
OVERRIDES = "\u202d\u202e"


@dataclass(frozen=True)
class Segment:
    """A stretch of the text.

    Attributes:
        text: what stands there.
        tokens: positions of the tokens that cover it; empty for what lies between tokens.
        note: True when `text` is ours and not the text's own ("120 characters were not read").
    """

    text: str
    tokens: tuple[int, ...] = ()
    note: bool = False


def printable(text: str) -> str:
    """Replace, one for one, characters that no page may hold: controls, lone surrogates, direction overrides."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    bad = unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
    return "\ufffd" if bad or character in OVERRIDES or code & 0xFFFE == 0xFFFE else character


def right_to_left(text: str) -> bool:
    """Return whether the first letter with a direction runs from right to left (Unicode bidi rule P2)."""
    kinds = (unicodedata.bidirectional(character) for character in text)
    return next((kind != "L" for kind in kinds if kind in ("L", "R", "AL")), False)


def segments(text: str, tokens: Sequence["Token"]) -> list[Segment]:
    """Cut `text` along its tokens.

    Tokens that share characters (the bytes of one emoji) become one segment, so that the text stays readable; a token
    of blanks only is shown as ␣. A long rest that the model never read is replaced by a note.

    Args:
        text: what was classified.
        tokens: pieces with `start` and `end` (characters), in reading order.

    Raises:
        ZooValueError: if a token lies outside the text or before its predecessor.
    """
    text = printable(text)
    spans: list[tuple[int, int, list[int]]] = []
    before = 0
    for position, token in enumerate(tokens):
        if not before <= token.start <= token.end <= len(text):
            raise ZooValueError(
                f"tokens[{position}] must lie in the text ({len(text)} characters) and not before its predecessor, "
                f"got start {token.start}, end {token.end}"
            )
        before = token.start
        start, end = _trim(text, token.start, token.end)
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]), [*spans[-1][2], position])
        else:
            spans.append((start, end, [position]))
    return _fill(text, spans)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    bare = text[start:end].strip()
    if not bare:
        return start, end
    first = start + text[start:end].index(bare)
    return first, first + len(bare)


def _fill(text: str, spans: list[tuple[int, int, list[int]]]) -> list[Segment]:
    found, cursor = [], 0
    for start, end, positions in spans:
        if start > cursor:
            found.append(Segment(text[cursor:start]))
        found.append(Segment(text[start:end].strip() or "␣", tuple(positions)))
        cursor = end
    rest = text[cursor:].rstrip()
    if len(rest) > UNREAD_LIMIT and spans:
        found.append(Segment(" "))
        found.append(Segment(f"… {len(rest.strip()):,} more characters were not read", note=True))
    elif rest:
        found.append(Segment(rest))
    return found


def plain_segments(tokens: Sequence) -> list[Segment]:
    """Return one segment for each token (a string, or an object with `text`), with a blank between."""
    found: list[Segment] = []
    for position, token in enumerate(tokens):
        words = printable(token if isinstance(token, str) else token.text).strip()
        found += [Segment(words or "␣", (position,)), Segment(" ")]
    return found[:-1]


def segment_values(parts: Sequence[Segment], values: np.ndarray) -> list[float | None]:
    """Sum the tokens' numbers over each segment; None for what is no token."""
    return [float(np.sum(values[list(part.tokens)])) if part.tokens else None for part in parts]


def check_values(name: str, values: object, count: int) -> np.ndarray:
    """Return `values` as a float vector of `count` finite numbers.

    Raises:
        ZooValueError: naming the argument, what was wanted and what came.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ZooValueError(f"{name} must be {count} numbers, one for each token, got {values!r:.80}") from error
    if array.shape != (count,):
        raise ZooValueError(f"{name} must have one number for each of the {count} tokens, got shape {array.shape}")
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise ZooValueError(f"{name} must be finite, got {array[wrong[0]]} at token {wrong[0]}")
    return array


def short_percent(share: float) -> str:
    """Return 0.312 as "31"; what rounds to 0 is left blank."""
    return f"{100 * share:.0f}" if abs(share) >= 0.005 else ""


def short_points(effect: float) -> str:
    """Return 0.312 as "+31", -0.312 as "−31" (points of 100); what rounds to 0 is left blank."""
    return f"{100 * effect:+.0f}".replace("-", "−") if abs(effect) >= 0.005 else ""


def long_percent(share: float) -> str:
    """Return 0.312 as "31.2 %"."""
    return f"{100 * share:.1f} %"


def long_points(effect: float) -> str:
    """Return 0.312 as "+31.2", -0.312 as "−31.2" (points of 100)."""
    return f"{100 * effect:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def look_scale(weights: np.ndarray) -> float:
    """Return the weight that takes the full colour: the largest, but at least twice an even share.

    So a text looked at evenly has middling colours everywhere, and does not seem to shout at every word.
    """
    if not weights.size:
        return 1.0
    return float(max(weights.max(), min(1.0, 2.0 / weights.size), 1e-12))


def effect_scale(effects: Sequence[np.ndarray]) -> float:
    """Return the effect that takes the full colour: the largest of all classes, at least 0.01 (1 point of 100)."""
    return max([0.01, *(float(np.abs(effect).max()) for effect in effects if effect.size)])


def strongest(parts: Sequence[Segment], values: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """Return the segments with the largest numbers in size, largest first, without those that round to 0."""
    pairs = [(part.text, value) for part, value in zip(parts, segment_values(parts, values)) if value is not None]
    return sorted([pair for pair in pairs if abs(pair[1]) >= 0.005], key=lambda pair: -abs(pair[1]))[:count]
