"""The catalogue: which models there are, and one verb to get one.

list_models("*intent*")                  rows, without importing Keras
load("clinc150_intent")                  a Task, ready to predict
"""

import importlib
import os
import warnings
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooError, ZooFileError, unknown
from attention_zoo.files import read_json
from attention_zoo.presets import shelf
from attention_zoo.presets.card import Card

# Family to "module:class"; the module is imported when a model of the family is loaded, not before.
FAMILIES: dict[str, str] = {
    "text_classifier": "attention_zoo.models.text_classifier:TextClassifier",
    "image_classifier": "attention_zoo.models.image_classifier:ImageClassifier",
    "translator": "attention_zoo.models.translator:Translator",
    "speech_recognizer": "attention_zoo.models.speech_recognizer:SpeechRecognizer",
    "emotion_recognizer": "attention_zoo.models.emotion_recognizer:EmotionRecognizer",
    "recommender": "attention_zoo.models.recommender:Recommender",
}


def list_models(
    pattern: str = "*",
    *,
    family: str | None = None,
    licence: str | None = None,
    trained: bool | None = None,
    attention: str | None = None,
) -> list[Card]:
    """List the models that `load` takes by name: presets of the package and the cache, and untrained architectures.

    Patterns know `*`, `?` and `[...]` and ignore case; a pattern without them is a whole name.

    Args:
        pattern: pattern of the name.
        family: one family.
        licence: "permissive", or a pattern of the licence's text ("CC*").
        trained: True for pretrained presets only, False for architectures only.
        attention: pattern of the attention's name.

    Returns:
        Cards sorted by name; `str(card)` is the name.

    Raises:
        ZooValueError: if no model family has this name.
    """
    if family is not None and family not in FAMILIES:
        raise unknown("family", family, FAMILIES)

    def wanted(card: Card) -> bool:
        return (
            _like(card.name, pattern)
            and family in (None, card.family)
            and (licence is None or (card.permissive if licence == "permissive" else _like(card.licence, licence)))
            and trained in (None, card.trained)
            and (attention is None or _like(card.attention, attention))
        )

    return sorted(filter(wanted, _cards().values()), key=str)


def _like(text: str, pattern: str) -> bool:
    return fnmatch(text.lower(), pattern.lower())


def _cards() -> dict[str, Card]:
    cards = {name: architecture(name) for name in shelf.architectures()}
    for name, folder in shelf.folders().items():
        try:
            cards[name] = Card.from_folder(folder)
        except ZooError as error:
            # One damaged preset of the cache must not hide the others; it is named, and `load` refuses it.
            warnings.warn(f"left out of the list: {error}", stacklevel=4)
    return cards


def architecture(name: str) -> Card:
    """Return the card of an untrained architecture.

    Args:
        name: its name in the catalogue.

    Raises:
        ZooValueError: if no architecture has this name.
    """
    known = shelf.architectures()
    if name not in known:
        raise unknown("architecture", name, known)
    row = known[name]
    config = row["config"]
    return Card(
        name=name,
        family=row["family"],
        description=row["description"],
        attention=row.get("attention") or config.get("attention") or config.get("pooling", ""),
        licence="Apache-2.0",
        permissive=True,
    )


def find(name_or_path: str | os.PathLike) -> Path | None:
    """Return the folder of a preset, or None for the name of an untrained architecture.

    Args:
        name_or_path: a name, a folder, an `https://` or `hf://` address.

    Raises:
        ZooError: see `presets.shelf.find`.
    """
    name = os.fspath(name_or_path) if isinstance(name_or_path, os.PathLike) else name_or_path
    if isinstance(name, str) and name in shelf.architectures() and not Path(name, "config.json").is_file():
        return None
    return shelf.find(name_or_path)


def load(name_or_path: str | os.PathLike, **changes: Any) -> Any:
    """Load a pretrained model, or build an untrained one, by name.

    Args:
        name_or_path: a name of `list_models`, a folder written by `Task.save`, `https://...` or `hf://owner/name`.
        **changes: for an untrained architecture: its `labels`, and config values other than its own; for a preset:
            what its family's `load` takes.

    Returns:
        A Task of the model's family, on the backend of KERAS_BACKEND.

    Raises:
        ZooValueError: if the name is unknown; the sentence holds the nearest three.
        ZooFileError: if a file of the preset is missing or damaged, or cannot be fetched.
    """
    folder = find(name_or_path)
    if folder is None:
        row = shelf.architectures()[os.fspath(name_or_path)]
        return _task_class(row["family"]).new(**{**row["config"], **changes})
    card = Card.from_folder(folder)
    card.verify(folder)
    family = read_json(folder / "config.json").get("family")
    if family != card.family:
        raise ZooFileError(f"{folder} is damaged: config.json is of family {family!r}, card.json of {card.family!r}")
    task_class = _task_class(card.family)
    if card.licence and not card.permissive:
        warnings.warn(
            f"the weights of {card.name!r} are not for every use; their licence is: {card.licence}", stacklevel=2
        )
    return task_class.load(folder, **changes)


def _task_class(family: str) -> Any:
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    module, name = FAMILIES[family].split(":")
    return getattr(importlib.import_module(module), name)
