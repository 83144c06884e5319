"""Give an attention by name what only its place in a network knows: heads, windows, the columns of its grid."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.layers import named

# Positions of `MultiHeadAttention` that read a sequence as a grid, and what they call its size.
_GRIDS = {"rotary_2d": "columns", "fourier": "columns", "relative_table": "size", "continuous_bias": "size"}


def role_of(attention: Any, roles: tuple[str, ...]) -> str:
    """Return the first of `roles` that an attention has.

    Args:
        attention: a name, or a dict with "name".
        roles: what the place is for ("image", "self").

    Raises:
        ZooValueError: if the name is unknown or has none of the roles.
        ZooTypeError: if `attention` is neither a name nor a dict with one.
    """
    name = attention.get("name") if isinstance(attention, Mapping) else attention
    if not isinstance(name, str):
        raise ZooTypeError(f"attention must be a name or a dict with 'name', got {attention!r}")
    row = named.info(name)
    for role in roles:
        if role in row.roles:
            return role
    known = ", ".join(known for role in roles for known in named.names(role))
    raise ZooValueError(
        f"attention {name!r} is for {' or '.join(row.roles)}, wanted one for {' or '.join(map(repr, roles))}: {known}"
    )


def fit_to_map(attention: Any, size: tuple[int, int], channels: int, heads: int, window: int) -> dict[str, Any]:
    """Give an attention of images its heads, its window, and groups that can share the channels.

    A window is at most as large as the map; where one window holds the whole map, nothing is shifted. Where the
    groups of a layer cannot share the channels, there are as many as can. What the attention says itself stays, and
    what its layer does not take is left out.

    Args:
        attention: a name of role "image", or a dict with "name" and arguments.
        size: height and width of the map.
        channels: of the map.
        heads: that the channels are split into.
        window: pixels along each side of a window or grid.

    Returns:
        A dict for `layers.get`.
    """
    own = dict(attention) if isinstance(attention, Mapping) else {"name": attention}
    row = named.info(own["name"])
    window = min(window, max(size))
    moved = "shift" in row.settings and window < max(size)
    offers = {"num_heads": heads, "window": window, "grid": window, "shift": window // 2 if moved else 0}
    taken = _taken(row.layer)
    if "groups" in taken:
        offers["groups"] = _shared(row, taken["groups"].default, channels)
    return {**{name: value for name, value in offers.items() if name in taken}, **own}


def _shared(row: Any, groups: Any, channels: int) -> Any:
    """Return the layer's own number of groups, or as many as can share the channels."""
    if isinstance(groups, tuple):
        return tuple(math.gcd(count, max(channels // len(groups), 1)) for count in groups)
    # Each group of a shuffle attention has two halves.
    return math.gcd(groups, max(channels // 2, 1) if row.name == "shuffle_attention" else channels)


def fit_to_tokens(attention: Any, size: tuple[int, int], position: str = "none", more: int = 0) -> dict[str, Any]:
    """Tell an attention of sequences that its tokens are the places of a map, row by row.

    Args:
        attention: a name of role "self", or a dict with "name" and arguments.
        size: height and width of the map.
        position: "rotary_2d" turns queries and keys by row and column; anything else is not for the attention.
        more: tokens after those of the map.

    Returns:
        A dict for `layers.get`.

    Raises:
        ZooValueError: if "rotary_2d" is asked of an attention that takes no position or has one of its own.
    """
    own = dict(attention) if isinstance(attention, Mapping) else {"name": attention}
    row = named.info(own["name"])
    taken = _taken(row.layer)
    rows = size[0] + (1 if more else 0)
    offers: dict[str, Any] = {"columns": size[1], "max_length": size[0] * size[1] + more}
    given = own.get("position", row.settings.get("position"))
    if position == "rotary_2d":
        if "position" not in taken or given not in (None, "rotary_2d"):
            raise ZooValueError(
                f"position 'rotary_2d' wants an attention that takes a position and has none of its own, such as "
                f"'multi_head', got {own['name']!r}"
            )
        given = position
    offers = {name: value for name, value in offers.items() if name in taken}
    grid = {"name": given} if isinstance(given, str) else dict(given or {})
    if grid.get("name") in _GRIDS and "position" in taken:
        key = _GRIDS[grid["name"]]
        own["position"] = {key: size[1] if key == "columns" else [rows, size[1]], **grid}
    elif grid.get("name") == "learned" and "position" in taken:
        own["position"] = {"max_length": size[0] * size[1] + more, **grid}
    return {**offers, **own}


def _taken(layer: type) -> Mapping[str, inspect.Parameter]:
    """Return the arguments of a layer's constructor by name."""
    return inspect.signature(layer.__init__).parameters
