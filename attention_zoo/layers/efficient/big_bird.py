"""A window, global tokens and a few blocks by chance: BigBird."""

from typing import Any

import keras

from attention_zoo.checks import whole_number
from attention_zoo.core.sparse import Layout, Neighbours, chosen_blocks
from attention_zoo.layers.efficient.longformer import SparseAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class BigBird(SparseAttention):
    """Cut the sequence into blocks; let each see its neighbours, the first blocks and some blocks chosen by chance.

    output[q] = softmax over k in window(q), first blocks or chosen(q) of (q.k / sqrt(d)) v; queries of the first blocks
    see all

    Which blocks are chosen follows from `seed`, the block and the number of blocks: the same in every call, for every
    head.

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        size: tokens in a block, at least 1.
        neighbours: blocks seen to each side, at least 0.
        first_blocks: blocks at the start that see all and are seen by all, at least 1.
        choices: blocks chosen by chance, at least 1.
        causal: hide later keys; of the chosen blocks those that lie ahead are then lost.
        seed: of the choice, and of the dropout; None is 0.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal", "learned", "rotary" or "xpos".

    Call:
        as `MultiHeadAttention`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if a size or number of blocks is too small.

    Cost: time and memory batch x heads x length x size x (2 neighbours + 1 + first_blocks + choices), by blocks; a map
    is formed while watched, with an `attention_mask`, and where queries and keys differ in length.
    Source: Zaheer et al. 2020, arXiv:2007.14062, section 2 (internal global tokens). Differs: one choice
    for all heads.
    """

    own = ("size", "neighbours", "first_blocks", "choices", "causal")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        size: int = 64,
        neighbours: int = 1,
        first_blocks: int = 1,
        choices: int = 3,
        causal: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, seed=seed, **kwargs)
        self.size, self.neighbours = (
            whole_number("size", size, 1, "tokens"),
            whole_number("neighbours", neighbours, 0, "blocks"),
        )
        self.first_blocks = whole_number("first_blocks", first_blocks, 1)
        self.choices, self.causal = whole_number("choices", choices, 1, "blocks"), causal
        table = chosen_blocks(choices, 0 if seed is None else seed)
        self.layout = Layout(Neighbours(size, neighbours), size * first_blocks, size, table)
