"""Order a few candidates for a user: by target attention over his history, or by crossing fields."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import unknown
from attention_zoo.layers import named

TARGET = ("din", "nais")  # attention of a candidate over a history
FIELDS = ("auto_int", "afm", "senet_fields")  # attention among the fields of an example
KINDS = (*TARGET, *FIELDS)


@keras.saving.register_keras_serializable(package="attention_zoo")
class UpTo(keras.layers.Layer):
    """Say which places of each history may be seen from one of them.

    Call:
        mask: bool [batch, steps]; False marks padding.
        places: int [batch], row x steps + step.

    Returns:
        bool [batch, steps], False also for what comes after the place.
    """

    def call(self, mask: Any, places: Any) -> Any:
        rows, steps = ops.shape(mask)[0], ops.shape(mask)[1]
        step = ops.cast(places, "int32") - ops.arange(rows, dtype="int32") * steps
        earlier = ops.expand_dims(ops.arange(steps, dtype="int32"), 0) <= ops.expand_dims(step, 1)
        return ops.logical_and(mask, earlier)

    def compute_output_spec(self, mask: Any, places: Any) -> Any:
        return keras.KerasTensor(mask.shape, dtype="bool")


class _Ranker(keras.layers.Layer):
    """Shared by the rankers: what they take, and the network at their end.

    score = state . item + network(what the ranker makes of candidate, state and history)

    The first part is what found the candidates; the network begins at 0, so a new ranker leaves them as they were.

    Args:
        attention: a name, or a dict with "name" and arguments.
        units: hidden units of the network.
        dropout: share of the hidden units dropped while training.

    Call:
        candidates: [batch, candidate, field, width], the item and what is known of it, as `ItemTable` gives "fields".
        state: [batch, width], of the user.
        keys: [batch, steps, width], vectors of the items of the history, the newest last.
        keys_mask: bool [batch, steps]; False marks padding.

    Returns:
        float32 [batch, candidate].

    Raises:
        ZooValueError: if a number is out of range, or the attention is none of those that fit.
    """

    fitting: tuple[str, ...] = KINDS

    def __init__(self, attention: Any, units: int = 64, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        name = attention.get("name") if isinstance(attention, dict) else attention
        if name not in self.fitting:
            raise unknown("attention of the ranker", name, self.fitting)
        self.attention, self.units = attention, whole_number("units", units)
        self.dropout = share("dropout", dropout)

    def get_config(self) -> dict:
        own = {"attention": self.attention, "units": self.units, "dropout": self.dropout}
        return {**super().get_config(), **own}

    def build_end(self, channels: int) -> None:
        """Build the network for so many channels a candidate."""
        policy = {"dtype": self.dtype_policy}
        self.hidden = keras.layers.Dense(self.units, "relu", name="hidden", **policy)
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)
        self.score = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="score", **policy)
        self.hidden.build((None, None, channels))
        self.score.build((None, None, self.units))

    def finish(self, found: Any, items: Any, state: Any, training: bool | None) -> Any:
        """Return the scores, of what was made of each candidate [batch, candidate, channels]."""
        # Vectors of a table are larger by this than what it scores with.
        near = ops.einsum("bcw,bw->bc", items, state) / items.shape[-1] ** 0.5
        said = self.score(self.dropping(self.hidden(found), training=training))
        return ops.cast(near, "float32") + ops.cast(ops.squeeze(said, -1), "float32")

    def compute_output_spec(self, candidates: Any, state: Any, keys: Any, keys_mask: Any) -> Any:
        return keras.KerasTensor(candidates.shape[:2], dtype="float32")


@keras.saving.register_keras_serializable(package="attention_zoo")
class TargetRanker(_Ranker):
    """Order candidates by what of the history speaks for each of them.

    network([attention(candidate, keys); candidate; state; attended * candidate; state * candidate])

    Arguments, call and errors: see `_Ranker`; attention is "din" or "nais".

    Source: Zhou et al. 2017, arXiv:1706.06978, section 4.3. Differs: the scores that found the candidates are added.
    """

    fitting = TARGET

    def build(self, candidates_shape: Any, state_shape: Any, keys_shape: Any, keys_mask_shape: Any = None) -> None:
        width = keys_shape[-1]
        self.attending = named.get(self.attention, role="recommend", name="attention", dtype=self.dtype_policy)
        self.attending.build((None, None, width), (None, None, width))
        self.build_end(5 * width)

    def call(self, candidates: Any, state: Any, keys: Any, keys_mask: Any, training: bool | None = None) -> Any:
        items = ops.sum(candidates, axis=2)
        seen = self.attending(items, keys, keys_mask=keys_mask, training=training)
        user = ops.expand_dims(state, 1) + ops.zeros_like(items)
        found = ops.concatenate([seen, items, user, seen * items, user * items], axis=-1)
        return self.finish(found, items, state, training)


@keras.saving.register_keras_serializable(package="attention_zoo")
class FieldRanker(_Ranker):
    """Order candidates by how their fields and those of the user go together.

    network(attention(fields)), fields: the state, the newest item, the mean of the history, the item, its features

    Arguments, call and errors: see `_Ranker`; attention is "auto_int", "afm" or "senet_fields".

    Cost: time batch x candidate x field^2 x width.
    Source: Song et al. 2018, arXiv:1810.11921; Xiao et al. 2017, arXiv:1708.04617. Differs: a history stands as three
    fields, and the scores that found the candidates are added.
    """

    fitting = FIELDS

    def build(self, candidates_shape: Any, state_shape: Any, keys_shape: Any, keys_mask_shape: Any = None) -> None:
        shape = (None, candidates_shape[2] + 3, keys_shape[-1])
        self.attending = named.get(self.attention, role="recommend", name="attention", dtype=self.dtype_policy)
        self.attending.build(shape)
        crossed = self.attending.compute_output_shape(shape)
        self.channels = crossed[-1] if len(crossed) == 2 else crossed[1] * crossed[2]
        self.build_end(self.channels)

    def call(self, candidates: Any, state: Any, keys: Any, keys_mask: Any, training: bool | None = None) -> Any:
        items = ops.sum(candidates, axis=2)
        nothing = ops.zeros_like(items)
        mean, last = _summed(keys, keys_mask)
        users = [ops.expand_dims(ops.expand_dims(part, 1) + nothing, 2) for part in (state, last, mean)]
        fields = ops.concatenate([*users, candidates], axis=2)
        shape = ops.shape(items)
        crossed = self.attending(ops.reshape(fields, (-1, *fields.shape[2:])))
        found = ops.reshape(crossed, (shape[0], shape[1], self.channels))
        return self.finish(found, items, state, training)


def _summed(keys: Any, mask: Any) -> tuple[Any, Any]:
    """Return the mean of what may be seen and the last of it, [batch, width] each; zeros where there is nothing."""
    shown = ops.cast(mask, keys.dtype)
    counts = ops.sum(shown, axis=1, keepdims=True)
    mean = ops.einsum("bs,bsw->bw", shown, keys) / ops.maximum(counts, 1.0)
    # What may be seen is one stretch: the last of it is followed by what may not.
    after = ops.concatenate([shown[:, 1:], ops.zeros_like(shown[:, :1])], axis=1)
    last = shown * (1.0 - after)
    return mean, ops.einsum("bs,bsw->bw", last, keys)
