"""What attention along edges shares: reading the lists, and mixing what the edges carry into their targets."""

from abc import abstractmethod
from typing import Any, NamedTuple

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.segments import present_ids, segment_softmax, segment_sum, segment_take
from attention_zoo.errors import ZooValueError


class Edges(NamedTuple):
    """The edges of a batch of graphs.

    Args:
        source: int [batch, edge], the node that is read.
        target: int [batch, edge], the node that reads.
        present: bool [batch, edge]; False where there is no edge.
        features: [batch, edge, width], or None.
        nodes: nodes of each graph.
    """

    source: Any
    target: Any
    present: Any
    features: Any
    nodes: Any


def read_edges(
    nodes: Any, edges: Any, features: Any = None, nodes_mask: Any = None, edges_mask: Any = None, loops: bool = False
) -> Edges:
    """Read the lists; an edge that is masked, or an end of which is masked or no node, is not there.

    Args:
        nodes: [batch, node, width].
        edges: int [batch, edge, 2], (source, target).
        features: [batch, edge, width], or None.
        nodes_mask: bool [batch, node], or None.
        edges_mask: bool [batch, edge], or None.
        loops: add after them an edge from each node to itself, with features of zero.
    """
    count = ops.shape(nodes)[1]
    source, target = edges[..., 0], edges[..., 1]
    if loops:
        own = ops.expand_dims(ops.arange(count, dtype="int32"), 0)
        own = own + ops.zeros_like(nodes[..., 0], dtype="int32")
        if edges_mask is not None:
            edges_mask = ops.concatenate([ops.cast(edges_mask, "bool"), own >= 0], axis=1)
        if features is not None:
            none = ops.expand_dims(ops.zeros_like(own, dtype=features.dtype), -1)
            features = ops.concatenate([features, ops.repeat(none, features.shape[-1], axis=-1)], axis=1)
        source, target = (ops.concatenate([ops.cast(end, "int32"), own], axis=1) for end in (source, target))
    source, from_node = present_ids(source, count, edges_mask)
    target, present = present_ids(target, count, from_node)
    if nodes_mask is not None:
        shown = ops.cast(nodes_mask, "int32")
        for end in (source, target):
            present = ops.logical_and(present, segment_take(shown, end) > 0)
    return Edges(source, target, present, features, count)


class EdgeAttention(keras.layers.Layer):
    """Base of attention in which each node reads the nodes that have an edge to it.

    output[i] = join over heads of sum over edges j -> i of softmax(score(i, j))[j -> i] value(j)

    A subclass gives `build_heads` and `messages`, and may change `join`.

    Args:
        num_heads: heads.
        key_dim: channels of each head.
        concat: True joins the heads side by side, False takes their mean.
        self_loops: each node also reads itself.
        dropout: share of the weights dropped while training, 0 to 1.
        use_bias: add a bias to the output.
        seed: of the dropout.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        concat: bool = True,
        self_loops: bool = True,
        dropout: float = 0.0,
        use_bias: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value in (("num_heads", num_heads), ("key_dim", key_dim)):
            whole_number(name, value)
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.supports_masking = True
        self.num_heads, self.key_dim, self.concat = num_heads, key_dim, concat
        self.self_loops, self.dropout, self.use_bias, self.seed = self_loops, dropout, use_bias, seed

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "concat", "self_loops", "dropout", "use_bias", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @property
    def width(self) -> int:
        """Channels of the output."""
        return self.num_heads * self.key_dim if self.concat else self.key_dim

    def build(self, nodes_shape: Any, edges_shape: Any, edge_features_shape: Any = None) -> None:
        if edges_shape[-1] != 2:
            raise ZooValueError(f"edges must have the axes [batch, edge, 2], got shape {tuple(edges_shape)}")
        self.drop = keras.layers.Dropout(self.dropout, seed=self.seed, name="dropout", dtype=self.dtype_policy)
        self.edge_width = None if edge_features_shape is None else edge_features_shape[-1]
        self.build_heads(nodes_shape[-1], self.edge_width)
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.width,), initializer="zeros", name="bias")

    @abstractmethod
    def build_heads(self, width: int, edge_width: int | None) -> None:
        """Create the projections for nodes of `width` channels and edges of `edge_width` (None: without features)."""

    def projection(self, name: str, width: int) -> keras.layers.Layer:
        """Make and build a projection [batch, <any>, width] -> [batch, <any>, head, channel] without a bias."""
        dense = keras.layers.EinsumDense(
            "abc,cde->abde", (None, self.num_heads, self.key_dim), name=name, dtype=self.dtype_policy
        )
        dense.build((None, None, width))
        dense.supports_masking = True
        return dense

    def call(
        self,
        nodes: Any,
        edges: Any,
        edge_features: Any = None,
        nodes_mask: Any = None,
        edges_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        if (edge_features is None) != (self.edge_width is None):
            wanted = "left out" if self.edge_width is None else "given"
            raise ZooValueError(f"edge_features must be {wanted}, as when the layer was built, got the contrary")
        read = read_edges(nodes, edges, edge_features, nodes_mask, edges_mask, self.self_loops)
        scores, values = self.messages(nodes, read)
        weights = segment_softmax(scores, read.target, read.nodes, read.present)
        site = Site(site_path(self), "mix", ("batch", "head", "edge"))
        weights = ops.transpose(tap(site, ops.cast(ops.transpose(weights, (0, 2, 1)), nodes.dtype)), (0, 2, 1))
        weights = self.drop(weights, training=training)
        mixed = segment_sum(ops.expand_dims(weights, -1) * values, read.target, read.nodes)
        output = self.join(nodes, ops.cast(mixed, nodes.dtype))
        return output + ops.cast(self.bias, output.dtype) if self.use_bias else output

    @abstractmethod
    def messages(self, nodes: Any, edges: Edges) -> tuple[Any, Any]:
        """Return the scores [batch, edge, head] and values [batch, edge, head, channel] of the edges."""

    def join(self, nodes: Any, mixed: Any) -> Any:
        """Bring the heads [batch, node, head, channel] to [batch, node, width]."""
        if not self.concat:
            return ops.mean(mixed, axis=2)
        return ops.reshape(mixed, (ops.shape(mixed)[0], ops.shape(mixed)[1], self.width))

    def compute_output_shape(self, nodes_shape: Any, edges_shape: Any = None, edge_features_shape: Any = None) -> tuple:
        return (*nodes_shape[:2], self.width)
