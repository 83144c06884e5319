"""The one door: see, or change, every attention map at the moment when weights meet values.

`tap` is called by every variant of the zoo. While no tape is open it returns its argument and costs one lookup.
A `Tape` must be opened and closed inside one `call` of a Keras layer or model: within a trace that is purely
functional, so it survives jit, tf.function and export. Opened outside `predict` it would leak tracers.
"""

import contextvars
import fnmatch
from collections.abc import Callable, Sequence
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


class Seen(NamedTuple):
    """One map at the moment when it is made.

    Args:
        name: of the site, unique within the call.
        site: where it is made.
        weights: the map.
        mask: bool, broadcasting to the map: which weights may be other than zero; None where nobody says so.
    """

    name: str
    site: Site
    weights: Any
    mask: Any = None


class Tape:
    """Record the maps made inside one `call`, and change them where asked.

    Args:
        rewrite: called with a `Seen`; what it returns is used in place of its weights.
        only: a glob on site paths; maps that do not match pass by unseen.
        keep: False keeps no maps, where `rewrite` has all that it needs of them.
        rows: how many queries of a map are enough, where the map need not be made for other reasons; None wants all.
            Of a longer map that many rows, evenly spaced, are shown; what `rewrite` returns for them is not used.
        loops: True where `rewrite` keeps nothing of the map that it is shown, and `keep` is False. Then it may run
            inside a loop of the graph, and changes what is read there, step by step, instead of being shown all steps
            behind the loop, when they have been read.
    """

    def __init__(
        self,
        rewrite: Callable[[Seen], Any] | None = None,
        only: str = "*",
        keep: bool = True,
        rows: int | None = None,
        loops: bool = False,
    ):
        self.maps: dict[str, Any] = {}
        self.masks: dict[str, Any] = {}
        self.sites: dict[str, Site] = {}
        self._rewrite = rewrite
        self._only, self._keep, self.rows, self.loops = only, keep, rows, loops
        self._visits: dict[str, int] = {}

    def __enter__(self) -> "Tape":
        self._token = _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(self, *exc: object) -> None:
        _OPEN.reset(self._token)

    def visit(self, site: Site, weights: Any, mask: Any = None) -> Any:
        """Note `weights` under a name unique to this call and return what is to be used."""
        if not fnmatch.fnmatchcase(site.path, self._only):
            return weights
        visits = self._visits.get(site.path, 0)
        self._visits[site.path] = visits + 1
        name = site.path if visits == 0 else f"{site.path}#{visits}"
        if self._rewrite is not None:
            weights = self._rewrite(Seen(name, site, weights, mask))
        if self._keep:
            self.maps[name], self.masks[name] = weights, mask
        self.sites[name] = site
        return weights


def watched() -> bool:
    """Say whether a tape is open: if so, maps must be made in full."""
    return bool(_OPEN.get())


def watched_rows() -> int | None:
    """Return how many rows of a map are enough for all that watch; None where one wants the whole map, or nobody is."""
    wanted = [tape.rows for tape in _OPEN.get()]
    return None if not wanted or None in wanted else max(wanted)


def tap(site: Site, weights: Any, mask: Any = None) -> Any:
    """Pass `weights` through every open tape, innermost first, and return what is to be used.

    Who watches a model from outside so sees what its own rules have made of the map.

    Args:
        site: where the map is made.
        weights: the map.
        mask: bool, broadcasting to the map: False where a pair may not meet, or a query is padding; None where the map
            alone tells, by weights of exactly zero.
    """
    return _passed(_OPEN.get(), site, weights, mask)


def tap_in_loop(site: Site, weights: Any, mask: Any = None) -> Any:
    """Pass the weights of one step of a loop through the tapes that may be met there: see `Tape`.

    Args:
        site: where the map is made.
        weights: the map of the step.
        mask: as for `tap`.
    """
    return _passed([tape for tape in _OPEN.get() if tape.loops], site, weights, mask)


def tap_after_loop(site: Site, weights: Any, mask: Any = None) -> Any:
    """Show the weights of all steps of a loop to the tapes that were not met in it.

    Args:
        site: where the map is made.
        weights: the map, as `tap_in_loop` has left its steps.
        mask: as for `tap`.
    """
    return _passed([tape for tape in _OPEN.get() if not tape.loops], site, weights, mask)


def _passed(tapes: Sequence[Tape], site: Site, weights: Any, mask: Any) -> Any:
    for tape in reversed(tapes):
        weights = tape.visit(site, weights, mask)
    return weights


def remat(function: Callable, *args: Any) -> Any:
    """Recompute `function` in the backward pass, unless someone is watching.

    `keras.remat` runs its function in a trace of its own, out of which no map may be carried.
    """
    return function(*args) if watched() else keras.remat(function)(*args)
