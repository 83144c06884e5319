"""Numbers that users give: heads, channels, tokens, pixels; shares."""

from numbers import Integral, Real
from typing import Any

from attention_zoo.errors import ZooValueError


def whole_number(name: str, value: Any, least: int = 1, unit: str = "") -> int:
    """Return `value` if it is a whole number of at least `least`.

    Args:
        name: of the argument.
        value: what the user gave; whole numbers of NumPy are some.
        least: the smallest that is allowed.
        unit: what is counted, for the sentence.

    Raises:
        ZooValueError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        unit = f" ({unit})" if unit else ""
        raise ZooValueError(f"{name} must be a whole number of at least {least}{unit}, got {value!r}")
    return int(value)


def share(name: str, value: Any) -> float:
    """Return `value` if it is a share: at least 0 and under 1.

    Args:
        name: of the argument.
        value: what the user gave.

    Raises:
        ZooValueError: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < 1:
        raise ZooValueError(f"{name} must be at least 0 and under 1 (share), got {value!r}")
    return value
