"""The one door: see, or change, every attention map at the moment when weights meet values.

`tap` is called by every variant of the zoo. While no tape is open it returns its argument and costs one lookup.
A `Tape` must be opened and closed inside one `call` of a Keras layer or model: within a trace that is purely
functional, so it survives jit, tf.function and export. Opened outside `predict` it would leak tracers.
"""

import contextvars
import fnmatch
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

# A ContextVar, not a list: with a list, a map made in another thread would land in this thread's tape.
_OPEN: contextvars.ContextVar[tuple["Tape", ...]] = contextvars.ContextVar("open tapes", default=())


class Site(NamedTuple):
    """Where in a model an attention map is made.

    Args:
        path: names of the layers from the outermost inwards, joined by "/".
        kind: "mix" (positions are mixed) or "gate" (each value is scaled by a weight of its own).
        axes: what each axis of the map means, for example ("batch", "head", "query", "key").
    """

    path: str
    kind: str
    axes: tuple[str, ...]


class Tape:
    """Record the maps made inside one `call`, and change them where asked.

    Args:
        rewrite: called with the site's name and the weights; what it returns is used in place of the weights.
        only: a glob on site paths; maps that do not match pass by unseen.
    """

    def __init__(self, rewrite: Callable[[str, Any], Any] | None = None, only: str = "*"):
        self.maps: dict[str, Any] = {}
        self.sites: dict[str, Site] = {}
        self._rewrite = rewrite
        self._only = only
        self._visits: dict[str, int] = {}

    def __enter__(self) -> "Tape":
        self._token = _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(self, *exc: object) -> None:
        _OPEN.reset(self._token)

    def visit(self, site: Site, weights: Any) -> Any:
        """Note `weights` under a name unique to this call and return what is to be used."""
        if not fnmatch.fnmatchcase(site.path, self._only):
            return weights
        visits = self._visits.get(site.path, 0)
        self._visits[site.path] = visits + 1
        name = site.path if visits == 0 else f"{site.path}#{visits}"
        if self._rewrite is not None:
            weights = self._rewrite(name, weights)
        self.maps[name] = weights
        self.sites[name] = site
        return weights


def watched() -> bool:
    """Say whether a tape is open: if so, maps must be made in full."""
    return bool(_OPEN.get())


def tap(site: Site, weights: Any) -> Any:
    """Pass `weights` through every open tape, outermost first, and return what is to be used."""
    for tape in _OPEN.get():
        weights = tape.visit(site, weights)
    return weights


def remat(function: Callable, *args: Any) -> Any:
    """Recompute `function` in the backward pass, unless someone is watching.

    `keras.remat` runs its function in a trace of its own, out of which no map may be carried.
    """
    return function(*args) if watched() else keras.remat(function)(*args)
