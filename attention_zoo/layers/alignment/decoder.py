"""Recurrent decoders that read a memory: a cell for `keras.layers.RNN`, and the layer that runs it."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap_after_loop
from attention_zoo.core.masks import Masks, seen_pairs
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.layers.alignment.base import Prepared, StepwiseAlignment, with_map
from attention_zoo.layers.alignment.content import Alignment
from attention_zoo.layers.alignment.reseeding import reseed_steps
from attention_zoo.layers.alignment.stepping import run_steps
from attention_zoo.layers.incremental import cast_weights


@keras.saving.register_keras_serializable(package="attention_zoo")
class AlignmentCell(keras.layers.Layer):
    """Give a recurrent cell a memory to read, as a cell for `keras.layers.RNN`.

    h[t], s[t] = cell([x[t]; a[t - 1]], s[t - 1]), c[t] = align(h[t], memory), a[t] = tanh(W [c[t]; h[t]])

    The memory is a constant of the loop. Keras's loop has no constants, so it travels with the state:

        decoder = keras.layers.RNN(AlignmentCell(cell, alignment), return_sequences=True)
        outputs = decoder(inputs, initial_state=decoder.cell.initial_state(memory, memory_mask))

    All of the state are tensors [batch, ...], which a beam search may gather by example.

    Args:
        cell: a Keras recurrent cell, without dropout of its own.
        alignment: a `StepwiseAlignment`.
        units: channels of a[t]; None is those of h[t].
        input_feeding: whether the cell sees a[t - 1] beside its input.

    Call:
        inputs: x[t], [batch, width].
        states: the state before the step.
        training: True while fitting.

    Returns:
        a[t], [batch, units], and the next state.

    Raises:
        ZooTypeError: if alignment is no `StepwiseAlignment` or cell no recurrent cell.
        ZooValueError: if the cell has dropout, or the state is asked for without a memory.

    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, sections 3 (equation 5) and 3.3.
    """

    def __init__(self, cell: Any, alignment: Any, units: int | None = None, input_feeding: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(alignment, StepwiseAlignment):
            raise ZooTypeError(f"alignment must be a StepwiseAlignment, got {type(alignment).__name__}")
        if not hasattr(cell, "get_initial_state"):
            raise ZooTypeError(f"cell must be a recurrent cell of Keras, got {type(cell).__name__}")
        for part in cell._flatten_layers():
            if getattr(part, "dropout", 0) or getattr(part, "recurrent_dropout", 0):
                raise ZooValueError(f"cell must have no dropout of its own, got {part.name} with some")
        self.cell, self.alignment, self.units, self.input_feeding = cell, alignment, units, input_feeding

    def get_config(self) -> dict:
        config = {**super().get_config(), "units": self.units, "input_feeding": self.input_feeding}
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _PARTS}
        return {**config, **parts}

    @classmethod
    def from_config(cls, config: dict) -> "AlignmentCell":
        parts = {name: _made(config[name]) for name in _PARTS}
        return cls(**{**config, **parts})

    @property
    def hidden(self) -> int:
        """Return the channels of h[t]."""
        sizes = getattr(self.cell, "output_size", None) or self.cell.state_size
        return keras.tree.flatten(sizes)[0]

    @property
    def output_size(self) -> int:
        """Return the channels of a[t]."""
        return self.units or self.hidden

    @property
    def state_size(self) -> list[int]:
        """Return a size for each tensor that runs through the loop; Keras asks only how many there are."""
        cell = len(keras.tree.flatten(self.cell.state_size))
        return [1] * (self.input_feeding + cell + self.alignment.state_count + len(Prepared._fields))

    def build(self, input_shape: Any, memory_shape: Any = None) -> None:
        if memory_shape is None:
            raise ZooValueError("memory_shape must be given, as cell.build(input_shape, memory_shape), got none")
        width = input_shape[-1] + (self.output_size if self.input_feeding else 0)
        if not self.cell.built:
            self.cell.build((input_shape[0], width))
        if not self.alignment.built:
            self.alignment.build((None, None, self.hidden), memory_shape)
        self.join = keras.layers.Dense(
            self.output_size, activation="tanh", use_bias=False, name="join", dtype=self.dtype_policy
        )
        self.join.build((None, memory_shape[-1] + self.hidden))

    def get_initial_state(self, batch_size: Any = None) -> list:
        """Refuse: without a memory there is no state.

        Raises:
            ZooValueError: always.
        """
        raise ZooValueError("initial_state must be given, as cell.initial_state(memory, memory_mask), got none")

    def initial_state(self, memory: Any, memory_mask: Any = None) -> list:
        """Return the state before the first step, the memory with it; the cell must be built."""
        prepared = self.prepare(memory, memory_mask)
        return [*self.first_state(prepared), *prepared]

    @cast_weights
    def prepare(self, memory: Any, memory_mask: Any = None) -> Prepared:
        """Do once for a memory what every step needs: see the alignment's `prepare`."""
        return self.alignment.prepare(memory, memory_mask)

    def first_state(self, prepared: Prepared) -> list:
        """Return the state before the first step, without the memory."""
        batch = ops.shape(prepared.memory)[0]
        states = keras.tree.flatten(self.cell.get_initial_state(batch_size=batch))
        fed = [ops.zeros((batch, self.output_size), dtype=self.compute_dtype)] if self.input_feeding else []
        return [*fed, *states, *self.alignment.initial_state(prepared)]

    @cast_weights
    def step(
        self, inputs: Any, prepared: Prepared, state: Any, training: bool | None = None, path: str | None = None
    ) -> tuple[Any, Any, list]:
        """Take one step.

        Args:
            inputs: [batch, width].
            prepared: the memory, from the alignment's `prepare`; it may have fewer rows, as in the alignment's `step`.
            state: from `first_state` or the step before.
            training: True while fitting.
            path: as in the alignment's `step`.

        Returns:
            a[t], the weights [batch, key] and the next state.
        """
        count = len(state) - self.alignment.state_count
        state, looked = [ops.cast(tensor, self.compute_dtype) for tensor in state[:count]], state[count:]
        inputs = ops.cast(inputs, self.compute_dtype)
        if self.input_feeding:
            inputs = ops.concatenate([inputs, state.pop(0)], axis=-1)
        single = isinstance(self.cell.state_size, int)
        packed = state[0] if single else keras.tree.pack_sequence_as(self.cell.state_size, state)
        hidden, packed = self.cell(inputs, packed)
        looked = tuple(ops.cast(tensor, "float32") for tensor in looked)
        context, weights, looked = self.alignment.step(hidden, prepared, looked, training=training, path=path)
        vector = self.join(ops.concatenate([context, hidden], axis=-1))
        fed = [vector] if self.input_feeding else []
        return vector, weights, [*fed, *keras.tree.flatten(packed), *looked]

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> tuple[Any, list]:
        count = len(states) - len(Prepared._fields)
        prepared = Prepared(*states[count:])
        vector, _, after = self.step(inputs, prepared, list(states[:count]), training)
        after = [ops.cast(new, old.dtype) for new, old in zip(after, states)]
        return vector, [*after, *prepared]


