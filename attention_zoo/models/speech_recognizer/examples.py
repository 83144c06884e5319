"""Whatever a user trains or judges with, as sounds and what is said in them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention_zoo import data as zoo_data
from attention_zoo.audio import as_items
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.text.strings import as_texts


@dataclass(frozen=True)
class Utterances:
    """Sounds and their transcripts.

    Args:
        sounds: in any of the ways of `attention_zoo.audio.as_items`.
        texts: what is said, one for each.
        origin: the Dataset that they come from, or None.
    """

    sounds: Sequence[Any]
    texts: list[str]
    origin: Any = None


def read_utterances(data: Any, split: str = "train") -> Utterances:
    """Read sounds and transcripts out of what the user gave.

    Args:
        data: a Dataset or Split with columns "sound" and "text", (sounds, texts), or the path of a manifest or of a
            folder with transcripts, see `attention_zoo.data.read_speech`.
        split: which split of a Dataset.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if the data cannot work; says which.
    """
    if isinstance(data, str | os.PathLike):
        data = zoo_data.read_speech(data)
    if isinstance(data, zoo_data.Dataset):
        return _of_split(data.part(split), data)
    if isinstance(data, zoo_data.Split):
        return _of_split(data, None)
    if isinstance(data, tuple | list) and len(data) == 2 and not isinstance(data[0], str | bytes):
        return _checked(*data, None)
    raise ZooTypeError(
        "data must be a Dataset, (sounds, texts), or the path of a manifest or a folder, got "
        f"{type(data).__name__} {data!r:.60}"
    )


def _of_split(rows: zoo_data.Split, origin: Any) -> Utterances:
    if not {"sound", "text"} <= set(rows.columns):
        raise ZooValueError(f"data must have the columns 'sound' and 'text', got {', '.join(map(repr, rows.columns))}")
    return _checked(rows["sound"], rows["text"], origin)


def _checked(sounds: Any, texts: Any, origin: Any) -> Utterances:
    sounds, texts = as_items(sounds), as_texts(texts, blank=True)
    if len(sounds) != len(texts):
        raise ZooValueError(
            f"sounds and texts must be as many, got {len(sounds):,} sounds and {len(texts):,} transcripts"
        )
    return Utterances(sounds, texts, origin)


def check_one(sound: Any) -> None:
    """Check that this is one sound, not several.

    Raises:
        ZooTypeError: if it is not.
    """
    if isinstance(sound, list | tuple) and not (len(sound) == 2 and isinstance(sound[1], int)):
        raise ZooTypeError(f"sound must be one sound, got {type(sound).__name__} of {len(sound)}")
