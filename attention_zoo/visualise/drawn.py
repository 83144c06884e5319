"""What all explanations do alike: they are written in the form that a suffix names, and shown in notebooks."""

import abc
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooValueError
from attention_zoo.files import write_bytes
from attention_zoo.visualise.page_frame import picture

Forms = dict[str, Callable[[], bytes]]


class Drawn(abc.ABC):
    """Base of explanations.

    A subclass says how it is told, drawn and headed; what draws is imported then, so that to hold numbers costs no
    drawing library.
    """

    @abc.abstractmethod
    def to_dict(self) -> dict:
        """Return everything as plain lists, numbers and strings, ready for JSON (numbers with 6 digits)."""

    @abc.abstractmethod
    def _drawing(self) -> tuple[Callable[[Any], Any], Callable[[Any], str]]:
        """Return what composes the sheet of the picture, and what writes the page."""

    @abc.abstractmethod
    def _title(self) -> str:
        """Return what a screen reader says of the picture."""

    def _forms(self) -> Forms:
        """Return by suffix what makes the bytes."""
        from attention_zoo.visualise.sheet import paint_png, paint_svg

        compose, page = self._drawing()
        return {
            ".png": lambda: paint_png(compose(self)),
            ".svg": lambda: paint_svg(compose(self)),
            ".html": lambda: page(self).encode("utf-8"),
            ".json": lambda: json.dumps(self.to_dict()).encode("ascii"),
        }

    def save(self, path: str | os.PathLike) -> Path:
        """Write it; the suffix says how.

        Args:
            path: `.png` or `.svg` (a picture), `.html` (one page that needs nothing else), `.json` (all numbers), or
                another that the class names.

        Returns:
            The path written.

        Raises:
            ZooValueError: for another suffix.
            ZooFileError: if the file cannot be written; nothing is left behind.
        """
        forms, suffix = self._forms(), Path(path).suffix.lower()
        if suffix not in forms:
            raise ZooValueError(f"path must end in one of {' '.join(forms)}, got {str(path)!r}")
        return write_bytes(path, forms[suffix]())

    def _repr_html_(self) -> str:
        """Show the picture in a notebook."""
        return picture(self._forms()[".png"](), self._title())
