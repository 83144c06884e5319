"""The preprocessor of speech: sounds in, normalised log-mel features out; texts to numbered units and back."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.audio.cutting import Piece, cut
from attention_zoo.audio.features import LogMel
from attention_zoo.audio.reading import as_items, blocks, info, read_sound
from attention_zoo.audio.streaming import FeatureStream
from attention_zoo.audio.units import Letters, Units, WordPieces, learn_units, spoken
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.files import make_folder, read_bytes, read_json, write_bytes, write_json
from attention_zoo.text.ngram import NGram
from attention_zoo.text.pieces import BEGIN_ID, END_ID, SPECIAL, UNKNOWN_ID, Pieces
from attention_zoo.text.rows import PAD_ID, rounded
from attention_zoo.text.strings import as_texts

FORMAT, KIND = 1, "speech"  # of preprocessor.json
CONFIG, TOKENIZER, LANGUAGE = "preprocessor.json", "tokenizer.json", "language.npz"
MULTIPLE = 32  # frames: few shapes are compiled
SMALLEST_DEVIATION = 1e-3  # of a band that says always the same
_PROBE_FRAMES, _PROBE_TARGETS = 97, 17  # odd, so that no size is a multiple of anything

Rows = list[np.ndarray]


class SpeechPreprocessor:
    """Turn sounds into features, texts into rows of ids, and rows of ids into texts.

    features = (log-mel - mean) / deviation, of each band over the training data

    0 pads and is CTC's blank, 1 is unknown, 2 begins, 3 ends, then come letters or pieces. Make one by `train` or
    `load`.

    Args:
        features: how log-mel features are computed.
        units: `Letters` or `WordPieces`.
        mean: of each band, [mels].
        deviation: standard deviation of each band, [mels], more than 0.
        max_seconds: longest sound that goes through the model at once; longer ones are cut (see `split`).
        language: which units follow which, for searches; None for none.

    Raises:
        ZooValueError, ZooTypeError: if an argument cannot work.
    """

    noun, example = "sound", "speech.wav"  # what one input is called, and one as it stands on a command line
    items = staticmethod(as_items)  # checks what a user gave, and returns it as a sequence
    kind = KIND

    def __init__(
        self, features: LogMel, units: Units, mean: Sequence[float], deviation: Sequence[float],
        max_seconds: float = 30.0, language: NGram | None = None,
    ):  # fmt: skip
        self.log_mel, self.units, self.language = features, units, language
        self.mean, self.deviation = (np.asarray(values, np.float32) for values in (mean, deviation))
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if values.shape != (features.mels,) or not np.isfinite(values).all():
                raise ZooValueError(f"{name} must be {features.mels} finite numbers, got shape {list(values.shape)}")
        if not (self.deviation > 0).all():
            raise ZooValueError(f"deviation must be more than 0 in each band, got {float(self.deviation.min())}")
        is_number = isinstance(max_seconds, int | float) and not isinstance(max_seconds, bool)
        if not is_number or not 1 <= max_seconds <= 3600:
            raise ZooValueError(f"max_seconds must be from 1 to 3,600, got {max_seconds!r}")
        self.max_seconds = float(max_seconds)
        self._said: set[str] = set()

    @classmethod
    def train(
        cls, sounds: Any, texts: Iterable[str], units: str = "letters", vocabulary_size: int = 500,
        max_seconds: float = 30.0, features: LogMel | None = None,
    ) -> "SpeechPreprocessor":  # fmt: skip
        """Learn mean and deviation from sounds, and units from texts; the same data give the same ones.

        Args:
            sounds: in any of the ways of `attention_zoo.audio.as_items`.
            texts: transcripts, as many or others.
            units: "letters" or "pieces".
            vocabulary_size: most entries of pieces, the four special ones and 256 bytes included.
            max_seconds: as of the class.
            features: how they are computed; None takes `LogMel()`.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a sound, a text or an argument cannot work; names which.
        """
        features = LogMel() if features is None else features
        known = learn_units([spoken(text) for text in as_texts(texts, blank=True)], units, vocabulary_size)
        nothing = np.zeros(features.mels)
        made = cls(features, known, nothing, nothing + 1, max_seconds)
        count, total, squares = 0, nothing, nothing
        for number, sound in enumerate(as_items(sounds)):
            frames = made._log_mel_of(sound, f"sounds[{number}]").astype(np.float64)
            count, total, squares = count + len(frames), total + frames.sum(0), squares + (frames**2).sum(0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, SMALLEST_DEVIATION**2))
        return cls(features, known, mean, deviation, max_seconds)

    @property
    def rate(self) -> int:
        """Rate (Hz) to which sounds are brought."""
        return self.log_mel.rate

    @property
    def mels(self) -> int:
        """Bands of a frame."""
        return self.log_mel.mels

    @property
    def vocabulary_size(self) -> int:
        """Number of units, the special ones included: one more than the largest id."""
        return len(self.units)

    @property
    def config(self) -> dict:
        """What `preprocessor.json` holds."""
        letters = {"characters": self.units.characters} if isinstance(self.units, Letters) else {}
        return {
            "format": FORMAT, "kind": KIND, "max_seconds": self.max_seconds, "features": self.log_mel.config,
            "units": self.units.kind, **letters, "language": self.language is not None,
            "mean": [float(value) for value in self.mean], "deviation": [float(value) for value in self.deviation],
        }  # fmt: skip

    @property
    def usage(self) -> str:
        """What the arrays are, for a person who has to make them by other means."""
        mel = self.log_mel
        return (
            f"`features`: float32 [batch, frames, {mel.mels}], log-mel of one channel at {mel.rate:,} Hz (windows of "
            f"{mel.window_seconds * 1000:g} ms every {mel.step_seconds * 1000:g} ms), less `mean`, by `deviation` of "
            f"`preprocessor/{CONFIG}`, padded with 0; `frames`: int32 [batch], how many are real; `target_ids` (where "
            f"there is a decoder): int32 [batch, target], begun by {BEGIN_ID}, padded with {PAD_ID}"
        )

    @staticmethod
    def size(sound: Any) -> float:
        """Return the seconds of one sound, read from its head."""
        return info(sound).seconds

    def __call__(self, sounds: Any) -> dict[str, np.ndarray]:
        """Read sounds; one that is longer than `max_seconds` is cut, and this is said once (see `split`).

        Args:
            sounds: paths, bytes, pairs (array, rate) or `Sound`s; one is a batch of one.

        Returns:
            {"features": float32 [batch, frames, mels], "frames": int32 [batch]}, padded by 0 to the longest, rounded
            up to a multiple of 32 frames.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a sound cannot be read; names which.
        """
        rows, longest = self.features(sounds), self.log_mel.frames(int(self.max_seconds * self.rate))
        if max(map(len, rows)) > longest:
            self._say("long", f"a sound was cut to its first {self.max_seconds:g} s (max_seconds)")
        return self.arrays([row[:longest] for row in rows])

    def arrays(self, rows: Rows, multiple: int = MULTIPLE) -> dict[str, np.ndarray]:
        """Return features as inputs of the model.

        Args:
            rows: float32 [frames, mels] each.
            multiple: to which the number of frames is rounded up.
        """
        frames = np.array([len(row) for row in rows], np.int32)
        batch = np.zeros((len(rows), rounded(int(frames.max()), multiple), self.mels), np.float32)
        for place, row in zip(batch, rows):
            place[: len(row)] = row
        return {"features": batch, "frames": frames}

    def rows(self, sounds: Any) -> tuple[Rows, list[float], list[int]]:
        """Return the features of sounds of any length, in pieces of at most `max_seconds` (see `split`).

        Args:
            sounds: as of the call.

        Returns:
            features float32 [frames, mels] of each piece, the start of each in its sound (seconds), and of how many
            pieces each sound is.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a sound cannot be read; names which.
        """
        rows, starts, counts = [], [], []
        for sound in as_items(sounds):
            before = len(rows)
            for piece in self.split(sound):
                rows += self.features([(piece.samples, piece.rate)])
                starts.append(piece.start)
            counts.append(len(rows) - before)
        return rows, starts, counts

    def features(self, sounds: Any) -> Rows:
        """Return the features of sounds of any length, one by one.

        Args:
            sounds: as of the call.

        Returns:
            float32 [frames, mels] each.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a sound cannot be read; names which.
        """
        items = enumerate(as_items(sounds))
        return [self.normalised(self._log_mel_of(item, f"sounds[{number}]")) for number, item in items]

    def normalised(self, log_mel: np.ndarray) -> np.ndarray:
        """Return log-mel features [frames, mels] less their mean, by their deviation."""
        return (log_mel - self.mean) / self.deviation

    def split(self, sound: Any) -> Iterator[Piece]:
        """Cut a recording into pieces of at most `max_seconds`, each where the end of it is quietest.

        Args:
            sound: one; a file of hours takes the memory of one piece.

        Yields:
            pieces in order with their start (seconds); the whole where it fits. Give `(piece.samples, piece.rate)` on.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if it cannot be read.
        """
        return cut(blocks(sound, rate=self.rate), self.rate, self.max_seconds)

    def stream(self, rate: int | None = None) -> FeatureStream:
        """Return what turns the chunks of one sound, as they come, into the features of the whole.

        Args:
            rate: of the chunks (Hz); None is that of the features.

        Raises:
            ZooValueError: if the rate is none.
        """
        return FeatureStream(self.log_mel, self.rate if rate is None else rate, self.normalised)

    def targets(self, texts: str | Iterable[str]) -> Rows:
        """Encode transcripts; they are read as `attention_zoo.audio.spoken` says.

        Args:
            texts: strings; a blank one is an empty row.

        Returns:
            int32 [ids] each, neither begun nor ended. Characters that are no units become [UNK], said once.

        Raises:
            ZooTypeError, ZooValueError: if something is no string, or there is none.
        """
        texts = [spoken(text) for text in as_texts(texts, blank=True)]
        rows = [np.array(row, np.int32) for row in self.units.encode(texts)]
        if strange := sum(int(np.count_nonzero(row == UNKNOWN_ID)) for row in rows):
            which = " ".join(sorted(set("".join(texts)) - set(self.units.characters))[:20])
            count = sum(map(len, rows))
            self._say("unknown", f"{strange:,} of {count:,} characters are no units and became [UNK]: {which}")
        return rows

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text that a row of ids says; it ends at the first [EOS], other special ids say nothing.

        Args:
            ids: one row of units, as a decoder says them or a CTC search returns them (nothing is collapsed here).

        Raises:
            ZooTypeError: if the ids are no row of whole numbers.
            ZooValueError: if one is not of the vocabulary.
        """
        row = np.asarray(ids)
        if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
            raise ZooTypeError(f"ids must be one row of whole numbers, got {row.dtype} of shape {list(row.shape)}")
        if row.size and not 0 <= row.min() <= row.max() < len(self.units):
            raise ZooValueError(f"ids must be from 0 to {len(self.units) - 1}, got {row.min()} to {row.max()}")
        row = row[: np.argmax(row == END_ID)] if np.any(row == END_ID) else row
        return self.units.decode(row[row > END_ID].tolist())

    def unit(self, number: int) -> str:
        """Return what one id stands for: a character, a piece with the blank before a word, or a special name.

        Raises:
            ZooValueError: if it is not of the vocabulary.
        """
        if whole_number("id", number, 0) >= len(self.units):
            raise ZooValueError(f"id must be from 0 to {len(self.units) - 1}, got {number}")
        return self.units.unit(int(number))

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two batches of different size and length: noise and ids (seed 0), padded; with `target_ids`."""
        generator = np.random.default_rng(0)
        probes = []
        for batch, part in ((2, 2), (3, 1)):
            frames, length = _PROBE_FRAMES // part, _PROBE_TARGETS // part
            features = generator.normal(size=(batch, frames, self.mels)).astype(np.float32)
            targets = generator.integers(len(SPECIAL), len(self.units), (batch, length), dtype=np.int32)
            real = np.full(batch, frames, np.int32)
            real[-1] = frames // 2
            features[-1, real[-1] :] = 0
            targets[:, 0], targets[-1, length // 2 + 1 :] = BEGIN_ID, PAD_ID
            probes.append({"features": features, "frames": real, "target_ids": targets})
        return probes

    def save(self, folder: str | Path) -> None:
        """Write `preprocessor.json`, the tokenizer of pieces and the language model into a folder, which is made.

        Raises:
            ZooFileError: if it cannot be written.
        """
        folder = make_folder(folder)
        if self.language is not None:
            self.language.save(folder / LANGUAGE)
        if isinstance(self.units, WordPieces):
            write_bytes(folder / TOKENIZER, self.units.pieces.write().encode("utf-8"))
        write_json(folder / CONFIG, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "SpeechPreprocessor":
        """Read what `save` wrote.

        Raises:
            ZooFileError: if a file is missing or damaged; names it.
        """
        folder = Path(folder)
        config = read_json(folder / CONFIG, FORMAT)
        if (kind := config.pop("kind", None)) != KIND:
            raise ZooFileError(f"{folder / CONFIG} must be of a preprocessor of the kind {KIND!r}, got {kind!r}")
        try:
            features, units = LogMel(**config.pop("features")), config.pop("units")
            config["language"] = NGram.load(folder / LANGUAGE) if config.pop("language", False) else None
            if units == "letters":
                return cls(features, Letters(config.pop("characters")), **config)
            if units == "pieces":
                pieces = Pieces.parse(read_bytes(folder / TOKENIZER).decode("utf-8"))
                return cls(features, WordPieces(pieces), **config)
        except ZooFileError:
            raise
        except (ZooError, KeyError, TypeError, ValueError) as error:
            raise ZooFileError(f"{folder} is damaged: {error}") from error
        raise ZooFileError(f"{folder / CONFIG} is damaged: units must be 'letters' or 'pieces', got {units!r}")

    def _log_mel_of(self, sound: Any, name: str) -> np.ndarray:
        faults: list[tuple[str, str]] = []
        samples = read_sound(sound, self.rate, name, report=lambda *fault: faults.append(fault))
        for topic, sentence in faults:
            self._say(topic, sentence)
        return self.log_mel(samples)

    def _say(self, topic: str, message: str) -> None:
        """Warn a single time of each topic, as one may be asked a million times."""
        if topic not in self._said:
            self._said.add(topic)
            warnings.warn(f"{message}; this is said once", UserWarning, stacklevel=3)
