"""The samplers of keras-hub as another way to let a decoder speak."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from keras import ops

from attention_zoo.blocks.decode import Generator
from attention_zoo.blocks.decode.caches import stages
from attention_zoo.errors import ZooTypeError, ZooValueError, need, unknown
from attention_zoo.search.choosing import banned
from attention_zoo.search.scoring import length_penalty

NAMES = ("beam", "greedy", "random", "top_k", "top_p")


class SampledGenerator(Generator):
    """A `Generator` whose tokens a sampler of keras-hub chooses.

    The sampler sees logits in which what is banned cannot win (its probability goes to the rest), and its own loop runs
    the decoder step by step with its caches. What it said is then scored by one pass of the decoder. keras-hub's beams
    go on after an end: what follows is cut off. It cannot be saved: save the `Generator`.

    Args:
        encoder: as for `Generator`.
        decoder: as for `Generator`.
        sampler: its name ("greedy", "top_k", "top_p", "random", "beam") or a `keras_hub.samplers.Sampler`, with its own
            seed. One that reads hidden states ("contrastive"), or returns all beams, is refused.
        decoding: only `max_length`, the ids, `banned` and `length_penalty` count.

    Call:
        inputs: {"source_ids": int32 [batch, source], padded}.

    Returns:
        as `Generator` with `nbest` 1.

    Raises:
        ZooImportError: if keras-hub is not installed.
        ZooValueError: if the sampler is unknown or refused.
        ZooTypeError: if it is no sampler.

    Cost: as `Generator`; importing keras-hub takes several seconds and loads TensorFlow on any backend.
    """

    def __init__(self, encoder: Any, decoder: Any, sampler: Any, decoding: Any = None, **kwargs: Any):
        super().__init__(encoder, decoder, decoding, **kwargs)
        self.decoding = self.decoding.change(beam=1, nbest=1, coverage_penalty=0.0)
        self.sampler = _sampler(sampler)
        # Kept here so that Keras carries the state of its seeds through what is compiled; a built model is locked.
        self._tracker.unlock()
        self.seeds = list(self.sampler._seed_generators)
        self._tracker.lock()

    def get_config(self) -> dict:
        raise ZooTypeError("a SampledGenerator cannot be saved, for its sampler is keras-hub's: save a Generator")

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        settings, source = self.decoding, inputs["source_ids"]
        mask = ops.not_equal(source, settings.pad_id)
        memory = self.read(source)
        prepared = self.decoder.prepare(memory, mask)
        first = ops.full((ops.shape(source)[0], 1), settings.bos_id, "int32")
        room = ops.full((ops.shape(source)[0], settings.max_length), settings.pad_id, "int32")
        said = self.sampler(
            self._next(prepared),
            prompt=ops.concatenate([first, room], axis=1),
            cache=self.decoder.start(prepared, ops.shape(source)[0], stages(settings.max_length)[-1]),
            index=1,
            mask=ops.concatenate([ops.ones_like(first, dtype="bool"), ops.zeros_like(room, dtype="bool")], axis=1),
            stop_token_ids=[settings.eos_id],
            model=self._carried(),
        )
        return self._scored(said, memory, mask)

    def _next(self, prepared: dict) -> Any:
        """Return what the sampler calls for the logits of the token at `index`."""

        def step(prompt: Any, cache: dict, index: Any) -> tuple:
            last = ops.take(prompt, index - 1, axis=1)
            logits, cache, _ = self.decoder.step(last, cache, prepared, index - 1)
            return logits + banned(ops, self.decoding, logits.shape[1]), None, cache

        return step

    def _carried(self) -> Any:
        """Return the variables that the sampler's loop must see, but for its own."""
        own = {id(seed.state) for seed in self.seeds}
        others = [variable for variable in self.non_trainable_variables if id(variable) not in own]
        return SimpleNamespace(trainable_variables=self.trainable_variables, non_trainable_variables=others)

    def _scored(self, said: Any, memory: Any, mask: Any) -> dict[str, Any]:
        """Return what was said up to the first end, and what it is worth."""
        settings, first, said = self.decoding, said[:, :1], said[:, 1:]
        ends = ops.cast(ops.equal(said, settings.eos_id), "int32")
        before = ops.cumsum(ends, axis=1) - ends
        kept = ops.logical_and(ops.equal(before, 0), ops.equal(ends, 0))
        token_ids = ops.where(kept, said, settings.pad_id)
        read = ops.concatenate([first, token_ids[:, :-1]], axis=1)
        chances = ops.log_softmax(ops.cast(self.decoder(read, memory, memory_mask=mask), "float32"), axis=-1)
        chances = ops.squeeze(ops.take_along_axis(chances, ops.expand_dims(said, 2), axis=2), 2)
        counted = ops.equal(before, 0)
        sums = ops.sum(ops.where(counted, chances, 0.0), axis=1)
        lengths = ops.sum(ops.cast(kept, "int32"), axis=1)
        scores = sums / length_penalty(ops, settings, ops.sum(ops.cast(counted, "int32"), axis=1))
        found = {"token_ids": token_ids, "scores": scores, "sums": sums, "lengths": lengths}
        return {name: ops.expand_dims(value, 1) for name, value in found.items()}


def _sampler(sampler: Any) -> Any:
    """Return a sampler of keras-hub that needs logits alone and gives one hypothesis."""
    samplers = need("keras_hub", "hub").samplers
    if isinstance(sampler, str):
        if sampler not in NAMES:
            raise unknown("sampler", sampler, NAMES)
        sampler = samplers.get(sampler)
    if not isinstance(sampler, samplers.Sampler):
        raise ZooTypeError(f"sampler must be a name or a sampler of keras-hub, got {type(sampler).__name__}")
    if isinstance(sampler, samplers.ContrastiveSampler):
        raise ZooValueError("sampler must choose by logits alone, got a ContrastiveSampler, which reads hidden states")
    if getattr(sampler, "return_all_beams", False):
        raise ZooValueError("sampler must give one hypothesis, got return_all_beams=True")
    return sampler
