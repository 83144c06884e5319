"""Check what the user gives as texts."""

import os
from collections.abc import Iterable

from attention_zoo.errors import ZooTypeError, ZooValueError


def as_texts(texts: str | bytes | Iterable[str | bytes], blank: bool = False) -> list[str]:
    """Return the texts as a list of strings; a single string is a list of one, UTF-8 bytes are decoded.

    Args:
        texts: what the user gave.
        blank: whether a text may be empty or have nothing but blanks.

    Raises:
        ZooTypeError: if something is no string.
        ZooValueError: if there is no text, one is blank and must not be, or one is not UTF-8.
    """
    if isinstance(texts, str | bytes):
        return [as_text(texts, "text", blank)]
    if isinstance(texts, dict | os.PathLike) or not isinstance(texts, Iterable):
        raise ZooTypeError(f"texts must be strings in a list, got {type(texts).__name__}")
    found = [as_text(text, f"texts[{number}]", blank) for number, text in enumerate(texts)]
    if not found:
        raise ZooValueError("texts must hold at least one string, got an empty list")
    return found


def as_text(text: str | bytes, name: str, blank: bool = False) -> str:
    """Return one text as a string that can be written as UTF-8; `name` is what errors call it."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = f"byte {error.start} is 0x{text[error.start]:02x}"
            raise ZooValueError(f"{name} must be UTF-8; {byte}, which is not") from error
    if not isinstance(text, str):
        raise ZooTypeError(f"{name} must be a string, got {type(text).__name__} {text!r:.40}")
    if not blank and (not text or text.isspace()):
        raise ZooValueError(f"{name} must hold at least one word, got {text[:20]!r}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ZooValueError(f"{name} must be Unicode; character {error.start} is half a surrogate pair") from error
    return text
