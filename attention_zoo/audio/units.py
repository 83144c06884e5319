"""What a recognizer writes: letters or pieces of words, numbered."""

import unicodedata
from collections.abc import Iterable, Sequence

from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.text.pieces import SPECIAL, UNKNOWN_ID, Pieces

KINDS = ("letters", "pieces")
_APOSTROPHES = dict.fromkeys(map(ord, "\u2019\u02bc\u2018\u00b4\uff07"), "'")
_SPOKEN = "LMN"  # Unicode's letters, their accents, and numbers


def spoken(text: str) -> str:
    """Return a text as it is spoken: the form in which transcripts are learned, written and compared.

    Composed (NFC), in lower case; whatever is neither a letter, an accent, a digit nor an apostrophe becomes a blank,
    and so does an apostrophe that stands alone; runs of blanks become one, none at the ends.

    Args:
        text: a transcript.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES))
    kept = (char if char == "'" or unicodedata.category(char)[0] in _SPOKEN else " " for char in text)
    return " ".join(word for word in "".join(kept).split() if word.strip("'"))


class Letters:
    """Number the characters of texts. 0 pads (and is CTC's blank), 1 is unknown, 2 begins, 3 ends, then characters.

    Args:
        characters: each once, in the order of their numbers.

    Raises:
        ZooValueError: if there is none, one is no character, or is there twice.
    """

    kind = "letters"
    begins = None  # no letter holds the blank before a word

    def __init__(self, characters: Iterable[str]):
        self.characters = "".join(characters)
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise ZooValueError(f"characters must be at least one, each once, got {self.characters!r}")
        self._numbers = {char: number for number, char in enumerate(self.characters, start=len(SPECIAL))}

    @property
    def separator(self) -> int | None:
        """Id of the blank between words."""
        return self._numbers.get(" ")

    @classmethod
    def train(cls, texts: Iterable[str]) -> "Letters":
        """Take the characters of texts, which must be as `spoken` returns them; the blank is always one."""
        return cls(sorted({" "}.union(*texts)))

    def __len__(self) -> int:
        return len(SPECIAL) + len(self.characters)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; what has no number is 1."""
        return [[self._numbers.get(char, UNKNOWN_ID) for char in text] for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Put characters together; special ids say nothing."""
        return " ".join("".join(self.unit(number) for number in ids if number >= len(SPECIAL)).split())

    def unit(self, number: int) -> str:
        """Return what one id stands for."""
        return SPECIAL[number] if number < len(SPECIAL) else self.characters[number - len(SPECIAL)]


class WordPieces:
    """Number the pieces of words (byte pair encoding), of texts as `spoken` returns them.

    Args:
        pieces: the tokenizer.
    """

    kind = "pieces"
    separator = None  # a piece holds the blank before it

    def __init__(self, pieces: Pieces):
        self.pieces = pieces

    def begins(self, number: int) -> bool:
        """Tell whether a word begins with a piece."""
        return self.pieces.spelling[number].startswith(b" ")

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        return self.pieces.encode(texts)

    def decode(self, ids: Iterable[int]) -> str:
        """Put pieces together; special ids say nothing."""
        return self.pieces.decode(ids)

    def unit(self, number: int) -> str:
        """Return what one id stands for, with the blank before a word; bytes that are no character are U+FFFD."""
        return SPECIAL[number] if number < len(SPECIAL) else self.pieces.spelling[number].decode("utf-8", "replace")


Units = Letters | WordPieces


def learn_units(texts: Sequence[str], kind: str, vocabulary_size: int) -> Units:
    """Learn units from texts as `spoken` returns them.

    Args:
        texts: transcripts.
        kind: "letters" or "pieces".
        vocabulary_size: most entries of pieces, the four special ones and 256 bytes included; letters are as many as
            there are.

    Raises:
        ZooValueError: if the kind is unknown, or a number is out of range.
    """
    if kind not in KINDS:
        raise unknown("units", kind, KINDS)
    return Letters.train(texts) if kind == "letters" else WordPieces(Pieces.train(texts, vocabulary_size))
