"""Step-wise alignment: the memory that each step of a recurrent decoder looks at, and where it looks."""

from typing import Any, NamedTuple

import keras
from keras import ops

from attention_zoo.core import Site, site_path, tap, tap_in_loop, watched
from attention_zoo.core.masks import Masks, seen_pairs
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.alignment.stepping import run_steps


class Prepared(NamedTuple):
    """A memory, ready for any number of steps: plain tensors whose first axis is the batch.

    Args:
        memory: [batch, key, width].
        keys: [batch, key, channel], what queries are compared with.
        mask: float32 [batch, key], 1 where there is no padding.
    """

    memory: Any
    keys: Any
    mask: Any


class StepwiseAlignment(keras.layers.Layer):
    """Base of alignments: each step of a decoder weighs the positions of a memory.

    context[t] = sum over k of weights[t, k] memory[k], weights[t], state = weigh(query[t], memory, state)

    A whole sequence of queries is answered by a call; a decoder that writes its own input asks step by step:

        prepared, state = alignment.prepare(memory, memory_mask), alignment.initial_state(memory)
        context, weights, state = alignment.step(query, prepared, state)   # for each step

    `prepared` and `state` hold plain tensors [batch, ...], so that a beam search may gather or repeat them by example.
    A step may run inside a loop, where only tapes that keep nothing can be met: they change what is read. All other
    tapes are shown the map of a call, once, after its loop.

    Call:
        query: [batch, query, width], for example the states of a decoder.
        memory: [batch, key, width].
        query_mask: bool [batch, query]; a padded query gets zeros and leaves the state as it is.
        memory_mask: bool [batch, key]; False marks padding.
        return_attention_scores: also return the weights.
        training: True while fitting.

    Returns:
        the contexts [batch, query, memory width], and the weights [batch, 1, query, key] where asked for.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def prepare(self, memory: Any, memory_mask: Any = None) -> Prepared:
        """Do once for a memory what every step needs.

        Args:
            memory: [batch, key, width].
            memory_mask: bool [batch, key]; None for no padding.

        Raises:
            ZooValueError: if the layer is not built.
        """
        if not self.built:
            raise ZooValueError(
                f"{self.name} must be built before it is used by steps: build(query_shape, memory_shape)"
            )
        memory = ops.cast(memory, self.compute_dtype)
        keys = self.project_memory(memory)
        ones = ops.ones_like(ops.cast(memory[:, :, 0], "float32"))
        mask = ones if memory_mask is None else ops.cast(memory_mask, "float32") * ones
        return Prepared(memory, keys, mask)

    def project_memory(self, memory: Any) -> Any:
        """Return the keys [batch, key, channel] of a memory."""
        return memory

    @property
    def state_count(self) -> int:
        """Return how many tensors the state has."""
        return 0

    def initial_state(self, memory: Any) -> tuple:
        """Return the state before the first step: float32 tensors [batch, ...].

        Args:
            memory: [batch, key, width], or what `prepare` returned.
        """
        return ()

    def step(
        self,
        query: Any,
        memory: Any,
        state: tuple,
        memory_mask: Any = None,
        training: bool | None = None,
        path: str | None = None,
    ) -> tuple[Any, Any, tuple]:
        """Look once.

        Args:
            query: [batch, width]; or [batch x n, width], n queries of each memory next to each other, as the
                hypotheses of a beam search are.
            memory: what `prepare` returned; or [batch, key, width], which is then prepared anew.
            state: what `initial_state` or the step before returned, as many rows as there are queries.
            memory_mask: bool [batch, key]; only with a memory that is not prepared.
            training: True while fitting.
            path: name of the place in the model, for the tap; None is the layer's own.

        Returns:
            the context [queries, memory width], the weights [queries, key] and the next state.
        """
        prepared = memory if isinstance(memory, Prepared) else self.prepare(memory, memory_mask)
        query, state = ops.cast(query, self.compute_dtype), tuple(state)
        if self.state_count:
            prepared = Prepared(*(repeat_rows(tensor, ops.shape(query)[0]) for tensor in prepared))
            weights, state = self.weigh_one(query, prepared, state, training)
            weights = ops.expand_dims(weights, 1)
        else:
            # The memory is read where it lies: no copy for each query.
            queries = ops.reshape(query, (ops.shape(prepared.memory)[0], -1, query.shape[-1]))
            weights, state = self.weigh(queries, prepared, state, None, training)
        weights = _changed(path or site_path(self), ops.cast(weights, self.compute_dtype), prepared.mask)
        contexts = ops.reshape(_mix(weights, prepared.memory), (-1, prepared.memory.shape[-1]))
        return contexts, ops.reshape(weights, (-1, ops.shape(weights)[-1])), state

    def weigh_one(self, query: Any, prepared: Prepared, state: tuple, training: bool | None) -> tuple[Any, tuple]:
        """Weigh for one query [batch, width]; return float32 [batch, key] and the next state."""
        weights, state = self.weigh(ops.expand_dims(query, 1), prepared, state, None, training)
        return ops.squeeze(weights, 1), state

    def weigh(
        self, query: Any, prepared: Prepared, state: tuple, query_mask: Any, training: bool | None
    ) -> tuple[Any, tuple]:
        """Weigh for all queries [batch, query, width]; return float32 [batch, query, key] and the last state.

        Every subclass gives it.
        """

    def call(
        self,
        query: Any,
        memory: Any,
        query_mask: Any = None,
        memory_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        prepared = self.prepare(memory, memory_mask)
        weights, _ = self.weigh(query, prepared, self.initial_state(prepared), query_mask, training)
        if query_mask is not None:
            weights = weights * ops.expand_dims(ops.cast(query_mask, weights.dtype), -1)
        self.judge(weights, query_mask)
        site = Site(site_path(self), "mix", ("batch", "head", "query", "key"))
        seen = seen_pairs(Masks(query_mask, memory_mask))
        weights = tap(site, ops.expand_dims(ops.cast(weights, prepared.memory.dtype), 1), seen)
        contexts = _mix(ops.squeeze(weights, 1), prepared.memory)
        return (contexts, weights) if return_attention_scores else contexts

    def judge(self, weights: Any, query_mask: Any) -> None:
        """Add a loss on the float32 weights [batch, query, key] of a call, where an alignment has one."""

    def compute_output_shape(self, query_shape: Any, memory_shape: Any) -> tuple:
        return (*query_shape[:-1], memory_shape[-1])

    def compute_output_spec(
        self, query: Any, memory: Any, *args: Any, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        contexts = keras.KerasTensor(self.compute_output_shape(query.shape, memory.shape), dtype=self.compute_dtype)
        return with_map(contexts, query, memory) if return_attention_scores else contexts


def with_map(outputs: Any, query: Any, memory: Any) -> tuple[Any, Any]:
    """Describe a symbolic call that returns its map [batch, 1, query, key] beside its outputs."""
    shape = (query.shape[0], 1, query.shape[1], memory.shape[1])
    return outputs, keras.KerasTensor(shape, dtype=outputs.dtype)


def repeat_rows(tensor: Any, rows: Any) -> Any:
    """Repeat [batch, ...] to [rows, ...], the same ones next to each other."""
    times = rows // ops.shape(tensor)[0]
    if isinstance(times, int) and times == 1:
        return tensor
    return ops.take(tensor, ops.arange(rows) // times, axis=0)


def _mix(weights: Any, memory: Any) -> Any:
    """Multiply weights [batch, query, key] with a memory [batch, key, width]."""
    return ops.matmul(weights, memory)


class RecurrentAlignment(StepwiseAlignment):
    """Base of alignments in which a step depends on where the steps before it looked.

    A subclass gives `read` (what the steps need of their queries, for all at once) and `advance` (one step).
    """

    @property
    def state_count(self) -> int:
        return 1

    def read(self, query: Any, prepared: Prepared, training: bool | None) -> Any:
        """Return [batch, query, n] for queries [batch, query, width]."""

    def advance(self, read: Any, prepared: Prepared, state: tuple) -> tuple[Any, tuple]:
        """Return float32 weights [batch, key] and the next state for one step's `read` [batch, n]."""

    def weigh_one(self, query: Any, prepared: Prepared, state: tuple, training: bool | None) -> tuple[Any, tuple]:
        read = self.read(ops.expand_dims(query, 1), prepared, training)
        return self.advance(ops.cast(ops.squeeze(read, 1), "float32"), prepared, state)

    def weigh(
        self, query: Any, prepared: Prepared, state: tuple, query_mask: Any, training: bool | None
    ) -> tuple[Any, tuple]:
        read = self.read(query, prepared, training)
        return run_steps(lambda inputs, before: self.advance(inputs, prepared, before), read, state, query_mask)


def initial_weights(memory: Any, first: float = 0.0) -> Any:
    """Return float32 [batch, key] with `first` at the first key and 0 elsewhere, for a memory or a prepared one."""
    memory = memory.memory if isinstance(memory, Prepared) else memory
    zeros = ops.zeros_like(ops.cast(memory[:, :, 0], "float32"))
    return ops.concatenate([zeros[:, :1] + first, zeros[:, 1:]], axis=1)


def _changed(path: str, weights: Any, mask: Any) -> Any:
    """Return what tapes make of the weights of a step, [batch, query, key]; the next state knows nothing of it."""
    if not watched():
        return weights
    site = Site(path, "mix", ("batch", "head", "query", "key"))
    return ops.squeeze(tap_in_loop(site, ops.expand_dims(weights, 1), ops.expand_dims(mask > 0.5, (1, 2))), 1)
