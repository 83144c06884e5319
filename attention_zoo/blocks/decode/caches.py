"""How much room a decoder's caches have while it speaks."""

from typing import Any

from keras import ops

# Tokens. Nearly all sentences end in the first stage; each stage more is one loop more to compile.
FIRST, GROWTH, MULTIPLE = 32, 4, 8


def stages(max_length: int) -> list[int]:
    """Return the lengths of the caches, one after the other: multiples of 8, the last of them at least `max_length`.

    A step reads and copies its caches whole, so room for 128 tokens costs a sentence of 15 four times what 32 do.

    Args:
        max_length: tokens that may be said.
    """
    last = -(-max_length // MULTIPLE) * MULTIPLE
    lengths, length = [], FIRST
    while length < last:
        lengths.append(length)
        length *= GROWTH
    return [*lengths, last]


def grown(state: dict[str, Any], names: tuple[str, ...], length: int, longer: int) -> dict[str, Any]:
    """Give caches more room.

    Args:
        state: of a decoder.
        names: of the entries that are caches [rows, length, ...].
        length: places that they have.
        longer: places that they get; the new ones are zeros.
    """

    def widen(value: Any) -> Any:
        return ops.pad(value, [(0, 0), (0, longer - length), *[(0, 0)] * (len(value.shape) - 2)])

    return {name: widen(value) if name in names else value for name, value in state.items()}
