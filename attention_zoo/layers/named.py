"""The table of variants: a name, what it is made of, where it comes from, what it is for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.layers.efficient.linear import LinearAttention
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.pooling.hierarchical import HierarchicalAttention
from attention_zoo.layers.pooling.structured import AttentionPooling, StructuredSelfAttention

ROLES = {
    "self": "reads a sequence and returns one of the same length",
    "cross": "reads one sequence with the queries of another",
    "pool": "reads a sequence and returns one vector",
    "hierarchical_pool": "reads a sequence of sequences and returns one vector",
}


@dataclass(frozen=True)
class Variant:
    """A row of the table.

    Args:
        name: by which users ask for it.
        layer: the class that computes it.
        formula: in one line.
        source: authors, year, arXiv number.
        roles: what it may be used for, names of `ROLES`.
        settings: arguments that make `layer` this variant.
        causal: True where no output sees a later input.
        linear: True where time and memory grow with length, not with its square.
    """

    name: str
    layer: Callable[..., keras.layers.Layer]
    formula: str
    source: str
    roles: tuple[str, ...] = ("self", "cross")
    settings: dict[str, Any] = field(default_factory=dict)
    causal: bool = False
    linear: bool = False


def _heads(
    name: str, formula: str, source: str, causal: bool = False, linear: bool = False, **settings: Any
) -> Variant:
    """Write a row that `MultiHeadAttention` computes with these settings."""
    return Variant(name, MultiHeadAttention, formula, source, settings=settings, causal=causal, linear=linear)


_MIX = "softmax(q k / sqrt(d)) v"
_ROWS = [
    # Arrangements of heads.
    _heads("multi_head", _MIX, "Vaswani et al. 2017, arXiv:1706.03762"),
    _heads(
        "multi_query", f"{_MIX}, one k and v for all heads", "Shazeer 2019, arXiv:1911.02150", num_key_value_heads=1
    ),
    _heads(
        "grouped_query",
        f"{_MIX}, one k and v for two heads",
        "Ainslie et al. 2023, arXiv:2305.13245",
        num_key_value_heads="half",
    ),
    _heads(
        "talking_heads",
        "(softmax(q k / sqrt(d) P) W) v, P and W mix the heads",
        "Shazeer et al. 2020, arXiv:2003.02436",
        talking_heads=True,
    ),
    _heads("gated", f"sigmoid(W x) ({_MIX})", "Qiu et al. 2025, arXiv:2505.06708", use_gate=True),
    # Scores.
    _heads("dot", "softmax(q k) v", "Luong et al. 2015, arXiv:1508.04025", score="dot"),
    _heads("general", "softmax(q W k) v", "Luong et al. 2015, arXiv:1508.04025", score="general"),
    _heads("additive", "softmax(u tanh(W q + U k)) v", "Bahdanau et al. 2014, arXiv:1409.0473", score="additive"),
    _heads("concat", "softmax(u tanh(W [q; k])) v", "Luong et al. 2015, arXiv:1508.04025", score="concat"),
    _heads("cosine", "softmax(exp(b) cos(q, k)) v", "Graves et al. 2014, arXiv:1410.5401", score="cosine"),
    _heads(
        "query_key_norm",
        "softmax(norm(q) norm(k) / sqrt(d)) v",
        "Henry et al. 2020, arXiv:2010.04245",
        score="query_key_norm",
    ),
    _heads(
        "soft_capped",
        "softmax(c tanh(q k / (c sqrt(d)))) v",
        "Gemma Team 2024, arXiv:2408.00118",
        score={"name": "scaled_dot", "soft_cap": 50.0},
    ),
    # Normalizers.
    _heads(
        "sparsemax", "sparsemax(q k / sqrt(d)) v", "Martins, Astudillo 2016, arXiv:1602.02068", normalizer="sparsemax"
    ),
    _heads("entmax15", "entmax_1.5(q k / sqrt(d)) v", "Peters et al. 2019, arXiv:1905.05702", normalizer="entmax15"),
    _heads(
        "sigmoid", "sigmoid(q k / sqrt(d) - log n) v", "Ramapuram et al. 2024, arXiv:2409.04431", normalizer="sigmoid"
    ),
    _heads(
        "top_k", "softmax(the largest n of q k / sqrt(d)) v", "Zhao et al. 2019, arXiv:1912.11637", normalizer="top_k"
    ),
    _heads(
        "softmax_plus_one",
        "exp(q k / sqrt(d)) / (1 + sum) v",
        "Xiao et al. 2023, arXiv:2309.17453",
        normalizer="softmax_plus_one",
    ),
    _heads(
        "sink_softmax",
        "exp(q k / sqrt(d)) / (exp(s) + sum) v",
        "OpenAI 2025, arXiv:2508.10925",
        normalizer="sink_softmax",
    ),
    _heads(
        "gumbel_softmax",
        "softmax((q k / sqrt(d) + g) / t) v",
        "Jang et al. 2016, arXiv:1611.01144",
        normalizer="gumbel_softmax",
    ),
    _heads("hard", "v at the largest q k", "Xu et al. 2015, arXiv:1502.03044", normalizer="hard"),
    # Positions.
    _heads("sinusoidal", f"{_MIX} of x + sin, cos", "Vaswani et al. 2017, arXiv:1706.03762", position="sinusoidal"),
    _heads("learned_position", f"{_MIX} of x + p", "Gehring et al. 2017, arXiv:1705.03122", position="learned"),
    _heads("rotary", "softmax(R_q q R_k k / sqrt(d)) v", "Su et al. 2021, arXiv:2104.09864", position="rotary"),
    _heads(
        "xpos",
        "softmax(z^(q - k) R_q q R_k k / sqrt(d)) v",
        "Sun et al. 2022, arXiv:2212.10554",
        causal=True,
        position="xpos",
        pattern="causal",
    ),
    _heads("alibi", "softmax(q k / sqrt(d) - m |q - k|) v", "Press et al. 2021, arXiv:2108.12409", position="alibi"),
    _heads(
        "t5_bias",
        "softmax(q k / sqrt(d) + b[bucket(k - q)]) v",
        "Raffel et al. 2019, arXiv:1910.10683",
        position="t5_bias",
    ),
    _heads(
        "shaw",
        "softmax(q (k + a[k - q]) / sqrt(d)) (v + b[k - q])",
        "Shaw et al. 2018, arXiv:1803.02155",
        position="shaw",
    ),
    # Patterns.
    _heads("causal", f"{_MIX}, k <= q", "Vaswani et al. 2017, arXiv:1706.03762", causal=True, pattern="causal"),
    _heads(
        "prefix",
        f"{_MIX}, k < n or k <= q",
        "Raffel et al. 2019, arXiv:1910.10683",
        pattern={"name": "prefix", "length": 16},
    ),
    _heads(
        "sliding_window",
        f"{_MIX}, |q - k| <= n",
        "Beltagy et al. 2020, arXiv:2004.05150",
        linear=True,
        pattern="sliding_window",
    ),
    _heads(
        "dilated",
        f"{_MIX}, |q - k| = m (0 ... n)",
        "Beltagy et al. 2020, arXiv:2004.05150",
        linear=True,
        pattern="dilated",
    ),
    _heads("block", f"{_MIX}, q and k in one block", "Qiu et al. 2019, arXiv:1911.02972", linear=True, pattern="block"),
    _heads(
        "global_tokens",
        f"{_MIX}, |q - k| <= n or one of them global",
        "Beltagy et al. 2020, arXiv:2004.05150",
        pattern={"name": "either", "first": "sliding_window", "second": "global_tokens"},
    ),
    # Without a map.
    Variant(
        "linear",
        LinearAttention,
        "f(q) (sum f(k) v) / f(q) (sum f(k))",
        "Katharopoulos et al. 2020, arXiv:2006.16236",
        linear=True,
    ),
    # Pooling.
    Variant(
        "attention_pooling",
        AttentionPooling,
        "sum softmax(u tanh(W h + b)) h",
        "Raffel, Ellis 2015, arXiv:1512.08756",
        roles=("pool",),
        linear=True,
    ),
    Variant(
        "structured_self_attention",
        StructuredSelfAttention,
        "softmax(W_2 tanh(W_1 H)) H",
        "Lin et al. 2017, arXiv:1703.03130",
        roles=("pool",),
        linear=True,
    ),
    Variant(
        "hierarchical",
        HierarchicalAttention,
        "attention over words, then over sentences",
        "Yang et al. 2016 (NAACL)",
        roles=("hierarchical_pool",),
        linear=True,
    ),
]
_TABLE = {row.name: row for row in _ROWS}


def names(role: str | None = None, *, causal: bool | None = None, linear: bool | None = None) -> list[str]:
    """List the names of the variants.

    Args:
        role: only those that may be used for it: a name of `ROLES`; None for all.
        causal: only those that are (True) or are not (False) causal as they come.
        linear: only those whose cost is (True) or is not (False) linear in the length.

    Raises:
        ZooValueError: if the role is unknown.
    """
    if role is not None and role not in ROLES:
        raise unknown("role", role, ROLES)
    return [
        row.name
        for row in _ROWS
        if (role is None or role in row.roles)
        and (causal is None or row.causal == causal)
        and (linear is None or row.linear == linear)
    ]


def info(name: str) -> Variant:
    """Return the row of a variant: formula, source, roles, cost.

    Raises:
        ZooValueError: if the name is unknown.
    """
    if name not in _TABLE:
        raise unknown("attention", name, _TABLE)
    return _TABLE[name]


def get(identifier: Any, *, role: str | None = None, **changes: Any) -> keras.layers.Layer:
    """Make a layer from the name of a variant.

    Args:
        identifier: a name, a dict with "name" and arguments, Keras's serialised form of a layer, or a layer, which is
            returned as it is.
        role: what the layer is for: a name of `ROLES`; a named variant of another role is refused.
        **changes: arguments of the layer, in place of the variant's own; what a dict says comes before both.

    Raises:
        ZooValueError: if the name is unknown or has another role.
        ZooTypeError: if `identifier` is none of these, or the layer does not take an argument.
    """
    if isinstance(identifier, dict) and "class_name" in identifier:
        identifier = keras.saving.deserialize_keras_object(identifier)
    if isinstance(identifier, keras.layers.Layer):
        return identifier
    own = dict(identifier) if isinstance(identifier, dict) else {"name": identifier}
    variant = own.pop("name", None)
    if not isinstance(variant, str):
        raise ZooTypeError(f"attention must be a name, a dict with 'name' or a layer, got {identifier!r}")
    row = info(variant)
    if role is not None and role not in row.roles:
        raise ZooValueError(
            f"attention {variant!r} is for {' or '.join(row.roles)}, wanted one for {role!r}: {', '.join(names(role))}"
        )
    arguments = {**row.settings, "name": variant, **changes, **own}
    if arguments.get("num_key_value_heads") == "half":
        arguments["num_key_value_heads"] = max(arguments.get("num_heads", 2) // 2, 1)
    try:
        return row.layer(**arguments)
    except TypeError as error:
        raise ZooTypeError(f"attention {variant!r}: {error}") from error
