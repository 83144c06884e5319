"""Errors that say which argument is wrong, what was wanted and what came."""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class ZooError(Exception):
    """Base of every error that attention_zoo raises on purpose."""


class ZooValueError(ZooError, ValueError):
    """An argument has a value that cannot work."""


class ZooTypeError(ZooError, TypeError):
    """An argument is of a kind that cannot work."""


class ZooFileError(ZooError, OSError):
    """A file or folder is missing, damaged or cannot be written."""


class ZooImportError(ZooError, ImportError):
    """A package that this verb needs is not installed."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return the `count` entries of `names` that look most like `name`."""
    wanted = str(name).lower()
    return sorted(names, key=lambda known: -difflib.SequenceMatcher(None, wanted, known.lower()).ratio())[:count]


def unknown(kind: str, name: object, names: Iterable[str]) -> ZooValueError:
    """Build the error for a name that nobody registered, with the three nearest.

    Args:
        kind: what is looked up, for the sentence ("model", "normalizer").
        name: what came.
        names: every known name.
    """
    close = ", ".join(repr(known) for known in nearest(str(name), names))
    return ZooValueError(f"{kind} {name!r} is unknown; the nearest names are {close or '(none registered)'}")


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra brings it.

    Args:
        module: dotted name to import.
        extra: the extra of `attention-zoo` that installs it.

    Raises:
        ZooImportError: if it is not installed; the sentence holds the pip command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ZooImportError(f"{module} is not installed; run: pip install 'attention-zoo[{extra}]'") from error
