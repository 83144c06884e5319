"""The composable attention layer: Keras's own by default, any part of it exchangeable."""

from typing import Any

import keras
from keras import constraints, initializers, regularizers

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Parts, attend, get_part, site_path
from attention_zoo.core.folding import Folding
from attention_zoo.core.heads import mix_maps, shared_groups
from attention_zoo.core.masks import as_pairs, both
from attention_zoo.core.patterns import Causal, SlidingWindow
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.incremental import Incremental
from attention_zoo.layers.projected import Projected


@keras.saving.register_keras_serializable(package="attention_zoo")
class MultiHeadAttention(Projected, Incremental, keras.layers.Layer):
    """Attend with several heads; drop-in for `keras.layers.MultiHeadAttention`.

    output = W_o [head_1; ...; head_h], head_i = attend(W_q,i query, W_k,i key, W_v,i value)

    With its defaults it computes what Keras's layer computes, from weights of the same layout, and is at least as fast.
    Each part is a name, a dict with "name" and arguments, or an object: see `part_names(kind)`. Unlike Keras's layer it
    gives zeros, not an average, for a query that may see nothing, and it may be called with `query` alone. For decoding
    token by token see `Incremental`.

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the weights dropped while training, 0 to 1.
        use_bias: whether the projections have biases.
        output_shape: shape of an output position; None is the width of `query`.
        attention_axes: axes that attention runs over; None is all but batch and width.
        sliding_window: keys are seen less than this many steps away (tokens); None sees all. `SlidingWindow` counts
            from 0, so `sliding_window=n` is `pattern=SlidingWindow(n - 1)`.
        flash_attention: True insists on the backend's flash kernel; None and False take the fastest measured path.
        kernel_initializer: of the projections.
        bias_initializer: of the projections.
        kernel_regularizer: of the projections.
        bias_regularizer: of the projections.
        activity_regularizer: of the projections.
        kernel_constraint: of the projections.
        bias_constraint: of the projections.
        use_gate: scale the heads' outputs by a sigmoid of the query's input (Qiu et al. 2025, arXiv:2505.06708).
        seed: of the dropout.
        num_key_value_heads: heads of keys and values; None is `num_heads`, 1 is multi-query (Shazeer 2019,
            arXiv:1911.02150), a divisor is grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245).
        score: how queries and keys are compared; None is "scaled_dot".
        normalizer: how scores become weights; None is "softmax".
        position: how places are told; None is "none".
        pattern: which pairs may meet; None is "full".
        talking_heads: mix the heads' scores before the normalizer and their weights after it by learned
            matrices that start as the identity (Shazeer et al. 2020, arXiv:2003.02436).

    Call:
        query: [batch, query, width]; more axes where `attention_axes` asks for them.
        value: [batch, key, width]; None is `query` (self-attention).
        key: [batch, key, width]; None is `value`.
        query_mask, value_mask, key_mask: bool [batch, length]; False marks padding. Keras fills them.
        attention_mask: bool [batch, query, key], or with a head axis second; True where one may look.
        return_attention_scores: also return the map [batch, head, query, key]; the output stays the same.
        use_causal_mask: hide later keys.

    Returns:
        [batch, query, output width], and the map where asked for.

    Raises:
        ZooValueError: if a number of heads or channels is not positive, heads are not a multiple of the key-value
            heads, `dropout` is out of range or a part's name is unknown.

    Cost: time batch x heads x query x key x channels, memory likewise where a map is formed; bounded patterns run by
    blocks.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    steps = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        num_key_value_heads: int | None = None,
        score: Any = None,
        normalizer: Any = None,
        position: Any = None,
        pattern: Any = None,
        talking_heads: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads = whole_number("num_heads", num_heads)
        self.key_dim = whole_number("key_dim", key_dim)
        self.value_dim = key_dim if value_dim is None else whole_number("value_dim", value_dim)
        self.num_key_value_heads = shared_groups(num_heads, num_key_value_heads)
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.dropout, self.use_bias, self.use_gate, self.seed = dropout, use_bias, use_gate, seed
        self.out_shape = (output_shape,) if isinstance(output_shape, int) else output_shape
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self.sliding_window = None if sliding_window is None else whole_number("sliding_window", sliding_window)
        self.flash_attention, self.talking_heads = flash_attention, talking_heads
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.score = get_part("score", score, "scaled_dot", self.dtype_policy)
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)
        self.position = get_part("position", position, "none", self.dtype_policy)
        self.pattern = get_part("pattern", pattern, "full", self.dtype_policy)
        self._pattern = self.pattern if sliding_window is None else self.pattern & SlidingWindow(sliding_window - 1)
        full = self._pattern.zoo_name == "full"
        self._causal_pattern = Causal() if full else self._pattern & Causal()

    def get_config(self) -> dict:
        plain = ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "attention_axes", "sliding_window")
        plain += ("flash_attention", "use_gate", "seed", "num_key_value_heads", "talking_heads")
        config = {**super().get_config(), **{name: getattr(self, name) for name in plain}}
        config["output_shape"] = self.out_shape
        for kind, library in (
            ("initializer", initializers),
            ("regularizer", regularizers),
            ("constraint", constraints),
        ):
            for name in ("kernel", "bias", "activity"):
                if hasattr(self, f"{name}_{kind}"):
                    config[f"{name}_{kind}"] = library.serialize(getattr(self, f"{name}_{kind}"))
        for name in ("score", "normalizer", "position", "pattern"):
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        value_shape = query_shape if value_shape is None else value_shape
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ZooValueError(f"key and value must have the same lengths, got shapes {key_shape} and {value_shape}")
        self._folding = Folding(len(query_shape), self.attention_axes)
        channels = self.build_heads(query_shape[-1], value_shape[-1], key_shape[-1])
        shape = (query_shape[-1],) if self.out_shape is None else tuple(self.out_shape)
        letters = "defgijklmn"[: len(shape)]
        self.output_dense = self._einsum("attention_output", f"abhc,hc{letters}->ab{letters}", (None, *shape), letters)
        self.output_dense.build((None, None, self.num_heads, self.value_dim))
        self.dropout_layer = keras.layers.Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        for part in (self.score, self.normalizer, self.position, self.pattern):
            if not part.built:
                part.build((self.maps, channels, query_shape[-1], self.value_dim))
        if self.talking_heads:
            square = {"shape": (self.num_heads, self.num_heads), "initializer": "identity"}
            self.scores_mix = self.add_weight(name="scores_mix", **square)
            self.weights_mix = self.add_weight(name="weights_mix", **square)

    def call(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
        mask: Any = None,
    ) -> Any:
        if value is None:
            # Keras fills `query_mask` only where there are several tensors, and `mask` where there is one.
            query_mask = mask if query_mask is None else query_mask
            value, value_mask = query, query_mask if value_mask is None else value_mask
        masks = self._masks(query_mask, both(value_mask, key_mask), attention_mask)
        fold = self._folding.fold
        inputs = fold(query)
        placed = self._embedded(inputs, fold(value), fold(value if key is None else key))
        query_heads, (key_heads, value_heads) = self.project_query(placed[0]), self.project_memory(*placed[1:])
        attended = self.attend_heads(
            query_heads,
            key_heads,
            value_heads,
            masks=masks,
            causal=use_causal_mask,
            training=training,
            need_weights=return_attention_scores,
        )
        output = self._folding.unfold(self.finish_heads(attended.output, inputs), query)
        if not return_attention_scores:
            return output
        return output, self._folding.unfold_map(attended.weights, query, value)

    def attend_heads(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        masks: Masks,
        causal: bool = False,
        training: bool | None = None,
        need_weights: bool = False,
        start: Any = 0,
        prepared: bool = False,
    ) -> Attended:
        """Mix the projected heads; a layer that mixes in another way overrides this and nothing else.

        Args:
            query: [batch, query, head, channel].
            key: [batch, key, group, channel].
            value: [batch, key, group, value channel].
            masks: what may be seen.
            causal: hide later keys.
            training: True while fitting.
            need_weights: True to get the map back.
            start: place of the first query, where keys count from 0.
            prepared: True where queries and keys come from a cache.
        """
        return attend(
            query,
            key,
            value,
            path=site_path(self),
            parts=self._parts(causal, training),
            masks=masks,
            training=training,
            need_weights=need_weights,
            start=start,
            prepared=prepared,
        )

    def _embedded(self, query: Any, value: Any, key: Any) -> tuple[Any, Any, Any]:
        """Mark absolute positions on each input, once where inputs are the same."""
        done: dict[int, Any] = {}
        for array in (query, value, key):
            if id(array) not in done:
                done[id(array)] = self.position.embed(array)
        return done[id(query)], done[id(value)], done[id(key)]

    def _masks(self, queries: Any, keys: Any, attention_mask: Any) -> Masks:
        """Fold the masks."""
        queries, keys = (None if mask is None else self._folding.fold(mask) for mask in (queries, keys))
        pairs = None if attention_mask is None else as_pairs(self._folding.fold_pairs(attention_mask))
        return Masks(queries, keys, pairs)

    def _parts(self, use_causal_mask: bool, training: bool | None) -> Parts:
        """Gather the parts of this call."""
        talk = self.talking_heads
        return Parts(
            self.score,
            self.normalizer,
            self.position,
            self._causal_pattern if use_causal_mask else self._pattern,
            dropout=(lambda weights: self.dropout_layer(weights, training=True)) if training and self.dropout else None,
            mix_scores=(lambda scores: mix_maps(scores, self.scores_mix)) if talk else None,
            mix_weights=(lambda weights: mix_maps(weights, self.weights_mix)) if talk else None,
            flash=self.flash_attention,
        )

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> tuple:
        tail = (query_shape[-1],) if self.out_shape is None else tuple(self.out_shape)
        return (*query_shape[:-1], *tail)

    def compute_output_spec(
        self, query: Any, value: Any = None, key: Any = None, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        output = keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        keys = (query if value is None else value).shape
        folding = Folding(len(query.shape), self.attention_axes)
        lead = [query.shape[axis] for axis in (0, *folding.kept)]
        ends = [query.shape[axis] for axis in folding.attended] + [keys[axis] for axis in folding.attended]
        return output, keras.KerasTensor((*lead, self.num_heads, *ends), dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class GroupQueryAttention(MultiHeadAttention):
    """Attend with fewer heads of keys and values than of queries; drop-in for `keras.layers.GroupQueryAttention`.

    Args:
        head_dim: channels of each head.
        num_query_heads: heads of the queries.
        num_key_value_heads: heads of keys and values, a divisor of `num_query_heads`.
        **kwargs: as for `MultiHeadAttention`.

    Source: Ainslie et al. 2023, arXiv:2305.13245.
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            num_query_heads,
            head_dim,
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            num_key_value_heads=num_key_value_heads,
            **kwargs,
        )

    def get_config(self) -> dict:
        config = super().get_config()
        return {**config, "head_dim": config.pop("key_dim"), "num_query_heads": config.pop("num_heads")}
