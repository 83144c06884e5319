"""Cut a text into parts that a translator can read: at sentences, then at commas, then at words."""

import re
from collections.abc import Iterator

from attention_zoo.text.pieces import Pieces
from attention_zoo.text.sentences import sentence_spans

# Where a sentence may be cut: behind a mark that is followed by a blank (or one of those that no blank follows).
_PAUSE = re.compile(r"[,;:–—][\"'”’)\]]*(?=\s)|[，、；：]")
_BLANK = re.compile(r"\s+")
_SHORTEST_SHARE = 0.25  # of the room: a pause before this is too early to cut at


def parts(text: str, pieces: Pieces, room: int) -> list[str]:
    """Cut a text at the ends of its sentences, and what is still too long at commas, blanks, at last within a word.

    Args:
        text: anything.
        pieces: what counts the tokens.
        room: most tokens of a part, at least 1.

    Returns:
        Parts without blanks around them, in order; at least one. A part is never blank, where the text is not.
    """
    found = []
    for start, end in sentence_spans(text):
        found += _shortened(text[start:end], pieces, room)
    return found or [text]


def _shortened(sentence: str, pieces: Pieces, room: int) -> Iterator[str]:
    while True:
        spans = _first_spans(sentence, pieces, room)
        if len(spans) <= room:
            if spans:
                yield sentence
            return
        at = _place(sentence, spans, room)
        while len(pieces.spans(sentence[:at])) > room and at > 1:
            at -= 1  # a word that is cut within may have more pieces than it had as a whole
        yield sentence[:at].strip()
        sentence = sentence[at:].strip()


def _first_spans(sentence: str, pieces: Pieces, room: int) -> list[tuple[int, int]]:
    """Return where more than `room` pieces stand, or all where there are no more; reads no further."""
    size = 8 * room
    while True:
        spans = pieces.spans(sentence[:size])
        if len(spans) > room or size >= len(sentence):
            return spans
        size *= 2


def _place(sentence: str, spans: list[tuple[int, int]], room: int) -> int:
    """Return the character at which to cut a sentence of more than `room` pieces."""
    last = spans[room][0]  # the first character that has no room
    earliest = spans[int(room * _SHORTEST_SHARE)][0]
    pauses = [found.end() for found in _PAUSE.finditer(sentence, earliest, last + 1) if found.end() <= last]
    blanks = [found.start() for found in _BLANK.finditer(sentence, 1, last + 1) if found.start() < last]
    return max(pauses[-1:] or blanks[-1:] or [max(last, 1)])
