"""The parts of a transformer's block, one after the other: each with a norm, dropout and a way around it."""

from collections.abc import Callable
from typing import Any

import keras

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooValueError, unknown

NORMS = ("pre", "post")
EPSILON = 1e-5


class Sublayers:
    """Mixed into a block whose parts each read what the parts before them left, and add to it.

    pre:  x = x + part(norm(x))
    post: x = norm(x + part(x))

    The block has the attributes `num_heads`, `key_dim`, `dropout`, `norm` and `stochastic_depth`. It puts its parts,
    by name and in their order, into `self.parts`, and then builds them by `build_sublayers`.
    """

    def check_sublayers(self, **counts: int) -> None:
        """Check the arguments that such blocks share; `counts` are to be at least 0.

        Raises:
            ZooValueError: if the norm is unknown or a number is out of range.
        """
        if self.norm not in NORMS:
            raise unknown("norm", self.norm, NORMS)
        for name, value in counts.items():
            if value < 0:
                raise ZooValueError(f"{name} must be at least 0, got {value}")
        share("stochastic_depth", self.stochastic_depth)

    def head_sizes(self, width: int) -> dict[str, int]:
        """Return the arguments of an attention that say how many heads it has, and how wide they are.

        Raises:
            ZooValueError: if the heads cannot share the width.
        """
        whole_number("num_heads", self.num_heads)
        if self.key_dim is None and width % self.num_heads:
            raise ZooValueError(f"width must be a multiple of num_heads, got {width} for {self.num_heads} heads")
        return {"num_heads": self.num_heads, "key_dim": self.key_dim or width // self.num_heads}

    def build_sublayers(self, input_shape: Any, **others: Any) -> None:
        """Build the parts, and what stands around each; `others` are shapes of second inputs by the name of a part."""
        policy = {"dtype": self.dtype_policy}
        self.norms, self.drops, self.skips = {}, {}, {}
        for name, part in self.parts.items():
            part.supports_masking = True
            if not part.built:
                part.build(input_shape, *((others[name],) if name in others else ()))
            self.norms[name] = keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm", **policy)
            self.norms[name].build(input_shape)
            self.drops[name] = keras.layers.Dropout(self.dropout, name=f"{name}_dropout", **policy)
            self.skips[name] = keras.layers.Dropout(self.stochastic_depth, (None, 1, 1), name=f"{name}_depth", **policy)

    def add_sublayer(self, name: str, current: Any, run: Callable, training: bool | None) -> Any:
        """Run one part on what there is, and add what it found.

        Args:
            name: of the part.
            current: [batch, time, width].
            run: takes what the part is to read and returns what is to be added, both [batch, time, width].
            training: True while fitting.
        """
        added = run(self.norms[name](current) if self.norm == "pre" else current)
        if training is not False:  # a layer that changes nothing costs a call all the same, at each step of a search
            added = self.skips[name](self.drops[name](added, training=training), training=training)
        current = current + added
        return self.norms[name](current) if self.norm == "post" else current
