"""The translator: texts of one language in, texts of another out."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.blocks.decode import Generator, decode
from attention_zoo.checks import whole_number
from attention_zoo.data import has_split
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.models.learning import Learning
from attention_zoo.models.task import Task
from attention_zoo.models.teaching import Lesson, card_after, teach
from attention_zoo.models.translator import examples as reading
from attention_zoo.models.translator.config import TranslatorConfig
from attention_zoo.models.translator.examples import Pairs
from attention_zoo.models.translator.network import DECODER, MEMORY, build_network
from attention_zoo.runtime import translation
from attention_zoo.runtime.translation import Translation
from attention_zoo.search import Decoding
from attention_zoo.text import TranslationPreprocessor
from attention_zoo.training import PairBatches, SequenceCrossEntropy, TokenAccuracy, set_seeds

BATCH = 32  # texts translated at once where nothing else is said
KEPT = 8  # searches of different settings that stay compiled
NOT_FOR_TEXT = ("focus", "balance", "augment")  # what `Learning` has for classifiers


class Translator(Task):
    """Translate texts of one language into another.

    Make one by `new`, `load`, or `attention_zoo.load(name)`.
    """

    config_class = TranslatorConfig
    preprocessor_class = TranslationPreprocessor
    verb = "translate"

    def _forget(self) -> None:
        self._generators: dict[tuple[Decoding, Any], keras.Model] = {}

    @classmethod
    def build(cls, config: TranslatorConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls,
        sources: Iterable[str] | None = None,
        targets: Iterable[str] | None = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        **config: Any,
    ) -> Self:
        """Make an untrained translator.

        Args:
            sources, targets: what the vocabularies are learned from; None takes the first data that `fit` sees.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `TranslatorConfig`.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        task = cls(cls.config_class.of(**config), dtype=dtype)
        if (sources is None) != (targets is None):
            raise ZooValueError("sources and targets must be given both, or neither")
        if sources is not None:
            task._start(reading.read_pairs((list(sources), list(targets)), task.config), seed)
        return task

    def _start(self, pairs: Pairs, seed: int) -> None:
        """Learn the vocabularies, and build the model with new weights."""
        config = self.config
        self._preprocessor = TranslationPreprocessor.train(
            pairs.sources,
            pairs.targets,
            vocabulary_size=config.vocabulary_size,
            joint=config.joint,
            max_length=config.max_length,
            min_frequency=config.min_frequency,
        )
        sizes = self._preprocessor.target_vocabulary_size, self._preprocessor.source_vocabulary_size
        self.config = config.change(vocabulary_size=sizes[0], source_size=sizes[1])
        set_seeds(seed)
        self._hold(self._built(self.config))

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        preprocessor = self.preprocessor
        found = {
            "vocabulary_size": preprocessor.target_vocabulary_size,
            "source_size": preprocessor.source_vocabulary_size,
            "joint": preprocessor.joint,
            "max_length": preprocessor.max_length,
        }
        for name, value in found.items():
            if getattr(self.config, name) != value:
                raise ZooValueError(f"{name} is {getattr(self.config, name)!r}, but the preprocessor's is {value!r}")

    def fit(
        self,
        data: Any,
        validation: Any = None,
        *,
        epochs: int = 10,
        batch_size: int = 64,
        learning_rate: Any = 1e-3,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        resume_folder: Any = None,
        progress: bool = True,
        **options: Any,
    ) -> dict[str, list[float]]:
        """Train on pairs of texts; on an already trained translator, fine-tune.

        Args:
            data: a Dataset (its "train" split) or Split with columns of the config's languages (or "source" and
                "target"), (sources, targets), or the path of a table with two columns.
            validation: the same; None takes the "val" split where `data` is a Dataset that has one, False takes none.
            epochs: how often all data is seen.
            batch_size: pairs a step.
            learning_rate: the largest rate, or a Keras schedule.
            callbacks: any Keras callbacks.
            resume_folder: folder of a checkpoint after each epoch; a training that finds one there goes on from it.
            progress: whether to print a line an epoch (after two seconds).
            **options: fields of `models.learning.Learning` (schedule, warmup, weight_decay, clip, averaging, smoothing,
                patience, optimizer, loss, seed ...), and `jit_compile`, `steps_per_epoch` ... for Keras.

        Returns:
            {measure: [value per epoch]}.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if data or an option cannot work; says which.
        """
        chosen = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, **options}
        learning, passed = Learning.split(chosen)
        for name in NOT_FOR_TEXT:
            if getattr(learning, name):
                raise ZooValueError(f"{name} must be left out for a translator, got {getattr(learning, name)!r}")
        train = reading.read_pairs(data, self.config, "train")
        if validation is None and has_split(data, "val"):
            validation = data
        held = None if validation in (None, False) else reading.read_pairs(validation, self.config, "val")
        if self._model is None:
            self._start(train, learning.seed)
        lesson = Lesson(learning, passed, tuple(callbacks), resume_folder, progress)
        loss = SequenceCrossEntropy(smoothing=learning.smoothing) if learning.loss is None else learning.loss
        history = teach(
            self.model,
            self._batches(train, learning, shuffle=True),
            None if held is None else self._batches(held, learning, shuffle=False),
            keras.losses.get(loss),
            [TokenAccuracy()],
            lesson,
        )
        self.card = card_after(self.card, self.config, train.origin, learning.seed)
        return history

    def _batches(self, pairs: Pairs, learning: Learning, shuffle: bool) -> PairBatches:
        """Return pairs as padded batches of ids; pairs of like length lie together."""
        sources, targets = self.preprocessor.pairs(pairs.sources, pairs.targets)
        rate = self.config.piece_dropout
        return PairBatches(
            sources,
            targets,
            batch_size=learning.batch_size,
            seed=learning.seed,
            shuffle=shuffle,
            augment=self.preprocessor.dropout(rate) if shuffle and rate else None,
        )

    def evaluate(self, data: Any, *, split: str = "test", batch_size: int = BATCH, **search: Any) -> dict[str, Any]:
        """Judge the translator by what it writes.

        Args:
            data: as for `fit`.
            split: which split of a Dataset.
            batch_size: texts translated at once.
            **search: as for `translate`.

        Returns:
            bleu, bleu_tokenised, chrf and their signatures, as `attention_zoo.text.bleu.measures` counts them.

        Raises:
            ZooValueError: if the texts cannot work.
            ZooImportError: if sacrebleu or sacremoses (extra `train`) is missing.
        """
        from attention_zoo.text.bleu import MOSES_LANGUAGES, measures

        pairs = reading.read_pairs(data, self.config, split)
        found = self.translate(pairs.sources, batch_size=batch_size, **search)
        language = self.config.target if self.config.target in MOSES_LANGUAGES else None
        return measures([each.text for each in found], pairs.targets, language)

    def translate(
        self,
        texts: Any,
        beam: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
        nbest: int = 1,
        *,
        batch_size: int = BATCH,
        sampler: Any = None,
        **options: Any,
    ) -> list[Translation]:
        """Translate texts.

        Texts of like size are run together; one that is too long is translated in parts.

        Args:
            texts: one or many: strings, or UTF-8 bytes. An empty one has an empty translation.
            beam: hypotheses kept alive; 1 is greedy search, None is the config's.
            length_penalty: power by which longer translations are favoured; None is the config's.
            max_length: pieces of a translation at most; None is the config's.
            nbest: translations of each text, at most `beam`.
            batch_size: texts run at once, at least 1.
            sampler: a sampler of keras-hub, or its name, that chooses the pieces in place of this search; of the
                settings it takes length_penalty and max_length.
            **options: further fields of `search.Decoding`: coverage_penalty, early_stopping, sample, temperature,
                top_k, top_p, seed.

        Returns:
            One `Translation` a text, in order.

        Raises:
            ZooValueError: if there is no text, one is no UTF-8, or a number cannot work.
            ZooTypeError: if something is no text, or `sampler` no sampler.
            ZooImportError: if there is a sampler and keras-hub (extra `hub`) is missing.
        """
        asked = {"beam": beam, "length_penalty": length_penalty, "max_length": max_length, "nbest": nbest}
        if sampler is not None:
            refused = [name for name, value in {"beam": beam, **options}.items() if value is not None]
            if refused or nbest != 1:
                raise ZooValueError(f"{(refused or ['nbest'])[0]} must be left out beside a sampler, which has its own")
            asked["beam"] = 1
        settings = translation.decoding(self._usual(), {**asked, **options})
        texts = self.preprocessor.items(texts)
        parts, owners = translation.split(self.preprocessor, texts)
        whole_number("batch_size", batch_size, unit="texts run at once")
        if not parts:
            return translation.join([], [], len(texts), settings.nbest)
        rows = self._source_rows(parts)
        told = decode(self._generator(settings, sampler), rows, batch_size=batch_size)
        write = self.preprocessor.decode
        found = [
            [(write(ids.tolist()), score) for ids, score in zip(told["token_ids"][row], told["scores"][row].tolist())]
            for row in range(len(parts))
        ]
        return translation.join(found, owners, len(texts), settings.nbest)

    def predict(self, texts: Any, **options: Any) -> list[Translation]:
        """Translate texts: the verb that all families have; see `translate`."""
        return self.translate(texts, **options)

    def _source_rows(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of texts without padding."""
        return [row[row != 0] for row in self.preprocessor(texts)["source_ids"]]

    def _usual(self) -> dict[str, Any]:
        """Return the settings of a search where nothing else is asked for."""
        return {name: getattr(self.config, name) for name in ("beam", "length_penalty", "max_length")}

    def _generator(self, settings: Decoding, sampler: Any = None) -> keras.Model:
        """Return the model that runs a search, compiled once for each setting."""
        asked = settings, sampler
        if asked not in self._generators:
            while len(self._generators) >= KEPT:
                self._generators.pop(next(iter(self._generators)))
            self._generators[asked] = self._made(settings, sampler)
        return self._generators[asked]

    def _made(self, settings: Decoding, sampler: Any = None) -> keras.Model:
        network = self.network
        source_ids = next(tensor for tensor in network.inputs if tensor.name == "source_ids")
        encoder = keras.Model(source_ids, network.get_layer(MEMORY).output, name="encoder")
        decoder, options = network.get_layer(DECODER), {"decoding": settings, "name": "generator"}
        if sampler is None:
            return self._ruled(Generator(encoder, decoder, **options))
        # Imported here: only with a sampler is keras-hub needed.
        from attention_zoo.interop.samplers import SampledGenerator

        return self._ruled(SampledGenerator(encoder, decoder, sampler, **options))

    def explain(self, text: str, translation: str | None = None, **search: Any) -> Any:
        """Say where the translator looked while it wrote each word.

        Args:
            text: one string.
            translation: what is said to be written, in place of the translator's own.
            **search: as for `translate`.

        Returns:
            An `Alignment`, to be saved as .html, .png, .svg or .json. Its weights are those of the layer before the
            last (Garg et al. 2019, arXiv:1909.02074), mean over heads; of a recurrent decoder those of its alignment.

        Raises:
            ZooTypeError, ZooValueError: if the text cannot work or is blank. A long one is cut, and this is said.

        Cost: a search, and one run over what it wrote.
        """
        # Imported here: it brings the drawing parts, which translations can do without.
        from attention_zoo.models.translator.explaining import aligned

        _a_string(text)
        score = None
        if translation is None:
            best = self.translate(text, **search)[0]
            translation, score = best.text, best.score
        return aligned(self.model, self.preprocessor, text, translation, score)

    def network_inputs(self, inputs: Any) -> dict[str, np.ndarray]:
        """Return what the network reads of texts and of what it writes from them."""
        from attention_zoo.models.translator.explaining import paired

        texts = self.preprocessor.items(inputs)
        return paired(self.preprocessor, texts, [each.text for each in self.translate(texts)])

    def answered(self, given: Any, answer: str | None = None) -> str:
        """Return the translation that is to be explained."""
        _a_string(given)
        return self.translate(given)[0].text if answer is None else answer

    def trial(self, given: str, answer: str, method: str) -> Any:
        """Return what an explanation calls important, token by token, and how versions of the source are scored."""
        from attention_zoo.models.translator import hiding

        return hiding.trial(self, given, answer, method)

    @property
    def returns(self) -> str:
        """What the outputs of the exported graphs are, for a person who runs them by other means."""
        return (
            "of `translate` and `greedy`: `token_ids`, int32 [batch, 1, pieces], padded with 0, `scores`, `lengths`; "
            "of `step`: `values` and `ids`, log-probabilities of the likeliest next pieces"
        )

    def settings(self) -> dict[str, Any]:
        """Return what the description of a bundle holds beside its graphs."""
        return {**super().settings(), "decoding": self._usual()}

    def graphs(self) -> dict[str, Any]:
        """Return encoder and step for the runtime's loop, and whole searches for SavedModels."""
        from attention_zoo.export import Graph
        from attention_zoo.export.generating import generating_graphs

        probes = [{"source_ids": probe["source_ids"]} for probe in self.probes()]
        usual = self._usual()
        searches = {"translate": Decoding(**usual), "greedy": Decoding(**{**usual, "beam": 1})}
        whole = {name: Graph(self._made(settings), probes, ("savedmodel",)) for name, settings in searches.items()}
        return {**generating_graphs(self.model, probes, decoder=DECODER, memory=MEMORY), **whole}


def _a_string(text: Any) -> None:
    if not isinstance(text, str):
        raise ZooTypeError(f"text must be a string, got {type(text).__name__}")
