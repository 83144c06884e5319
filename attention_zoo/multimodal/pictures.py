"""The reader of pictures: one or a sequence of them, of any size and kind, to frames of one size."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.multimodal.reader import Named, Reader
from attention_zoo.multimodal.settings import Settings
from attention_zoo.vision.decoding import MAX_PIXELS, pixels_of
from attention_zoo.vision.images import as_image, as_items
from attention_zoo.vision.preprocessor import ImagePreprocessor

_GIF = (b"GIF87a", b"GIF89a")
_ENCODED = bytes | bytearray | memoryview


class FrameReader(Reader):
    """Read pictures as uint8 [frames, height, width, channels], which `arrays` makes float32 from 0 to 1.

    A value is one picture, or several: a list of them, an array [frames, height, width] or [frames, height, width,
    channels], an animated GIF. Of more than `max_frames`, that many are taken, evenly spaced from the first to the last
    (of one: the middle).

    Args:
        images: brings a picture to its size.
        max_frames: most pictures of a row.
    """

    nothing = "an image without a frame"

    def __init__(self, images: ImagePreprocessor, max_frames: int):
        super().__init__("image")
        self.images, self.max_frames = images, max_frames

    @classmethod
    def learn(cls, modality: str, values: Sequence[Named], settings: Settings) -> Self:
        """Make it of the settings; nothing is learned."""
        images = ImagePreprocessor(settings.height, settings.width_pixels, settings.channels)
        return cls(images, settings.max_frames)

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.images.shape

    @property
    def longest(self) -> int:
        """Most frames."""
        return self.max_frames

    def read(self, values: Sequence[Named]) -> list[np.ndarray | None]:
        """Return uint8 [frames, height, width, channels] of each value."""
        rows = []
        for name, value in values:
            pictures = self.pictures(value, name)
            rows.append(self.images.pack(pictures) if pictures else None)
        return rows

    def pictures(self, value: Any, name: str = "image") -> list[np.ndarray]:
        """Return the pictures of one value that are taken, uint8 and of the size they have.

        Args:
            value: one picture or several.
            name: what errors call it.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if one cannot be read; names it.
        """
        moving = _animation(value, name, self.max_frames)
        if moving is not None:
            return moving
        items = [] if isinstance(value, list | tuple) and not value else _items(value, name)
        if len(items) == 1:
            return [as_image(items[0], name)]
        return [as_image(items[frame], f"{name}, frame {frame}") for frame in spaced(len(items), self.max_frames)]

    def scaled(self, row: np.ndarray) -> np.ndarray:
        """Return grey levels from 0 to 1."""
        return np.divide(row, 255, dtype=np.float32)

    def size(self, value: Any, name: str) -> float:
        """Return the number of pictures, 1 for a file."""
        is_several = isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 2
        return float(min(len(_items(value, name)), self.max_frames)) if is_several and len(value) else 1.0

    @property
    def usage(self) -> str:
        """What the array is."""
        height, width, channels = self.shape
        return (
            f"float32 [batch, frames, {height}, {width}, {channels}], 0 (black) to 1 (white), at most {self.max_frames}"
        )

    def probe(self, generator: np.random.Generator, part: int) -> np.ndarray:
        """Return pictures of noise."""
        frames = max(min(self.max_frames, 4), 2) // part
        return generator.integers(0, 256, (frames, *self.shape), np.uint8)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write what brings pictures to their size."""
        self.images.save(folder)
        return {}

    @classmethod
    def load(cls, folder: Path, modality: str, told: dict[str, Any], settings: Settings) -> Self:
        """Read what `save` wrote."""
        return cls(ImagePreprocessor.load(folder), settings.max_frames)


def spaced(count: int, most: int) -> list[int]:
    """Return the numbers of at most `most` of `count` things, evenly spaced from the first to the last."""
    if count <= most:
        return list(range(count))
    return [count // 2] if most == 1 else np.linspace(0, count - 1, most).round().astype(int).tolist()


def _items(value: Any, name: str) -> Sequence:
    try:
        return as_items(value)
    except ZooTypeError as error:
        raise ZooTypeError(f"{name} must be a picture or a list of them: {error}") from error
    except ZooValueError as error:
        raise ZooValueError(f"{name} must be a picture or a list of them: {error}") from error


def _animation(value: Any, name: str, most: int) -> list[np.ndarray] | None:
    """Return frames of an animated GIF, None where it is anything else."""
    is_path = isinstance(value, str | os.PathLike)
    if not (is_path and os.path.isfile(value)) and not isinstance(value, _ENCODED):
        return None
    stream = open(value, "rb") if is_path else io.BytesIO(value)  # noqa: SIM115
    kind = ZooFileError if is_path else ZooValueError
    name = f"{name} ({os.fspath(value)})" if is_path else name
    with stream:
        if stream.read(6) not in _GIF:
            return None
        stream.seek(0)
        try:
            with Image.open(stream, formats=("GIF",)) as picture:
                count = getattr(picture, "n_frames", 1)
                # A single picture, or one that is too large, is for `as_image` to read or to refuse.
                if count == 1 or picture.width * picture.height > MAX_PIXELS:
                    return None
                return [_frame(picture, frame, name, kind) for frame in spaced(count, most)]
        except ZooError:
            raise
        except Exception as error:  # damaged bytes lead a reader to raise almost anything
            raise kind(f"{name} is damaged: {error}") from error


def _frame(picture: Image.Image, frame: int, name: str, kind: type[ZooError]) -> np.ndarray:
    picture.seek(frame)
    return pixels_of(picture, f"{name}, frame {frame}", kind)