def run_cell(
    cell: AlignmentCell,
    inputs: Any,
    prepared: Prepared,
    state: Any,
    mask: Any = None,
    training: bool | None = None,
    change: Callable | None = None,
    path: str | None = None,
) -> tuple[Any, Any]:
    """Take all steps by one loop, and add what loss the alignment has.

    Args:
        cell: built.
        inputs: [batch, time, width].
        prepared: the memory, from the alignment's `prepare`.
        state: before the first step, as `first_state` returns it.
        mask: bool [batch, time]; a padded step gives zeros and leaves the state as it is.
        training: True while fitting.
        change: takes and returns the function that takes a step, the inputs and the state, as `run_steps` wants
            them, for a loop that does more.
        path: as in the alignment's `step`.

    Returns:
        a, [batch, time, units], and the weights [batch, 1, time, key]; only tapes for loops have met them.
    """

    def advance(inputs: Any, state: tuple) -> tuple[Any, tuple]:
        vector, weights, state = cell.step(inputs, prepared, list(state), training, path)
        return ops.concatenate([vector, weights], axis=-1), tuple(state)

    state = tuple(state)
    if change is not None:
        advance, inputs, state = change(advance, inputs, state)
    finish = None
    if training:
        advance, inputs, finish = reseed_steps(advance, inputs, cell.alignment)
    outputs, _ = run_steps(advance, inputs, state, mask)
    if finish is not None:
        finish()
    vectors, weights = outputs[:, :, : cell.output_size], outputs[:, :, cell.output_size :]
    cell.alignment.judge(weights, mask)
    return ops.cast(vectors, cell.compute_dtype), ops.cast(ops.expand_dims(weights, 1), cell.compute_dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class InputFeeding(keras.layers.Layer):
    """Decode with a recurrent network that reads a memory at each step and is fed what it made of the last reading.

    h[t], s[t] = cell([x[t]; a[t - 1]], s[t - 1]), c[t] = align(h[t], memory), a[t] = tanh(W [c[t]; h[t]])

    Args:
        units: channels of the cell and of a[t].
        cell: "lstm", "gru", or a recurrent cell of Keras.
        alignment: a `StepwiseAlignment`; None is `Alignment` by the inner product of projections to
            `units`.
        input_feeding: False leaves a[t - 1] out.

    Call:
        query: the decoder's inputs x, [batch, query, width].
        memory: [batch, key, memory width].
        query_mask: bool [batch, query]; a padded step gives zeros and leaves the state as it is.
        memory_mask: bool [batch, key]; False marks padding.
        return_attention_scores: also return the weights.
        training: True while fitting.

    Returns:
        a, [batch, query, units], and the weights [batch, 1, query, key] where asked for. The decoder has read the
        memory before the whole map is there: only a tape that is for loops can change what is read.

    Raises:
        ZooValueError: if units is under 1 or the cell is unknown, and as `AlignmentCell`.

    Cost: as the cell and the alignment, one step after another.
    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.3.
    """

    def __init__(
        self, units: int = 128, cell: Any = "lstm", alignment: Any = None, input_feeding: bool = True, **kwargs: Any
    ):
        super().__init__(**kwargs)
        whole_number("units", units, unit="channels")
        self.supports_masking = True
        self.units, self.input_feeding = units, input_feeding
        policy = self.dtype_policy
        if isinstance(cell, str):
            if cell not in _CELLS:
                raise unknown("cell", cell, _CELLS)
            start = WideOrthogonal()
            cell = _CELLS[cell](units, recurrent_initializer=start, name="cell", dtype=policy)
        if alignment is None:
            alignment = Alignment("dot", units=units, name="alignment", dtype=policy)
        self.decoder = AlignmentCell(_made(cell), _made(alignment), units, input_feeding, name="decoder", dtype=policy)

    def get_config(self) -> dict:
        config = {**super().get_config(), "units": self.units, "input_feeding": self.input_feeding}
        parts = {name: keras.saving.serialize_keras_object(getattr(self.decoder, name)) for name in _PARTS}
        return {**config, **parts}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        self.decoder.build((query_shape[0], query_shape[-1]), memory_shape)

    def call(
        self,
        query: Any,
        memory: Any,
        query_mask: Any = None,
        memory_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        prepared = self.decoder.prepare(memory, memory_mask)
        first = self.decoder.first_state(prepared)
        path = site_path(self)
        outputs, weights = run_cell(self.decoder, query, prepared, first, query_mask, training, path=path)
        site = Site(path, "mix", ("batch", "head", "query", "key"))
        weights = tap_after_loop(site, weights, seen_pairs(Masks(query_mask, memory_mask)))
        return (outputs, weights) if return_attention_scores else outputs

    def compute_output_shape(self, query_shape: Any, memory_shape: Any) -> tuple:
        return (*query_shape[:-1], self.units)

    def compute_output_spec(
        self, query: Any, memory: Any, *args: Any, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        outputs = keras.KerasTensor(self.compute_output_shape(query.shape, memory.shape), dtype=self.compute_dtype)
        return with_map(outputs, query, memory) if return_attention_scores else outputs


@keras.saving.register_keras_serializable(package="attention_zoo")
class WideOrthogonal(keras.initializers.Orthogonal):
    """Draw an orthogonal matrix in float32, whatever its type is to be: no backend decomposes one in float16."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.cast(super().__call__(shape, "float32"), dtype or keras.config.floatx())


_CELLS = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}
_PARTS = ("cell", "alignment")


def _made(part: Any) -> Any:
    """Make a layer from its serialised form."""
    return keras.saving.deserialize_keras_object(part) if isinstance(part, dict) else part
