"""What every decoder is to the one that searches with it: tokens in, logits out, at once or step by step."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.tied_embedding import TiedEmbedding
from attention_zoo.checks import share
from attention_zoo.errors import ZooTypeError, ZooValueError


class TokenDecoder(keras.layers.Layer):
    """Base of decoders: they read a memory and what has been written so far, and score every token as the next.

    A whole target is read by a call. What writes its own target asks step by step:

        prepared = decoder.prepare(memory, memory_mask)  # once for each source
        state = decoder.start(prepared, rows, length)  # before the first token
        logits, state, weights = decoder.step(token_ids, state, prepared, index)  # for each token

    `prepared` and `state` are dicts of plain tensors. There is a row for each hypothesis, and those of one source lie
    next to each other: row r reads source r // (rows / batch). A search gathers `state` along its first axis to follow
    its hypotheses, and leaves `prepared` as it is. The logits of step t are those of the call at place t.

    Args:
        vocabulary_size: number of different ids.
        width: channels of the embeddings.
        position: absolute position of the embeddings, by name, dict or object.
        dropout: share of the embeddings dropped while training, 0 to 1.
        tie: True makes logits by the embeddings' table, False by one of their own; neither has a bias.
        embedding: a `TiedEmbedding` that others use too, in place of an own one.

    Call:
        target_ids: int32 [batch, target], the first of which begins a text; 0 is padding.
        memory: [batch, source, memory width].
        memory_mask: bool [batch, source]; False marks padding.
        training: True while fitting.

    Returns:
        float32 [batch, target, vocabulary]: at each place the logits of the next token.

    Raises:
        ZooValueError: if a number is out of range, or the embedding has another size.
        ZooTypeError: if embedding is no `TiedEmbedding`.
    """

    # Names of the entries of the state that are caches [rows, length, ...], written at `index`; a step replaces others.
    growing: tuple[str, ...] = ()

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        position: Any = None,
        dropout: float = 0.0,
        tie: bool = True,
        embedding: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.vocabulary_size, self.width, self.tie = vocabulary_size, width, tie
        self.dropout = share("dropout", dropout)
        self.shares_embedding = embedding is not None
        if embedding is None:
            embedding = TiedEmbedding(vocabulary_size, width, position, name="embedding", dtype=self.dtype_policy)
        elif isinstance(embedding, dict):
            embedding = keras.saving.deserialize_keras_object(embedding)
        if not isinstance(embedding, TiedEmbedding):
            raise ZooTypeError(f"embedding must be a TiedEmbedding, got {type(embedding).__name__}")
        sizes, wanted = (embedding.vocabulary_size, embedding.width), (vocabulary_size, width)
        if sizes != wanted:
            raise ZooValueError(f"embedding must have vocabulary_size and width {wanted}, got {sizes}")
        self.embedding = embedding

    def get_config(self) -> dict:
        config = {**super().get_config(), "vocabulary_size": self.vocabulary_size, "width": self.width}
        config |= {"dropout": self.dropout, "tie": self.tie, "embedding": None}
        if self.shares_embedding:
            config["embedding"] = keras.saving.serialize_keras_object(self.embedding)
        return config

    def build_ends(self) -> None:
        """Build what stands before and behind a decoder's own parts."""
        if not self.embedding.built:
            self.embedding.build((None, None))
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", dtype=self.dtype_policy)
        if not self.tie:
            self.output_dense = keras.layers.Dense(
                self.vocabulary_size, use_bias=False, name="logits", dtype=self.dtype_policy
            )
            self.output_dense.build((None, None, self.width))

    def embed(self, token_ids: Any, start: Any = 0, training: bool | None = None) -> Any:
        """Return the vectors [batch, new, width] of tokens [batch, new], the first of which stands at `start`."""
        return self.dropping(self.embedding(token_ids, start=start), training=training)

    def logits(self, vectors: Any) -> Any:
        """Return float32 [batch, ..., vocabulary] for vectors [batch, ..., width]."""
        return self.embedding.logits(vectors) if self.tie else ops.cast(self.output_dense(vectors), "float32")

    def prepare(self, memory: Any, memory_mask: Any = None) -> dict[str, Any]:
        """Do once for a memory what every step needs.

        Args:
            memory: [batch, source, memory width].
            memory_mask: bool [batch, source]; None for no padding.

        Returns:
            tensors [batch, ...] by name.
        """

    def start(self, prepared: dict[str, Any], rows: Any, length: int) -> dict[str, Any]:
        """Return the state before the first token.

        Args:
            prepared: what `prepare` returned.
            rows: hypotheses of all sources together, a multiple of the batch; may be a tensor.
            length: tokens that there is to be room for.

        Returns:
            tensors [rows, ...] by name.
        """

    def step(
        self, token_ids: Any, state: dict[str, Any], prepared: dict[str, Any], index: Any, need_weights: bool = False
    ) -> tuple[Any, dict[str, Any], Any]:
        """Read one token of each row, and score what comes after it.

        Args:
            token_ids: int [rows].
            state: what `start`, or the last step, returned.
            prepared: what `prepare` returned.
            index: place of the token; int, or int32 tensor without axes.
            need_weights: True to learn where the step looked.

        Returns:
            logits, float32 [rows, vocabulary]; the next state; and the weights, float32 [rows, source], or None.
        """

    def compute_output_shape(self, target_ids_shape: Any, memory_shape: Any) -> tuple:
        return (*target_ids_shape, self.vocabulary_size)

    def compute_output_spec(self, target_ids: Any, memory: Any, *args: Any, **kwargs: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(target_ids.shape, memory.shape), dtype="float32")
