"""The speech recognizer: sounds in, words out."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.audio import LogMel, SpeechPreprocessor
from attention_zoo.audio.augmenting import SpecAugment, at_speed
from attention_zoo.data import has_split
from attention_zoo.errors import ZooValueError
from attention_zoo.models.learning import Learning
from attention_zoo.models.speech_recognizer import examples as reading
from attention_zoo.models.speech_recognizer.config import SpeechRecognizerConfig
from attention_zoo.models.speech_recognizer.examples import Utterances
from attention_zoo.models.speech_recognizer.listening import Listener
from attention_zoo.models.speech_recognizer.network import ENCODER, build_network
from attention_zoo.models.speech_recognizer.watching import Watching
from attention_zoo.models.teaching import Lesson, card_after, teach
from attention_zoo.runtime.streaming import SpeechStream
from attention_zoo.runtime.transcription import Hearing, Transcript, transcribed
from attention_zoo.text.ngram import NGram
from attention_zoo.training import CtcLoss, SequenceCrossEntropy, SpeechBatches, TokenAccuracy, set_seeds

BATCH = 16  # sounds transcribed at once where nothing else is said
NOT_FOR_SPEECH = ("focus", "balance", "loss")  # what `Learning` has for others
SEARCH = ("beam", "ctc_weight", "lm_weight", "length_bonus", "max_length")


class SpeechRecognizer(Watching):
    """Transcribe speech.

    Make one by `new`, `load`, or `attention_zoo.load(name)`.
    """

    config_class = SpeechRecognizerConfig
    preprocessor_class = SpeechPreprocessor
    verb = "transcribe"

    def _forget(self) -> None:
        self._listener: Listener | None = None

    @property
    def listener(self) -> Listener:
        """What searches in features with the model."""
        if self._listener is None:
            self._listener = Listener(self.model, self.preprocessor)
        return self._listener

    @classmethod
    def build(cls, config: SpeechRecognizerConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls,
        sounds: Any = None,
        texts: Iterable[str] | None = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        **config: Any,
    ) -> Self:
        """Make an untrained recognizer.

        Args:
            sounds, texts: what mean and deviation of the features and the units are learned from; None takes the first
                data that `fit` sees.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `SpeechRecognizerConfig`.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        task = cls(cls.config_class.of(**config), dtype=dtype)
        if (sounds is None) != (texts is None):
            raise ZooValueError("sounds and texts must be given both, or neither")
        if sounds is not None:
            task._start(reading.read_utterances((sounds, list(texts))), seed)
        return task

    def _start(self, utterances: Utterances, seed: int) -> None:
        """Learn features and units, and build the model with new weights."""
        config = self.config
        self._preprocessor = SpeechPreprocessor.train(
            utterances.sounds,
            utterances.texts,
            units=config.units,
            vocabulary_size=config.pieces,
            max_seconds=config.max_seconds,
            features=LogMel(mels=config.mels),
        )
        self.config = config.change(vocabulary_size=self._preprocessor.vocabulary_size)
        set_seeds(seed)
        self._hold(self._built(self.config))

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        preprocessor = self.preprocessor
        found = {"vocabulary_size": preprocessor.vocabulary_size, "mels": preprocessor.mels}
        found |= {"units": preprocessor.units.kind, "max_seconds": preprocessor.max_seconds}
        for name, value in found.items():
            if getattr(self.config, name) != value:
                raise ZooValueError(f"{name} is {getattr(self.config, name)!r}, but the preprocessor's is {value!r}")

    def fit(
        self,
        data: Any,
        validation: Any = None,
        *,
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: Any = 1e-3,
        speeds: Sequence[float] = (1.0,),
        plain_epochs: int = 0,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        resume_folder: Any = None,
        progress: bool = True,
        **options: Any,
    ) -> dict[str, list[float]]:
        """Train on sounds and their transcripts; on an already trained recognizer, fine-tune.

        Args:
            data: a Dataset (its "train" split) or Split with columns "sound" and "text", (sounds, texts), or the path
                of a manifest or of a folder with transcripts.
            validation: the same; None takes the "val" split where `data` is a Dataset that has one, False takes none.
            epochs: how often all data is seen.
            batch_size: sounds a step.
            learning_rate: the largest rate, or a Keras schedule.
            speeds: at which sounds are heard, one drawn for each sound in each epoch; the features of all are kept in
                memory (16 bits a number).
            plain_epochs: epochs at first that hear each sound at the first speed and without `augment`.
            callbacks: any Keras callbacks.
            resume_folder: folder of a checkpoint after each epoch; a training that finds one there goes on from it.
            progress: whether to print a line an epoch (after two seconds).
            **options: fields of `models.learning.Learning`; `augment` is True for `SpecAugment` as published, or one
                with other numbers.

        Returns:
            {measure: [value per epoch]}.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if data or an option cannot work; says which.
        """
        chosen = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, **options}
        learning, passed = Learning.split(chosen)
        for name in NOT_FOR_SPEECH:
            if getattr(learning, name):
                raise ZooValueError(f"{name} must be left out for speech, got {getattr(learning, name)!r}")
        train = reading.read_utterances(data)
        if validation is None and has_split(data, "val"):
            validation = data
        held = None if validation in (None, False) else reading.read_utterances(validation, "val")
        if self._model is None:
            self._start(train, learning.seed)
        lesson = Lesson(learning, self._weighed(passed), tuple(callbacks), resume_folder, progress)
        history = teach(
            self.model,
            self._batches(train, learning, tuple(speeds), plain_epochs),
            None if held is None else self._batches(held, learning),
            self._losses(learning),
            {"tokens": [TokenAccuracy()]} if self.config.decodes else {},
            lesson,
        )
        self.card = card_after(self.card, self.config, train.origin, learning.seed)
        return history

    def _weighed(self, passed: dict[str, Any]) -> dict[str, Any]:
        share = self.config.ctc_share
        return {**passed, "loss_weights": {"ctc": share, "tokens": 1 - share}} if self.config.decodes else passed

    def _losses(self, learning: Learning) -> dict[str, keras.losses.Loss]:
        losses: dict[str, keras.losses.Loss] = {"ctc": CtcLoss(per_unit=self.config.decodes)}
        return {**losses, "tokens": SequenceCrossEntropy(learning.smoothing)} if self.config.decodes else losses

    def _batches(
        self, heard: Utterances, learning: Learning, speeds: Sequence[float] | None = None, plain_epochs: int = 0
    ) -> SpeechBatches:
        """Return sounds as padded batches; only with `speeds`, which are for training, is anything changed."""
        made = [self._features(heard.sounds, speed) for speed in speeds or (1.0,)]
        augment = None
        if speeds is not None and learning.augment:
            augment = SpecAugment() if learning.augment is True else learning.augment
        return SpeechBatches(
            made[0],
            self.preprocessor.targets(heard.texts),
            versions=made[1:],
            batch_size=learning.batch_size,
            decoder=self.config.decodes,
            seed=learning.seed,
            shuffle=speeds is not None,
            augment=augment,
            plain_epochs=plain_epochs,
        )

    def _features(self, sounds: Sequence[Any], speed: float) -> list[np.ndarray]:
        if speed != 1.0:
            sounds = [at_speed(sound, speed, self.preprocessor.rate) for sound in sounds]
        longest = self.preprocessor.log_mel.frames(int(self.config.max_seconds * self.preprocessor.rate))
        return [row[:longest].astype("float16") for row in self.preprocessor.features(sounds)]

    def learn_language(self, texts: Iterable[str] | Any, order: int = 7, smoothing: str = "kneser_ney") -> NGram:
        """Count which units follow which, as a language model for searches; it is saved and exported with the task.

        Args:
            texts: transcripts, or data as for `fit`, of which the "train" split is taken.
            order: units that are looked at together.
            smoothing: as for `attention_zoo.text.ngram.NGram.train`.

        Returns:
            The model, which is `preprocessor.language` from now on.

        Raises:
            ZooValueError, ZooTypeError: if there is no text or a number cannot work.
        """
        are_texts = isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
        rows = self.preprocessor.targets(texts if are_texts else reading.read_utterances(texts).texts)
        model = NGram.train([row for row in rows if len(row)], order, self.config.vocabulary_size, smoothing)
        self.preprocessor.language = model
        return model

    def tune_search(self, data: Any, split: str = "val") -> list[dict[str, float]]:
        """Choose how much the language model counts, by the errors of a search by CTC; the config keeps it.

        Args:
            data: as for `fit`; not what is to be judged in the end.
            split: which split of a Dataset.

        Returns:
            What was tried: lm_weight, length_bonus, wer, cer; the first is what was chosen.

        Raises:
            ZooValueError: if there is no language model, or the data cannot work.
        """
        from attention_zoo.models.speech_recognizer.tuning import tried

        if self.preprocessor.language is None:
            raise ZooValueError("tune_search wants a language model, and this recognizer has none: see learn_language")
        heard = reading.read_utterances(data, split)
        told = tried(self.listener, self.preprocessor, heard.sounds, heard.texts, Hearing(**self._usual()))
        self.config = self.config.change(lm_weight=told[0]["lm_weight"], length_bonus=told[0]["length_bonus"])
        return told

    def evaluate(self, data: Any, *, split: str = "test", batch_size: int = BATCH, **search: Any) -> dict[str, Any]:
        """Judge the recognizer by what it writes.

        Args:
            data: as for `fit`.
            split: which split of a Dataset.
            batch_size: sounds transcribed at once.
            **search: as for `transcribe`.

        Returns:
            wer, cer and the numbers of errors, as `attention_zoo.text.wer.measures` counts them, of texts as they are
            spoken (`attention_zoo.audio.spoken`).

        Raises:
            ZooValueError: if the data cannot work.
            ZooImportError: if jiwer (extra `train`) is missing.
        """
        from attention_zoo.audio import spoken
        from attention_zoo.text.wer import measures

        heard = reading.read_utterances(data, split)
        found = self.transcribe(heard.sounds, batch_size=batch_size, **search)
        return measures([each.text for each in found], [spoken(text) for text in heard.texts])

    def transcribe(
        self,
        sounds: Any,
        beam: int | None = None,
        nbest: int = 1,
        timestamps: bool = False,
        *,
        batch_size: int = BATCH,
        **search: Any,
    ) -> list[Transcript]:
        """Write down what is said.

        A sound longer than `max_seconds` is cut where it is quiet, and its pieces are transcribed one batch after
        another, so that memory does not grow with it.

        Args:
            sounds: one or many: paths, bytes of files, pairs (array, rate), `attention_zoo.audio.Sound`s.
            beam: hypotheses kept alive; 1 is greedy search, None is the config's.
            nbest: transcripts of each sound, at most `beam`.
            timestamps: whether words come with their times (seconds).
            batch_size: pieces run at once, at least 1.
            **search: further fields of `attention_zoo.runtime.Hearing`: ctc_weight, lm_weight, length_bonus ...

        Returns:
            One `Transcript` a sound, in order.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a sound cannot be read or a number cannot work.
        """
        preprocessor, listener = self.preprocessor, self.listener
        settings = Hearing.of(self._usual(), {"beam": beam, "nbest": nbest, **search}, preprocessor.language)
        rows, starts, counts = preprocessor.rows(sounds)
        heard = iter(listener.heard(rows, starts, settings, batch_size, timestamps))
        timing = (preprocessor.units, listener.step_seconds) if timestamps else None
        return [
            transcribed([next(heard) for _ in range(count)], preprocessor.decode, settings.nbest, timing)
            for count in counts
        ]

    def predict(self, sounds: Any, **options: Any) -> list[Transcript]:
        """Transcribe sounds: the verb that all families have; see `transcribe`."""
        return self.transcribe(sounds, **options)

    def _usual(self) -> dict[str, Any]:
        """Return the settings of a search where nothing else is asked for."""
        return {name: getattr(self.config, name) for name in SEARCH}

    @property
    def latency(self) -> float:
        """Seconds that the beginning of a chunk waits for its end, of a network that streams.

        Raises:
            ZooValueError: if the network is another.
        """
        return self._streaming().frames * self.preprocessor.log_mel.step_seconds

    def stream(self, rate: int | None = None) -> SpeechStream:
        """Return what transcribes one sound while it comes.

        Args:
            rate: of the samples that will come (Hz); None is that of the features.

        Returns:
            A `SpeechStream`, with `feed(samples)` and `finish()`.

        Raises:
            ZooValueError: if the network is none that streams, or the rate is none.
        """
        encoder, listener = self._streaming(), self.listener
        features, step, state = self.preprocessor.stream(rate), listener.stepping, listener.step.start(1)
        write = self.preprocessor.decode
        return SpeechStream(features, step.predict_on_batch, state, encoder.frames, listener.factor, write)

    def _streaming(self) -> Any:
        """Return the encoder, if it goes chunk by chunk."""
        if not self.listener.streams:
            raise ZooValueError(f"a stream wants network 'streaming', and this one is {self.config.network!r}")
        return self.network.get_layer(ENCODER)

    @property
    def returns(self) -> str:
        """What the outputs of the exported graphs are, for a person who runs them by other means."""
        told = "of `encoder` and `ctc`: `ctc`, float32 logits [batch, steps, units], unit 0 the blank"
        if self.config.decodes:
            told += "; of `transcribe`: `token_ids`, int32 [batch, 1, units], padded with 0, `scores`, `lengths`"
        if self.listener.streams:
            told += "; of `stream`: `ctc` of one chunk, and the state for the next, `new_<name>`"
        return told

    def settings(self) -> dict[str, Any]:
        """Return what the description of a bundle holds beside its graphs."""
        told: dict[str, Any] = {"hearing": self._usual(), "factor": self.listener.factor}
        if self.listener.streams:
            told["chunk"] = self._streaming().frames
        return {**super().settings(), **told}

    def graphs(self) -> dict[str, Any]:
        """Return what the runtime needs: encoder, and step of the decoder or of a stream; and whole searches."""
        from attention_zoo.models.speech_recognizer.graphs import speech_graphs

        return speech_graphs(self.listener, self.probes(), Hearing(**self._usual()))
