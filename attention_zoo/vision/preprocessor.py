"""The image preprocessor: images of any size and kind in, arrays of one size out."""

from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooFileError, ZooValueError, unknown
from attention_zoo.files import make_folder, read_json, write_json
from attention_zoo.vision.arrays import CHANNELS, eight_bits
from attention_zoo.vision.images import MAX_PIXELS, as_image, as_items
from attention_zoo.vision.resizing import FILTERS, FITS, fitted, with_channels

FORMAT, CONFIG = 1, "preprocessor.json"
_COLOURS = (1, 3)


class ImagePreprocessor:
    """Turn images into `pixels`, float32 [batch, height, width, channels], 0 (black) to 1 (white).

    An image is decoded to 8 bits (see `attention_zoo.vision.as_image` for what is taken and how it is read), brought to
    the number of channels (grey is repeated; colour becomes 0.299 red + 0.587 green + 0.114 blue), then to the size.
    `pack`, `placed` and the call agree to the bit: the call is `pack` / 255.

    Args:
        height: of the model's images (pixels), at least 1.
        width: likewise.
        channels: 1 (grey) or 3 (red, green, blue).
        resize: "area", "bicubic", "bilinear", "lanczos" or "nearest"; all but the last average when they make smaller.
        fit: what to do with other proportions: "stretch" the image, "crop" its middle, or "pad" it.
        fill: grey level of what "pad" adds, 0 (black) to 255 (white).
        max_pixels: most pixels (height x width) of a file; larger ones are refused before they are decoded.

    Raises:
        ZooValueError, ZooTypeError: if an argument is out of range or unknown.
    """

    kind = "image"
    noun, example = "image", "picture.png"  # what one input is called, and one as it stands on a command line
    items = staticmethod(as_items)  # checks what a user gave, and returns it as a sequence

    def __init__(
        self,
        height: int,
        width: int,
        channels: int = 3,
        resize: str = "bilinear",
        fit: str = "stretch",
        fill: int = 0,
        max_pixels: int = MAX_PIXELS,
    ):
        for name, value, unit in (("height", height, "pixels"), ("width", width, "pixels"), ("fill", fill, "grey")):
            whole_number(name, value, 0 if name == "fill" else 1, unit)
        whole_number("max_pixels", max_pixels, 1, "pixels")
        whole_number("channels", channels, 1, "channels")
        if channels not in _COLOURS:
            raise ZooValueError(f"channels must be 1 (grey) or 3 (colour), got {channels}")
        if fill > 255:
            raise ZooValueError(f"fill must be at most 255 (white), got {fill}")
        for name, value, known in (("resize", resize, FILTERS), ("fit", fit, FITS)):
            if value not in known:
                raise unknown(name, value, known)
        self.height, self.width, self.channels = int(height), int(width), int(channels)
        self.resize, self.fit, self.fill, self.max_pixels = resize, fit, int(fill), int(max_pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the model's images."""
        return self.height, self.width, self.channels

    @staticmethod
    def size(image: Any) -> int:
        """Return 0: all images become of one size, so it does not matter which are run together."""
        return 0

    @property
    def usage(self) -> str:
        """What the arrays are, for a person who has to make them by other means."""
        colours = "grey" if self.channels == 1 else "red, green, blue"
        return f"`pixels`: float32 {['batch', *self.shape]}, 0 (black) to 1 (white), {colours}".replace("'", "")

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two batches of different size: noise of all grey levels (seed 0)."""
        generator = np.random.default_rng(0)
        return [{"pixels": generator.uniform(size=(batch, *self.shape)).astype(np.float32)} for batch in (2, 3)]

    @property
    def config(self) -> dict:
        """What `preprocessor.json` holds."""
        names = ("kind", "height", "width", "channels", "resize", "fit", "fill", "max_pixels")
        return {"format": FORMAT, **{name: getattr(self, name) for name in names}}

    def __call__(self, images: Any) -> dict[str, np.ndarray]:
        """Decode and resize images.

        Args:
            images: one or several, of any kind that `as_items` takes.

        Returns:
            {"pixels": float32 [batch, height, width, channels], 0 to 1}.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if an image cannot be read; names which.
        """
        return {"pixels": np.divide(self.pack(images), 255, dtype=np.float32)}

    def pack(self, images: Any) -> np.ndarray:
        """Decode and resize images, and keep them in 8 bits: a training set in a quarter of the memory.

        An array of the right size is taken whole; where it is uint8 with the right channels, it is not even copied.

        Args:
            images: as of the call.

        Returns:
            uint8 [batch, height, width, channels].

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if an image cannot be read; names which.
        """
        items = _whole(as_items(images), (self.height, self.width))
        if isinstance(items, np.ndarray) and items.shape[1:3] == (self.height, self.width):
            return self._packed_whole(items)
        packed = np.empty((len(items), *self.shape), np.uint8)
        for number, item in enumerate(items):
            packed[number] = self._placed(item, f"images[{number}]")
        return packed

    def placed(self, image: Any) -> np.ndarray:
        """Return the picture that the model sees of one image.

        Args:
            image: one, of any kind that `as_image` takes.

        Returns:
            uint8 [height, width, channels].

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if it cannot be read.
        """
        return self._placed(image, "image")

    def save(self, folder: str | Path) -> None:
        """Write `preprocessor.json` into a folder, which is made.

        Raises:
            ZooFileError: if it cannot be written.
        """
        write_json(make_folder(folder) / CONFIG, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "ImagePreprocessor":
        """Read what `save` wrote.

        Raises:
            ZooFileError: if the file is missing or damaged; names it.
        """
        path = Path(folder) / CONFIG
        config = read_json(path, FORMAT)
        if (kind := config.pop("kind", None)) != cls.kind:
            raise ZooFileError(f"{path} must be of a preprocessor of the kind {cls.kind!r}, got {kind!r}")
        try:
            return cls(**config)
        except (ZooError, TypeError) as error:
            raise ZooFileError(f"{path} is damaged: {error}") from error

    def _placed(self, image: Any, name: str) -> np.ndarray:
        array = as_image(image, name, self.max_pixels)
        array = with_channels(array, self.channels, is_grey=array.ndim == 2)
        return fitted(array, self.height, self.width, self.resize, self.fit, self.fill)

    def _packed_whole(self, items: np.ndarray) -> np.ndarray:
        """Pack an array [batch, height, width] or [batch, height, width, channels] of the right size at once."""
        is_grey = items.ndim == 3
        try:
            array = eight_bits(items[..., None] if is_grey else items, "images")
        except ZooError:
            for number, item in enumerate(items):
                as_image(item, f"images[{number}]")
            raise
        return with_channels(array, self.channels, is_grey=array.ndim == 3)


def _whole(items: list | np.ndarray, size: tuple[int, int]) -> list | np.ndarray:
    """Put 8-bit arrays that all have the wanted size and one shape into one array; leave anything else as it is."""
    if isinstance(items, np.ndarray) or not isinstance(items[0], np.ndarray):
        return items
    shape = items[0].shape
    is_fit = shape[:2] == size and (len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS))
    if is_fit and all(
        isinstance(each, np.ndarray) and each.shape == shape and each.dtype == np.uint8 for each in items
    ):
        return np.stack(items)
    return items
