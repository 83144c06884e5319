"""Which attentions a decoder can use: those whose past can be kept, and that form a map of the memory they read."""

from typing import Any

from attention_zoo.errors import ZooValueError
from attention_zoo.layers.incremental import Incremental


def check_steps(layer: Any, asked: Any) -> tuple[str, ...]:
    """Check that a built attention can read a target token by token, each token what was before it.

    Args:
        layer: the attention.
        asked: what the user wrote, for the sentence.

    Returns:
        The names of what it keeps of every token; what else it keeps has one size from the first token on.

    Raises:
        ZooValueError: if it cannot.
    """
    pattern = getattr(layer, "pattern", None)
    if pattern is not None and (pattern.prefix or 0) > 1:
        raise _refused("attention", asked, layer, f"the first {pattern.prefix} tokens would have to come at once")
    _refuse_without_steps("attention", asked, layer)
    short, long = (layer.empty_cache(1, length) for length in (1, 2))
    return tuple(name for name in short if tuple(short[name].shape) != tuple(long[name].shape))


def check_reads(layer: Any, asked: Any) -> None:
    """Check that a built attention can read a memory that was projected once, and show where it looked.

    Hypotheses of one source stand side by side as its queries: none of them may count as a place.

    Args:
        layer: the attention.
        asked: what the user wrote, for the sentence.

    Raises:
        ZooValueError: if it cannot.
    """
    _refuse_without_steps("cross_attention", asked, layer)
    if type(layer).read is not Incremental.read:
        raise _refused("cross_attention", asked, layer, "it forms no map of the memory")
    for kind, plain in (("position", "none"), ("pattern", "full")):
        name = getattr(layer, kind).zoo_name
        if name != plain:
            raise _refused("cross_attention", asked, layer, f"its {kind} must be {plain!r}, got {name!r}")
    if layer.sliding_window is not None:
        raise _refused("cross_attention", asked, layer, "it must have no sliding_window")


def _refuse_without_steps(kind: str, asked: Any, layer: Any) -> None:
    """Raise where nothing can be kept of a token."""
    if not isinstance(layer, Incremental):
        raise _refused(kind, asked, layer, "it cannot go step by step")
    try:
        layer.empty_cache(1, max(layer.pattern.prefix or 1, 1))
    except ZooValueError as error:
        raise _refused(kind, asked, layer, str(error)) from error


def _refused(kind: str, asked: Any, layer: Any, reason: str) -> ZooValueError:
    """Build the sentence, with the name by which the user knows the attention."""
    name = asked.get("name", layer.name) if isinstance(asked, dict) else getattr(asked, "name", asked)
    return ZooValueError(f"{kind} {name!r} ({type(layer).__name__}) cannot be used in a decoder: {reason}")
