"""What is asked of which sites: a thing or its name, alone, in lists, or by globs on sites."""

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from attention_zoo.calibrate.probe import dotted
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown


def one_of(given: Any, base: type, kinds: Mapping[str, type], what: str, **options: Any) -> Any:
    """Return the thing that is given, or a new one by name.

    Args:
        given: an instance of `base`, or a name.
        base: the class of what may be given.
        kinds: its classes by name.
        what: the word for it.
        **options: of a new one.

    Raises:
        ZooTypeError: if it is neither.
        ZooValueError: if none has this name, or an option is outside its range.
    """
    if isinstance(given, base):
        return given
    if not isinstance(given, str):
        raise ZooTypeError(f"{what} must be a {base.__name__} or a name, got {type(given).__name__}")
    if given not in kinds:
        raise unknown(what, given, kinds)
    return kinds[given](**options)


def by_site(given: Any, base: type, kinds: Mapping[str, type], what: str) -> tuple[tuple[str, Any], ...]:
    """Return things with the globs on sites that each is for, "/" written ".".

    Args:
        given: a thing or a name, a list of them (in order), or a dict from globs on sites to such.
        base: the class of what may be given.
        kinds: its classes by name.
        what: the word for it.

    Raises:
        ZooTypeError, ZooValueError: as `one_of`.
    """
    if not isinstance(given, Mapping):
        given = {"*": given}
    listed = ((glob, [found] if isinstance(found, (str, base)) else found) for glob, found in given.items())
    return tuple((dotted(glob), one_of(one, base, kinds, what)) for glob, found in listed for one in found)


def fits(glob: str, site: str) -> bool:
    """Say whether a glob is for a site."""
    return fnmatch.fnmatchcase(site, glob)


def fitting(glob: str, sites: Iterable[str], what: str) -> list[str]:
    """Return the sites that a glob is for.

    Raises:
        ZooValueError: if there is none.
    """
    sites = list(sites)
    found = [site for site in sites if fits(glob, site)]
    if not found:
        raise ZooValueError(f"{what} must be for sites of the model, got {glob!r}; its sites are {sites}")
    return found
