"""Generate with a bundle: the graphs say what comes next, the loop around them is here, in NumPy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo import search
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.runtime import translation
from attention_zoo.runtime.caches import Caches
from attention_zoo.runtime.runner import Runner
from attention_zoo.runtime.translation import Translation
from attention_zoo.search import Decoding, NumpyArrays

ENCODER, STEP = "encoder", "step"
LEAVING = 0.25  # share of the sentences of a batch that must be done before they leave it: to leave costs a copy


class GeneratingRunner(Runner):
    """Translate with an exported encoder and decoder; made by `runtime.load`.

    Attributes:
        preprocessor: the bundle's.
        description: the contents of `bundle.json`; its "decoding" holds what a search does where nothing is asked for.
    """

    keys = ("decoding",)
    needs = (ENCODER, STEP)
    options = ("beam", "length_penalty", "max_length", "nbest")

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, sessions: Mapping[str, Any]) -> None:
        super().__init__(description, preprocessor, sessions)
        self._caches = self._growing()

    def _growing(self) -> dict[str, tuple[tuple, str]]:
        """Return shape (after rows and room) and dtype of each cache: the state that the encoder does not give."""
        caches = {}
        for entry in self.description["graphs"][STEP].get("inputs", ()):
            name, shape = entry["name"], entry["shape"]
            if not name.startswith("state.") or name in self._outputs[ENCODER]:
                continue
            if len(shape) < 2 or None in shape[2:]:
                raise ZooFileError(f"bundle.json is damaged: the cache {name!r} has the shape {shape}")
            caches[name.removeprefix("state.")] = (tuple(shape[2:]), entry["dtype"])
        return caches

    def translate(
        self,
        texts: Any,
        beam: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
        nbest: int = 1,
        *,
        batch_size: int = 32,
        **options: Any,
    ) -> list[Translation]:
        """Translate texts.

        Texts of like size are run together; one that is too long is translated in parts.

        Args:
            texts: one or many: strings, or UTF-8 bytes. An empty one has an empty translation.
            beam: hypotheses kept alive; 1 is greedy search, None is the bundle's own.
            length_penalty: power by which longer translations are favoured; None is the bundle's own.
            max_length: tokens of a translation at most; None is the bundle's own.
            nbest: translations of each text, at most `beam`.
            batch_size: texts run at once, at least 1.
            **options: further fields of `search.Decoding`: coverage_penalty, early_stopping, sample, temperature,
                top_k, top_p, seed.

        Returns:
            one `Translation` for each text.

        Raises:
            ZooValueError: if there is no text, one is no UTF-8, or a number cannot work.
            ZooTypeError: if something is no text.
        """
        asked = {"beam": beam, "length_penalty": length_penalty, "max_length": max_length, "nbest": nbest}
        settings = translation.decoding(self.description["decoding"], {**asked, **options})
        batch_size = whole_number("batch_size", batch_size)
        texts = self.preprocessor.items(texts)
        parts, owners = translation.split(self.preprocessor, texts)
        found: list[list[tuple[str, float]]] = [[] for _ in parts]
        order = sorted(range(len(parts)), key=lambda number: self.preprocessor.size(parts[number]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            source_ids = self.preprocessor([parts[number] for number in chosen])["source_ids"]
            told = self.generate(source_ids, settings, numbers=chosen)
            for row, number in enumerate(chosen):
                words = [self.preprocessor.decode(ids.tolist()) for ids in told["token_ids"][row]]
                found[number] = list(zip(words, told["scores"][row].tolist()))
        return translation.join(found, owners, len(texts), settings.nbest)

    def generate(
        self, source_ids: np.ndarray, settings: Decoding, numbers: Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        """Search for what the decoder says of each source.

        Args:
            source_ids: int32 [batch, source], padded with 0.
            settings: of the search.
            numbers: number of each source, from which its noise is drawn when sampling; None counts from 0.

        Returns:
            best first: {"token_ids": int32 [batch, nbest, max_length] without [EOS], padded, "scores", "sums": float32
            [batch, nbest], "lengths": int32 [batch, nbest]}.

        Raises:
            ZooValueError: if there are more beams than the graph gives candidates for, or coverage counts and the
                graph gives no weights.

        Cost: one run of the graph "step" for each token of the longest hypothesis, over the sentences not yet done.
        """
        batch = _Batch(self, source_ids, settings, range(len(source_ids)) if numbers is None else numbers)
        return batch.finish()

    def records(self, inputs: Sequence[str], **options: Any) -> Iterable[dict[str, Any]]:
        """Translate texts, one dict each; options as for `translate`."""
        noun = self.preprocessor.noun
        for one, found in zip(inputs, self.translate(inputs, **options)):
            yield {noun: one, **found.record()}


class _Batch:
    """Sentences that are translated together, until they are done."""

    def __init__(self, runner: GeneratingRunner, source_ids: np.ndarray, settings: Decoding, numbers: Sequence[int]):
        self.runner, self.settings = runner, settings
        encoded = runner.run({"source_ids": source_ids}, graph=ENCODER)
        self.prepared = {name: array for name, array in encoded.items() if name.startswith("prepared.")}
        mask = source_ids != settings.pad_id
        self.state, self.token_ids = search.begin(NumpyArrays, settings, mask)
        first = {name: array.repeat(settings.beam, 0) for name, array in encoded.items() if name.startswith("state.")}
        shapes = {f"state.{name}": shape for name, (shape, _) in runner._caches.items()}
        dtypes = {f"state.{name}": dtype for name, (_, dtype) in runner._caches.items()}
        self.caches = Caches(shapes, dtypes, first, len(self.token_ids))
        self.noise = search.noise(settings, numbers) if settings.sample else None
        self.alive = np.arange(len(source_ids))
        self.outputs = self._outputs()

    def _outputs(self) -> list[str]:
        """Return the outputs of a step that are wanted."""
        settings, known = self.settings, self.runner._outputs[STEP]
        wanted = ["logits"] if settings.sample else ["values", "ids"]
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
        return *self._chosen(told, int(index)), carried, told.get("weights")

    def _chosen(self, told: Mapping[str, np.ndarray], index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return log-probabilities and ids of the tokens that the search may go on with."""
        if self.settings.sample:
            return search.choose(NumpyArrays, self.settings, told["logits"], self.noise[:, index])
        wanted = 1 if self.settings.beam == 1 else self.settings.beam + 1
        if wanted > told["values"].shape[1]:
            raise ZooValueError(
                f"beam must be at most {told['values'].shape[1] - 1} with this bundle, got {self.settings.beam}"
            )
        return told["values"][:, :wanted], told["ids"][:, :wanted]

    def _follow(self, carried: dict, parents: np.ndarray) -> dict:
        self.caches.follow(parents)
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
        self.noise = None if self.noise is None else self.noise[going]
        self.caches.keep(rows)


def _part(state: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Return the state of some sentences; what has no axis is the same for all."""
    return {name: value[chosen] if np.ndim(value) else value for name, value in state.items()}
