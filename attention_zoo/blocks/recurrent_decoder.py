"""A recurrent network that aligns itself with a memory at each step."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.embeddings import PAD_ID
from attention_zoo.blocks.token_decoder import TokenDecoder
from attention_zoo.checks import share, whole_number
from attention_zoo.core import Site, site_path, tap_after_loop
from attention_zoo.core.masks import Masks, seen_pairs
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.layers import named
from attention_zoo.layers.alignment import AlignmentCell, Prepared
from attention_zoo.layers.alignment.base import repeat_rows
from attention_zoo.layers.alignment.decoder import WideOrthogonal, run_cell
from attention_zoo.layers.incremental import cast_weights

CELLS = {"gru": keras.layers.GRUCell, "lstm": keras.layers.LSTMCell}


@keras.saving.register_keras_serializable(package="attention_zoo")
class RecurrentDecoder(TokenDecoder):
    """Write a text token by token by a GRU or LSTM that looks at a memory at each step.

    h[t], s[t] = cell([x[t]; a[t - 1]], s[t - 1]), c[t] = align(h[t], memory), a[t] = tanh(W [c[t]; h[t]]),
    s[0] = tanh(V mean(memory) + b), logits[t] = U a[t]

    a[t] has the width of the embeddings, so that U may be their table.

    Args:
        units: channels of the cell.
        vocabulary_size: number of different ids.
        width: channels of the embeddings and of a[t].
        cell: "gru" or "lstm".
        alignment: how a step looks: a name of `layers.names("align")` but "input_feeding", a dict with "name" and
            arguments, or a layer of that role. One that compares queries and keys as they are does so here where the
            memory has `units` channels, and in `units` channels where it has not.
        input_feeding: whether the cell sees a[t - 1] beside its input.
        dropout: share of the embeddings, and of a[t] before the logits, dropped while training, 0 to 1.
        tie: True makes logits by the embeddings' table, False by one of their own; neither has a bias.
        embedding: a `TiedEmbedding` without position that others use too, in place of an own one.
        scheduled_sampling: share of the steps, after the first, that read what the network itself would have written
            in place of the target, while training, 0 to 1. None leaves this out, also of what is compiled; a number is
            the start of `sampling_share`, which a training may raise by `decoder.sampling_share.assign(0.25)`.
        seed: of scheduled sampling.

    Call:
        see `TokenDecoder`. A padded step leaves the state as it is. A loss of the alignment is added by a call.

    Returns:
        float32 [batch, target, vocabulary]. A tape sees the map of a call; one that is for loops changes what is read,
        step by step.

    Raises:
        ZooValueError: as `TokenDecoder`, if units is under 1, a name is unknown or the embedding has a position.
        ZooTypeError: if alignment is none.

    Cost: as the cell and the alignment, one step after another; scheduled sampling adds logits to each step.
    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, sections 3.1 and 3.3; additive alignment: Bahdanau, Cho, Bengio
    2014, arXiv:1409.0473; the first state: Sennrich et al. 2017, arXiv:1703.04357, section 2 (Bahdanau et al. take the
    encoder's backward state); Bengio et al. 2015, arXiv:1506.03099 (scheduled sampling; the likeliest token).
    """

    def __init__(
        self,
        units: int,
        vocabulary_size: int,
        width: int,
        cell: str = "gru",
        alignment: Any = "alignment",
        input_feeding: bool = True,
        dropout: float = 0.0,
        tie: bool = True,
        embedding: Any = None,
        scheduled_sampling: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(vocabulary_size, width, None, dropout, tie, embedding, **kwargs)
        self.units = whole_number("units", units, unit="channels")
        if cell not in CELLS:
            raise unknown("cell", cell, CELLS)
        position = self.embedding.position.zoo_name
        if position != "none":
            raise ZooValueError(f"embedding must have no position for a recurrent decoder, got {position!r}")
        if scheduled_sampling is not None:
            share("scheduled_sampling", scheduled_sampling)
            self.noise = keras.random.SeedGenerator(seed)
        self.cell_kind, self.alignment, self.input_feeding = cell, alignment, input_feeding
        self.scheduled_sampling, self.seed = scheduled_sampling, seed

    def get_config(self) -> dict:
        names = ("units", "alignment", "input_feeding", "scheduled_sampling", "seed")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}, "cell": self.cell_kind}
        return with_plain_layers(config)

    def build(self, target_ids_shape: Any, memory_shape: Any) -> None:
        self.build_ends()
        policy = {"dtype": self.dtype_policy}
        # The zoo's initializer: no backend decomposes a matrix in half precision.
        cell = CELLS[self.cell_kind](self.units, recurrent_initializer=WideOrthogonal(), name=self.cell_kind, **policy)
        options = {"name": "alignment", **policy, **_widths(self.alignment, self.units, memory_shape[-1])}
        alignment = named.get(self.alignment, role="align", **options)
        self.cell = AlignmentCell(cell, alignment, self.width, self.input_feeding, name="cell", **policy)
        self.cell.build((None, self.width), memory_shape)
        self.firsts = []
        for number, size in enumerate(keras.tree.flatten(cell.state_size), 1):
            first = keras.layers.Dense(size, activation="tanh", name=f"first_{number}", **policy)
            first.build((None, memory_shape[-1]))
            self.firsts.append(first)
        if self.scheduled_sampling is not None:
            start = keras.initializers.Constant(self.scheduled_sampling)
            self.sampling_share = self.add_weight(
                shape=(), initializer=start, trainable=False, autocast=False, dtype="float32", name="sampling_share"
            )

    def call(self, target_ids: Any, memory: Any, memory_mask: Any = None, training: bool | None = None) -> Any:
        mask, prepared = ops.not_equal(target_ids, PAD_ID), self.prepare(memory, memory_mask)
        inputs, first = self.embed(target_ids, training=training), self._first(prepared)
        change = self._sampled if training and self.scheduled_sampling is not None else None
        vectors, weights = run_cell(self.cell, inputs, _memory(prepared), first, mask, training, change)
        site = Site(site_path(self.cell.alignment), "mix", ("batch", "head", "query", "key"))
        tap_after_loop(site, weights, seen_pairs(Masks(mask, memory_mask)))
        return self.logits(self.dropping(vectors, training=training))

    def _sampled(self, advance: Callable, inputs: Any, first: tuple) -> tuple[Callable, Any, tuple]:
        """Let some steps read the likeliest token after the step before; what is drawn is drawn before the loop."""
        length = ops.shape(inputs)[1]
        drawn = keras.random.uniform(ops.shape(inputs)[:2], seed=self.noise) < self.sampling_share
        drawn = ops.logical_and(drawn, ops.expand_dims(ops.arange(length) > 0, 0))
        kept = self.dropping(ops.ones_like(inputs), training=True)
        packed = ops.concatenate([inputs, kept, ops.expand_dims(ops.cast(drawn, inputs.dtype), -1)], axis=-1)

        def choose(packed: Any, state: tuple) -> tuple[Any, tuple]:
            given, kept, drawn = (packed[:, : self.width], packed[:, self.width : -1], packed[:, -1:] > 0.5)
            own = ops.squeeze(self.embedding(ops.cast(state[0], "int32")), 1)
            output, after = advance(ops.where(drawn, ops.cast(own, kept.dtype) * kept, given), state[1:])
            said = ops.argmax(self.logits(output[:, : self.width]), axis=-1, keepdims=True)
            return output, (ops.cast(said, "float32"), *after)

        # The loop's states are float32, which holds every id exactly.
        none = ops.zeros_like(ops.cast(inputs[:, 0, :1], "float32"))
        return choose, packed, (none, *first)

    @cast_weights
    def prepare(self, memory: Any, memory_mask: Any = None) -> dict[str, Any]:
        prepared = self.cell.prepare(memory, memory_mask)
        shown = ops.expand_dims(prepared.mask, -1)
        total = ops.sum(ops.cast(prepared.memory, "float32") * shown, axis=1)
        mean = ops.cast(total / ops.maximum(ops.sum(shown, axis=1), 1.0), self.compute_dtype)
        firsts = {f"first_{number}": first(mean) for number, first in enumerate(self.firsts, 1)}
        return {**prepared._asdict(), **firsts}

    def start(self, prepared: dict[str, Any], rows: Any, length: int) -> dict[str, Any]:
        state = self._first(prepared)
        return {f"state_{number}": repeat_rows(tensor, rows) for number, tensor in enumerate(state, 1)}

    def step(
        self, token_ids: Any, state: dict[str, Any], prepared: dict[str, Any], index: Any, need_weights: bool = False
    ) -> tuple[Any, dict[str, Any], Any]:
        inputs = ops.squeeze(self.embed(ops.expand_dims(token_ids, 1), training=False), 1)
        before = [state[f"state_{number}"] for number in range(1, len(state) + 1)]
        vector, weights, after = self.cell.step(inputs, _memory(prepared), before, False)
        after = {f"state_{number}": ops.cast(new, old.dtype) for number, (new, old) in enumerate(zip(after, before), 1)}
        return self.logits(vector), after, ops.cast(weights, "float32") if need_weights else None

    def _first(self, prepared: dict[str, Any]) -> list:
        """Return the state before the first token, [batch, ...]: what the cell begins with comes from the memory."""
        state, fed = self.cell.first_state(_memory(prepared)), int(self.input_feeding)
        firsts = [prepared[f"first_{number}"] for number in range(1, len(self.firsts) + 1)]
        return [*state[:fed], *firsts, *state[fed + len(firsts) :]]


def _widths(asked: Any, units: int, memory_width: int) -> dict[str, int]:
    """Return the channels in which an alignment is to compare, where it needs to be told."""
    name = asked.get("name") if isinstance(asked, dict) else asked
    if not isinstance(name, str):
        return {}
    kinds = [inspect.signature(kind.__init__).parameters for kind in named.info(name).layer.__mro__]
    own = next((kind["units"].default for kind in kinds if "units" in kind), "none")
    as_they_are = own is None and units == memory_width
    return {} if own == "none" or as_they_are else {"units": units}


def _memory(prepared: dict[str, Any]) -> Prepared:
    """Return the memory of an alignment."""
    return Prepared(*(prepared[name] for name in Prepared._fields))
