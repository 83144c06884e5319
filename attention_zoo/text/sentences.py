"""Find the sentences of a text, for models that read sentence by sentence."""

import re

# A run of marks is tried once, from its first, and is never given up in part: a long run costs no more than its length.
_BREAK = re.compile(r"(?i:<br\s*+/?>)|\n|[。！？]++|(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|e\.g|i\.e|vol|fig|inc|ltd|co|corp|dept|approx|u\.s|u\.k)"
    r"|(?<![\w'])[A-Z])\.\Z",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 12


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) characters of each sentence of `text`, in order.

    A sentence ends at ., !, ? or … followed by a blank (not after an abbreviation or an initial), at 。！？, at a line
    break, and at an HTML `<br>`. Blanks between sentences belong to none; every other character belongs to one.

    Args:
        text: anything.
    """
    spans, start = [], 0
    for found in _BREAK.finditer(text):
        mark, stop = found.group(), found.end()
        if mark == "." and _ABBREVIATION.search(text[max(start, stop - _LONGEST_ABBREVIATION) : stop]):
            continue
        spans.append((start, found.start() if mark[0] in "<\n" else stop))
        start = stop
    spans.append((start, len(text)))
    trimmed = (_trimmed(text, *span) for span in spans)
    return [(first, last) for first, last in trimmed if first < last]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out the blanks at both ends."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
