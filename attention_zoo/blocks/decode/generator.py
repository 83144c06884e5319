"""Encoder, decoder and search in one model."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from attention_zoo import search
from attention_zoo.blocks.decode.caches import grown, stages
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.search import Decoding, ctc_prefix


@keras.saving.register_keras_serializable(package="attention_zoo")
class Generator(keras.Model):
    """Read a source and say what the decoder finds for it, with the whole search inside one call.

    Encoder and what the decoder prepares of it run once; then each step reads one token for each hypothesis and what
    is kept of those before it. The search is a loop of the graph (`keras.ops.while_loop`) that ends when every sentence
    is done, so `predict_on_batch` compiles it whole where the backend compiles, and a saved graph holds it.

    Args:
        encoder: a layer or model from ids int32 [batch, source] to memory [batch, source, width]; or a model from a
            dict of inputs to {"memory": [batch, source, width], "memory_mask": bool [batch, source], False at padding;
            "ctc": float32 [batch, source, vocabulary], logits of CTC, at padding certain of blank, where they count}.
        decoder: a layer with `prepare`, `start`, `step` and `growing`:

            prepare(memory, memory_mask) -> dict of tensors [batch, ...], made once for a source;
            start(prepared, rows, length) -> dict of tensors [rows, ...], the state before the first token;
            step(token_ids [rows], state, prepared, index, need_weights) -> logits float32 [rows, vocabulary], state,
            attention weights float32 [rows, source] or None;
            growing: names of the entries of the state that are caches [rows, length, ...].

            Rows of one sentence stand next to each other: rows = batch x beam.
        decoding: settings of the search, or a dict of them; None takes the usual ones.

    Call:
        inputs: {"source_ids": int32 [batch, source], padded}, or what the encoder reads, by name; and with
            `decoding.sample` also "noise": float32 [batch, max_length], at least 0 and under 1, as `search.noise` draws
            it.

    Returns:
        best first: {"token_ids": int32 [batch, nbest, max_length] without [BOS] and [EOS], padded, "scores": float32
        [batch, nbest], "sums": float32 [batch, nbest] of log-probabilities, "lengths": int32 [batch, nbest]}.

    Raises:
        ZooValueError: if a setting is unknown or out of range, encoder or decoder has no weights yet, coverage counts
            and the decoder gives no attention weights, or CTC counts and the encoder gives none.
        ZooTypeError: if the decoder lacks one of its methods.

    Cost: a step of the decoder for each token of the longest hypothesis, and one copy of its state where beam > 1.
    Source: Graves 2012, arXiv:1211.3711 (beam search of sequences); Wu et al. 2016, arXiv:1609.08144, section 7.
    """

    # For exports: one input too comes in a dict.
    named_inputs = True

    def __init__(self, encoder: Any, decoder: Any, decoding: Decoding | Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        for name in ("prepare", "start", "step", "growing"):
            if not hasattr(decoder, name):
                raise ZooTypeError(f"decoder must have {name!r}, got {type(decoder).__name__} without it")
        self.encoder, self.decoder = encoder, decoder
        settings = decoding if isinstance(decoding, Decoding) else Decoding.from_config(decoding or {})
        self.decoding = settings
        if not self._young():
            self.build()

    def get_config(self) -> dict:
        # What both hold is written first: only from then on does Keras mark it as one object, which reading back needs.
        shared = [keras.saving.serialize_keras_object(layer) for layer in _shared(self.encoder, self.decoder)]
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("encoder", "decoder")}
        return {**super().get_config(), "shared": shared, **parts, "decoding": self.decoding.get_config()}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> "Generator":
        config = dict(config)
        for layer in config.pop("shared"):
            keras.saving.deserialize_keras_object(layer, custom_objects)
        for name in ("encoder", "decoder"):
            config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects)
        return cls(**config)

    def build(self, input_shape: Any = None) -> None:
        young = self._young()
        if young:
            raise ZooValueError(f"a Generator wants built layers, got {young[0]!r} without weights: call it once")
        self.built = True

    def _young(self) -> list[str]:
        """Return the names of the parts that have no weights yet."""
        return [part.name for part in (self.encoder, self.decoder) if not getattr(part, "built", True)]

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.decoding
        memory, mask, ctc = self._encoded({name: value for name, value in inputs.items() if name != "noise"})
        prepared = self.decoder.prepare(memory, mask)
        found, token_ids = search.begin(ops, settings, mask)
        lengths = stages(settings.max_length)
        carried = self.decoder.start(prepared, ops.shape(token_ids)[0], lengths[0])
        if settings.ctc_weight:
            ctc = ctc_prefix.prepare(ops, ops.log_softmax(ops.cast(ctc, "float32"), axis=-1))
            carried = {**carried, **ctc_prefix.start(ops, ctc, ops.shape(token_ids)[0])}
        step = self._stepping(prepared, ctc, inputs.get("noise"))
        for number, length in enumerate(lengths):
            if number:
                carried = grown(carried, self.decoder.growing, lengths[number - 1], length)
            limit = min(length, settings.max_length)
            found, token_ids, carried = search.go_on(ops, settings, step, found, token_ids, carried, limit=limit)
        return search.result(ops, settings, found)

    def read(self, source: Any) -> Any:
        """Return what the encoder makes of ids [batch, source]: their memory [batch, source, width]."""
        wanted = getattr(self.encoder, "input", None) if isinstance(self.encoder, keras.Model) else None
        return self.encoder({"source_ids": source} if isinstance(wanted, Mapping) else source)

    def _encoded(self, inputs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Return memory, its mask, and logits of CTC or None."""
        if list(inputs) == ["source_ids"]:
            told = self.read(inputs["source_ids"])
        else:
            told = self.encoder(inputs)
        if not isinstance(told, Mapping):
            told = {"memory": told}
        if "memory_mask" not in told and "source_ids" not in inputs:
            raise ZooValueError(
                f"the encoder must give 'memory_mask' where no 'source_ids' are read, got {sorted(told)}"
            )
        if "memory_mask" not in told:
            told = {**told, "memory_mask": ops.not_equal(inputs["source_ids"], self.decoding.pad_id)}
        if self.decoding.ctc_weight and "ctc" not in told:
            raise ZooValueError(
                f"ctc_weight {self.decoding.ctc_weight} wants an encoder that gives 'ctc', got {sorted(told)}"
            )
        return told["memory"], told["memory_mask"], told.get("ctc")

    def _stepping(self, prepared: dict, ctc: Any, noise: Any) -> Any:
        """Return the step of the search: the decoder's, with that of CTC, and the choice among their scores."""
        settings = self.decoding

        def step(token_ids: Any, carried: dict, index: Any) -> tuple:
            need, beside = settings.coverage_penalty > 0, None
            carried, own = ctc_prefix.split(carried)
            logits, carried, weights = self.decoder.step(token_ids, carried, prepared, index, need_weights=need)
            if settings.ctc_weight:
                own = ctc_prefix.read(ops, settings, ctc, own, token_ids)
                beside = ctc_prefix.score(ops, settings, ctc, own)
            drawn = ops.take(noise, index, axis=1) if settings.sample else None
            return *search.choose(ops, settings, logits, drawn, beside), {**carried, **own}, weights

        return step

    def compute_output_spec(self, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return names, shapes and dtypes of what `call` gives, without running it."""
        shape = (next(iter(inputs.values())).shape[0], self.decoding.nbest)
        return {
            "token_ids": keras.KerasTensor((*shape, self.decoding.max_length), dtype="int32"),
            "scores": keras.KerasTensor(shape, dtype="float32"),
            "sums": keras.KerasTensor(shape, dtype="float32"),
            "lengths": keras.KerasTensor(shape, dtype="int32"),
        }


def _shared(first: Any, second: Any) -> list[keras.layers.Layer]:
    """Return the outermost layers that lie in both of two layers."""
    there = {id(layer) for layer in second._flatten_layers(include_self=False)}
    both = [layer for layer in first._flatten_layers(include_self=False) if id(layer) in there]
    inner = {id(part) for layer in both for part in layer._flatten_layers(include_self=False)}
    return [layer for layer in both if id(layer) not in inner]
