"""Recurrent layers that read both ways."""

from typing import Any

import keras

from attention_zoo.checks import whole_number
from attention_zoo.errors import unknown

CELLS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def bidirectional(cell: str, units: int, *, name: str, dtype: Any = None) -> keras.layers.Layer:
    """Make a GRU or LSTM that reads from both ends and returns every step.

    Padding is skipped, and zero in the output; the weights have the same layout and names on every backend.

    Args:
        cell: "gru" or "lstm".
        units: channels of each direction; the output has twice as many.
        name: of the layer.
        dtype: dtype policy.

    Raises:
        ZooValueError: if the cell is unknown or `units` is under 1.

    Source: Cho et al. 2014, arXiv:1406.1078; Hochreiter, Schmidhuber 1997; Schuster, Paliwal 1997 (both ways).
    """
    if cell not in CELLS:
        raise unknown("recurrent cell", cell, CELLS)
    whole_number("units", units, unit="channels of each direction")
    inner = CELLS[cell](units, return_sequences=True, name=cell, dtype=dtype)
    return keras.layers.Bidirectional(inner, name=name, dtype=dtype)
