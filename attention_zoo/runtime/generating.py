"""Generate with graphs that say what comes next: the loop around them is here, in NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo import search
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.runtime.caches import Caches
from attention_zoo.runtime.runner import Runner
from attention_zoo.search import Decoding, NumpyArrays, ctc_prefix

ENCODER, STEP = "encoder", "step"
LEAVING = 0.25  # share of the sentences of a batch that must be done before they leave it: to leave costs a copy


class GeneratingRunner(Runner):
    """Base of what generates with an exported encoder and decoder."""

    needs = (ENCODER, STEP)

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, sessions: Mapping[str, Any]) -> None:
        super().__init__(description, preprocessor, sessions)
        self._caches = self._growing()

    def _growing(self) -> dict[str, tuple[tuple, str]]:
        """Return shape (after rows and room) and dtype of each cache: the state that the encoder does not give."""
        caches = {}
        for entry in self.description["graphs"].get(STEP, {}).get("inputs", ()):
            name, shape = entry["name"], entry["shape"]
            if not name.startswith("state.") or name in self._outputs[ENCODER]:
                continue
            if len(shape) < 2 or None in shape[2:]:
                raise ZooFileError(f"bundle.json is damaged: the cache {name!r} has the shape {shape}")
            caches[name.removeprefix("state.")] = (tuple(shape[2:]), entry["dtype"])
        return caches

    def generate(
        self, source: np.ndarray | Mapping[str, np.ndarray], settings: Decoding, numbers: Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        """Search for what the decoder says of each source.

        Args:
            source: int32 [batch, source], padded with 0; or all inputs of the encoder by name.
            settings: of the search.
            numbers: number of each source, from which its noise is drawn when sampling; None counts from 0.

        Returns:
            best first: {"token_ids": int32 [batch, nbest, max_length] without [EOS], padded, "scores", "sums": float32
            [batch, nbest], "lengths": int32 [batch, nbest]}.

        Raises:
            ZooValueError: if there are more beams than the graph gives candidates for, coverage counts and the graph
                gives no weights, or CTC counts and the encoder gives none.

        Cost: one run of the graph "step" for each token of the longest hypothesis, over the sentences not yet done.
        """
        inputs = source if isinstance(source, Mapping) else {"source_ids": source}
        encoded = self.run(inputs, graph=ENCODER)
        if "memory_mask" not in encoded:
            encoded = {**encoded, "memory_mask": inputs["source_ids"] != settings.pad_id}
        return self.search(encoded, settings, numbers)

    def search(
        self, encoded: Mapping[str, np.ndarray], settings: Decoding, numbers: Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        """Search in what the encoder gave, "memory_mask" among it; see `generate`."""
        count = len(encoded["memory_mask"])
        return _Batch(self, encoded, settings, range(count) if numbers is None else numbers).finish()


class _Batch:
    """Sentences that are translated together, until they are done."""

    def __init__(
        self,
        runner: GeneratingRunner,
        encoded: Mapping[str, np.ndarray],
        settings: Decoding,
        numbers: Sequence[int],
    ):
        self.runner, self.settings, mask = runner, settings, encoded["memory_mask"]
        self.prepared = {name: array for name, array in encoded.items() if name.startswith("prepared.")}
        self.state, self.token_ids = search.begin(NumpyArrays, settings, mask)
        first = {name: array.repeat(settings.beam, 0) for name, array in encoded.items() if name.startswith("state.")}
        shapes = {f"state.{name}": shape for name, (shape, _) in runner._caches.items()}
        dtypes = {f"state.{name}": dtype for name, (_, dtype) in runner._caches.items()}
        self.caches = Caches(shapes, dtypes, first, len(self.token_ids))
        self.noise = search.noise(settings, numbers) if settings.sample else None
        # What CTC needs of each source, and its state for each row; nothing where it does not count.
        self.ctc, self.scored = self._scorer(encoded)
        self.alive = np.arange(len(mask))
        self.outputs = self._outputs()

    def _scorer(self, encoded: Mapping[str, np.ndarray]) -> tuple[dict, dict]:
        """Return what the scorer beside the decoder begins with."""
        if not self.settings.ctc_weight:
            return {}, {}
        if "ctc" not in encoded:
            raise ZooValueError(f"ctc_weight {self.settings.ctc_weight} wants an encoder's graph that gives 'ctc'")
        logits = encoded["ctc"]
        chances = logits - np.expand_dims(NumpyArrays.logsumexp(logits, axis=2), 2)
        prepared = ctc_prefix.prepare(NumpyArrays, chances)
        return prepared, ctc_prefix.start(NumpyArrays, prepared, len(self.token_ids))

    def _outputs(self) -> list[str]:
        """Return the outputs of a step that are wanted."""
        settings, known = self.settings, self.runner._outputs[STEP]
        wanted = ["logits"] if settings.sample or settings.ctc_weight else ["values", "ids"]
        if settings.coverage_penalty:
            if "weights" not in known:
                raise ZooValueError(f"coverage_penalty {settings.coverage_penalty} wants a graph that gives weights")
            wanted.append("weights")
        return wanted + [name for name in known if name.startswith("new.")]

    def finish(self) -> dict[str, np.ndarray]:
        """Go on until all sentences are done, and return what was found."""
        settings, found = self.settings, {}
        while len(self.alive):
            limit = int(self.state["index"]) + 1
            self.state, self.token_ids, _ = search.go_on(
                NumpyArrays, settings, self._step, self.state, self.token_ids, {}, limit=limit, follow=self._follow
            )
            done = self.state["done"] | (limit >= settings.max_length)
            if done.all() or done.mean() >= LEAVING:
                self._leave(done, found)
        return {name: np.stack([rows[number] for number in sorted(rows)]) for name, rows in found.items()}

    def _step(self, token_ids: np.ndarray, carried: dict, index: Any) -> tuple:
        place = np.full(1, index, "int32")
        inputs = {"token_ids": token_ids, "index": place, **self.prepared, **self.caches.arrays}
        told = self.runner.run(inputs, self.outputs, graph=STEP)
        self.caches.write({"state." + name[4:]: told[name] for name in self.outputs if name.startswith("new.")})
        if self.ctc:
            self.scored = ctc_prefix.read(NumpyArrays, self.settings, self.ctc, self.scored, token_ids)
        return *self._chosen(told, int(index)), carried, told.get("weights")

    def _chosen(self, told: Mapping[str, np.ndarray], index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return log-probabilities and ids of the tokens that the search may go on with."""
        if self.settings.sample:
            return search.choose(NumpyArrays, self.settings, told["logits"], self.noise[:, index])
        if self.ctc:
            beside = ctc_prefix.score(NumpyArrays, self.settings, self.ctc, self.scored)
            return search.choose(NumpyArrays, self.settings, told["logits"], beside=beside)
        wanted = 1 if self.settings.beam == 1 else self.settings.beam + 1
        if wanted > told["values"].shape[1]:
            raise ZooValueError(
                f"beam must be at most {told['values'].shape[1] - 1} with this bundle, got {self.settings.beam}"
            )
        return told["values"][:, :wanted], told["ids"][:, :wanted]

    def _follow(self, carried: dict, parents: np.ndarray) -> dict:
        self.caches.follow(parents)
        self.scored = {name: value[parents] for name, value in self.scored.items()}
        return carried

    def _leave(self, done: np.ndarray, found: dict[str, dict[int, np.ndarray]]) -> None:
        """Write down what was found of the sentences that are done, and go on without them."""
        told = search.result(NumpyArrays, self.settings, _part(self.state, done))
        for name, values in told.items():
            found.setdefault(name, {}).update(zip(self.alive[done].tolist(), values))
        going = ~done
        rows = going.repeat(self.settings.beam)
        self.state, self.alive = _part(self.state, going), self.alive[going]
        self.prepared = {name: array[going] for name, array in self.prepared.items()}
        self.token_ids = self.token_ids[rows]
        self.ctc = {name: array[going] for name, array in self.ctc.items()}
        self.scored = {name: array[rows] for name, array in self.scored.items()}
        self.noise = None if self.noise is None else self.noise[going]
        self.caches.keep(rows)


def _part(state: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Return the state of some sentences; what has no axis is the same for all."""
    return {name: value[chosen] if np.ndim(value) else value for name, value in state.items()}
