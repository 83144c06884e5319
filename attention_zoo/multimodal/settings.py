"""Every choice of the multimodal preprocessor, in the words of a model's config."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.multimodal.kinds import FEATURES, KINDS, MODALITIES

_SHORTEST, _LONGEST = 0.1, 600.0  # seconds of a sound that can be cut out


@dataclass(frozen=True)
class Settings:
    """Choices of a `MultimodalPreprocessor`.

    Raises:
        ZooValueError, ZooTypeError: if a value cannot work, or a width is given for what is raw.
    """

    modalities: tuple[str, ...] = MODALITIES  # what a row may hold: image, audio, text; always in this order
    image: str = KINDS["image"][0]  # "frames" (pictures) or "features" (vectors)
    audio: str = KINDS["audio"][0]  # "sound" (recordings) or "features" (vectors)
    text: str = KINDS["text"][0]  # "words" (strings) or "features" (vectors)
    image_features: int = 0  # numbers of a vector; 0 where pictures are read, or until it is learned
    audio_features: int = 0  # likewise
    text_features: int = 0  # likewise
    height: int = 48  # of a picture (pixels)
    width_pixels: int = 48  # of a picture (pixels)
    channels: int = 1  # 1 (grey) or 3 (red, green, blue)
    max_frames: int = 8  # pictures of a row, evenly spaced
    mels: int = 64  # bands of a frame of sound
    max_seconds: float = 6.0  # longest stretch of a sound (seconds)
    vocabulary_size: int = 8000  # most entries, the three special ones included
    max_tokens: int = 64  # tokens of a text that are kept
    conversations: bool = False  # whether rows of one conversation are told to belong together

    def __post_init__(self):
        object.__setattr__(self, "modalities", modalities_in_order(self.modalities))
        for name in MODALITIES:
            if (kind := getattr(self, name)) not in KINDS[name]:
                raise unknown(f"kind of {name}", kind, KINDS[name])
            width = whole_number(f"{name}_features", getattr(self, f"{name}_features"), 0, "numbers of a vector")
            if width and (kind != FEATURES or name not in self.modalities):
                raise ZooValueError(
                    f"{name}_features must be 0 (it is the width of vectors, for {name}={FEATURES!r}), got {width}"
                )
        for name, unit in (("max_frames", "frames"), ("max_tokens", "tokens")):
            whole_number(name, getattr(self, name), 1, unit)
        seconds = self.max_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not _SHORTEST <= seconds <= _LONGEST:
            raise ZooValueError(f"max_seconds must be from {_SHORTEST} to {_LONGEST:g} (seconds), got {seconds!r}")

    def features(self, modality: str) -> int:
        """Return the width of a modality's vectors."""
        return getattr(self, f"{modality}_features")

    def kind(self, modality: str) -> str:
        """Return the form of a modality."""
        return getattr(self, modality)

    def change(self, **values: Any) -> Self:
        """Return settings of which some are others."""
        return dataclasses.replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON holds them."""
        return {**dataclasses.asdict(self), "modalities": list(self.modalities)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make settings of values by name.

        Raises:
            ZooValueError: if a name is unknown (with the nearest), or a value cannot work.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise unknown("setting", name, known)
        return cls(**values)


# What a model's config has of these, by the same names.
FIELDS = tuple(field.name for field in dataclasses.fields(Settings) if field.name != "conversations")


def modalities_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return modalities in their order.

    Raises:
        ZooValueError: if there is none, one is unknown, or one is named twice.
        ZooTypeError: if it is no list of names.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ZooTypeError(f"modalities must be a list of {', '.join(MODALITIES)}, got {names!r:.60}")
    names = list(names)
    for name in names:
        if name not in MODALITIES:
            raise unknown("modality", name, MODALITIES)
    if not names or len(set(names)) < len(names):
        raise ZooValueError(f"modalities must be at least one of {', '.join(MODALITIES)}, each once, got {names}")
    return tuple(name for name in MODALITIES if name in names)
