"""What comes next: one table that turns items into vectors and states into scores of items."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import unknown

SPREAD = 0.02  # standard deviation of new vectors: scores of normalised states then begin near one another
MODES = ("vectors", "rows", "fields", "scores", "choices")


@keras.saving.register_keras_serializable(package="attention_zoo")
class ItemTable(keras.layers.Layer):
    """Give each item a learned vector, and score all items for a state, by the same table.

    vector[i] = sqrt(width) e[i], e[i] = item[i] + sum over features f of value_f[number_f[i]], score[i] = state . e[i]

    Number 0 is padding, 1 to `items` are items, and `items` + 1 stands for an item that is hidden. What is known of
    items (a brand, a kind) is a number for each feature, 0 where it is not known: see `describe`. So an item that
    nobody has chosen yet is near those that are like it.

    Args:
        items: how many items there are.
        width: channels of a vector.
        features: by name, how many different numbers a feature of the items has, 0 among them.

    Call:
        inputs: int [batch, ...], numbers of items; for "scores" and "choices" states, float [batch, ..., width].
        mode: "vectors"; "rows" (e, not scaled); "fields" (the item and each of its features apart); "scores" (by
            number, column 0 is that of padding and says nothing); "choices" (without padding: column j is item j + 1).

    Returns:
        [batch, ..., width], for "fields" [batch, ..., 1 + features, width]; float32 [batch, ..., items + 1], for
        "choices" float32 [batch, ..., items].

    Raises:
        ZooValueError: if a number is under 1, or the mode is unknown.

    Cost: of scores time batch x items x width, memory batch x items.
    Source: Kang, McAuley 2018, arXiv:1808.09781, section III-D (one table for both ends).
    """

    def __init__(self, items: int, width: int, features: Mapping[str, int] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.items, self.width = whole_number("items", items), whole_number("width", width, unit="channels")
        self.features = {name: whole_number(f"features[{name!r}]", size) for name, size in (features or {}).items()}

    def get_config(self) -> dict:
        return {**super().get_config(), "items": self.items, "width": self.width, "features": self.features}

    def build(self, input_shape: Any) -> None:
        new = keras.initializers.RandomNormal(stddev=SPREAD)
        self.table = self.add_weight(shape=(self.items + 2, self.width), initializer=new, name="items")
        self.values = [
            self.add_weight(shape=(size, self.width), initializer=new, name=f"values_{place}")
            for place, size in enumerate(self.features.values())
        ]
        self.numbers = None
        if self.features:
            shape, options = (self.items + 2, len(self.features)), {"dtype": "int32", "trainable": False}
            self.numbers = self.add_weight(shape=shape, initializer="zeros", name="numbers", **options)

    def describe(self, numbers: Any) -> None:
        """Say what is known of the items.

        Args:
            numbers: int [items + 2, features], a row for padding, each item, and what is hidden; 0 is not known.
        """
        self.numbers.assign(numbers)

    def call(self, inputs: Any, mode: str = "vectors") -> Any:
        if mode not in MODES:
            raise unknown("mode of an item table", mode, MODES)
        if mode in ("scores", "choices"):
            table = ops.transpose(self.whole(0 if mode == "scores" else 1))
            return ops.cast(ops.matmul(ops.cast(inputs, self.compute_dtype), table), "float32")
        fields = [self._rows(self.table, inputs), *self._known(inputs)]
        scale = 1.0 if mode == "rows" else math.sqrt(self.width)
        return ops.stack(fields, axis=-2) * scale if mode == "fields" else sum(fields) * scale

    def _rows(self, table: Any, numbers: Any) -> Any:
        return ops.cast(ops.take(table, numbers, axis=0), self.compute_dtype)

    def _known(self, items: Any) -> list:
        """Return the vectors of the features of items."""
        if self.numbers is None:
            return []
        numbers = ops.take(self.numbers, items, axis=0)
        return [self._rows(values, numbers[..., place]) for place, values in enumerate(self.values)]

    def whole(self, first: int = 0) -> Any:
        """Return what items are scored with, [items + 1 - first, width], from the number `first` on."""
        rows = ops.cast(self.table[first : self.items + 1], self.compute_dtype)
        if self.numbers is None:
            return rows
        numbers = self.numbers[first : self.items + 1]
        return rows + sum(self._rows(values, numbers[:, place]) for place, values in enumerate(self.values))

    def compute_output_spec(self, inputs: Any, mode: str = "vectors") -> Any:
        if mode in ("scores", "choices"):
            columns = self.items + (mode == "scores")
            return keras.KerasTensor((*inputs.shape[:-1], columns), dtype="float32")
        fields = (1 + len(self.features),) if mode == "fields" else ()
        return keras.KerasTensor((*inputs.shape, *fields, self.width), dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class AskNext(keras.layers.Layer):
    """Put a hidden item behind each history, which is what comes next.

    Args:
        number: that stands for a hidden item.

    Call:
        items: int [batch, steps].

    Returns:
        int [batch, steps + 1].

    Source: Sun et al. 2019, arXiv:1904.06690, section 3.6.
    """

    def __init__(self, number: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.number = whole_number("number", number)

    def get_config(self) -> dict:
        return {**super().get_config(), "number": self.number}

    def call(self, items: Any) -> Any:
        return ops.concatenate([items, ops.full_like(items[:, :1], self.number)], axis=1)

    def compute_output_spec(self, items: Any) -> Any:
        steps = None if items.shape[1] is None else items.shape[1] + 1
        return keras.KerasTensor((items.shape[0], steps), dtype=items.dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class StatesAt(keras.layers.Layer):
    """Take out the states that are asked, so that only these are scored.

    Call:
        states: [batch, steps, width].
        places: int [asked], row x steps + step.

    Returns:
        [asked, width].
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, states: Any, places: Any = None, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def call(self, states: Any, places: Any) -> Any:
        return ops.take(ops.reshape(states, (-1, states.shape[-1])), places, axis=0)

    def compute_output_spec(self, states: Any, places: Any) -> Any:
        return keras.KerasTensor((*places.shape, states.shape[-1]), dtype=states.dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class CandidateScores(keras.layers.Layer):
    """Score some items for each state: the right one first, then others.

    score = state . e[item]

    Call:
        states: [asked, width].
        right: [asked, width], as `ItemTable` gives vectors.
        others: [others, width], the same for all states; or [asked, others, width].

    Returns:
        float32 [asked, 1 + others].
    """

    def call(self, states: Any, right: Any, others: Any) -> Any:
        # A table gives vectors larger by this than what it scores with.
        states = states / math.sqrt(states.shape[-1])
        first = ops.sum(states * right, axis=-1, keepdims=True)
        if len(others.shape) == 2:
            rest = ops.matmul(states, ops.transpose(others))
        else:
            rest = ops.einsum("bw,bnw->bn", states, others)
        return ops.cast(ops.concatenate([first, rest], axis=-1), "float32")

    def compute_output_spec(self, states: Any, right: Any, others: Any) -> Any:
        count = others.shape[-2]
        return keras.KerasTensor((states.shape[0], None if count is None else count + 1), dtype="float32")
