"""The multimodal preprocessor: rows of image, audio and text in, padded arrays out; what is missing has no steps."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooError, ZooFileError, ZooValueError
from attention_zoo.files import make_folder, read_json, write_json
from attention_zoo.multimodal.kinds import CONVERSATION, FEATURES, FRAMES, SOUND, WORDS, steps_of
from attention_zoo.multimodal.pictures import FrameReader
from attention_zoo.multimodal.reader import Reader
from attention_zoo.multimodal.rows import Row, as_rows
from attention_zoo.multimodal.settings import Settings
from attention_zoo.multimodal.sounds import SoundReader
from attention_zoo.multimodal.vectors import VectorReader
from attention_zoo.multimodal.words import WordReader

FORMAT, KIND, CONFIG = 1, "multimodal", "preprocessor.json"
READERS: dict[str, type[Reader]] = {
    FRAMES: FrameReader,
    SOUND: SoundReader,
    WORDS: WordReader,
    FEATURES: VectorReader,
}
# One input as it stands on a command line, by the form that it has.
_EXAMPLES = {FRAMES: "picture.png", SOUND: "speech.wav", WORDS: "a text", FEATURES: "rows.jsonl"}

Encoded = dict[str, Any]


class MultimodalPreprocessor:
    """Turn rows of image, audio and text into the arrays of a model.

    For each modality m of the model:

        m          float32 [batch, frames, mels] of sounds, [batch, frames, height, width, channels] of pictures,
                   [batch, steps, width] of features; int32 [batch, tokens] of words; padded by 0
        m_steps    int32 [batch]: how many steps are real; 0 where the modality is missing

    and, where conversations are told apart, `conversation`: int32 [batch], the same number for rows of one
    conversation, a number of its own for a row that belongs to none.

    Sounds are log-mel, of the loudest stretch where they are too long. Each band of a sound and each number of a
    feature vector has the training data's mean taken away and is divided by its deviation. Silence (no sample above
    -60 dB), a blank text and an empty list of frames are treated as missing, and a `UserWarning` says how many there
    are. Make one by `learn` or `load`.

    Args:
        settings: every choice.
        readers: what reads each modality, by its name.

    Raises:
        ZooValueError: if there is not one reader for each modality.
    """

    kind = KIND
    noun = "row"  # what one input is called

    def __init__(self, settings: Settings, readers: Mapping[str, Reader]):
        if set(readers) != set(settings.modalities):
            raise ZooValueError(f"readers must be for {', '.join(settings.modalities)}, got {', '.join(readers)}")
        self.settings = settings
        self.readers = {modality: readers[modality] for modality in settings.modalities}

    @classmethod
    def learn(cls, rows: Any, **settings: Any) -> Self:
        """Learn statistics and vocabulary from the rows of a training; the same rows give the same ones.

        Args:
            rows: in any of the ways of `attention_zoo.multimodal.as_rows`.
            **settings: fields of `Settings`. Without `modalities`, those that occur in the rows are taken.

        Returns:
            A preprocessor whose `settings` say the widths of features and the true size of the vocabulary.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a row or a setting cannot work; names which.

        Cost: reads each text and feature vector, and at most 500 of the sounds, once.
        """
        rows = as_rows(rows)
        if "modalities" not in settings:
            settings["modalities"] = [name for name in Settings().modalities if any(name in row for row in rows)]
        chosen = Settings.of(settings)
        check_modalities(rows, chosen.modalities)
        readers = {}
        for modality in chosen.modalities:
            values = named(rows, modality)
            if not values:
                raise ZooValueError(f"{modality} must be in at least one row of the training data, got none")
            readers[modality] = READERS[chosen.kind(modality)].learn(modality, values, chosen)
        return cls(_as_learned(chosen, readers), readers)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What a row may hold, in order."""
        return self.settings.modalities

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arrays, in order."""
        names = [name for modality in self.modalities for name in (modality, steps_of(modality))]
        return (*names, CONVERSATION) if self.settings.conversations else tuple(names)

    @property
    def example(self) -> str:
        """One input as it stands on a command line."""
        return _EXAMPLES[self.settings.kind(self.modalities[-1])]

    @property
    def usage(self) -> str:
        """What the arrays are, for a person who has to make them by other means."""
        parts = [
            f"`{modality}`: {reader.usage}; `{steps_of(modality)}`: int32 [batch], how many steps are real, 0 where "
            f"{modality} is missing"
            for modality, reader in self.readers.items()
        ]
        if self.settings.conversations:
            parts.append(f"`{CONVERSATION}`: int32 [batch], the same number for rows of one conversation")
        statistics = f"means and deviations are in `preprocessor/{CONFIG}`"
        return "; ".join([*parts, statistics])

    def items(self, given: Any) -> list[Row]:
        """Return what a user gave as rows, and check that the model has each modality; no picture or sound is opened.

        Args:
            given: in any of the ways of `attention_zoo.multimodal.as_rows`.

        Raises:
            ZooTypeError, ZooValueError, ZooFileError: if rows cannot work; names which.
        """
        rows = as_rows(given)
        check_modalities(rows, self.modalities)
        return rows

    def size(self, row: Mapping[str, Any]) -> float:
        """Return about how long a row is, so that rows of like size can be run together."""
        name = getattr(row, "name", "row")
        return sum(self.readers[m].size(row[m], f"{m} of {name}") for m in self.modalities if m in row)

    def __call__(self, rows: Any) -> dict[str, np.ndarray]:
        """Return the arrays of rows (see the class); `encode` and `arrays` in one.

        Args:
            rows: in any of the ways of `items`.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if something cannot be read; names the row.
        """
        return self.arrays(self.encode(rows))

    def encode(self, rows: Any) -> list[Encoded]:
        """Read rows once, so that they can be put into many batches.

        Args:
            rows: in any of the ways of `items`.

        Returns:
            For each row a dict with what is there: by modality its steps without padding, [steps, ...] (float32
            features, uint8 pictures, int32 words), and the name of its conversation.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if something cannot be read, or a row has nothing left, as its
                sound is silent or its text blank; names the row.
        """
        rows = self.items(rows)
        found: list[Encoded] = [{} for _ in rows]
        for modality, reader in self.readers.items():
            places = [place for place, row in enumerate(rows) if modality in row]
            for place, steps in zip(places, reader.read(named(rows, modality))):
                if steps is not None:
                    found[place][modality] = steps
            lost = sum(modality not in found[place] for place in places)
            if lost:
                message = (
                    f"{lost:,} of {len(rows):,} rows have {reader.nothing}: {modality} is treated as missing there"
                )
                warnings.warn(message, UserWarning, stacklevel=2)
        for row, encoded in zip(rows, found):
            if not encoded:
                told = " and ".join(self.readers[m].nothing for m in self.modalities if m in row)
                raise ZooValueError(
                    f"{row.name} must have an image, audio or text that says something, got only {told}"
                )
            if CONVERSATION in row:
                encoded[CONVERSATION] = row[CONVERSATION]
        return found

    def arrays(self, encoded: Sequence[Encoded], widths: Mapping[str, int] | None = None) -> dict[str, np.ndarray]:
        """Return encoded rows as the arrays of a batch.

        Args:
            encoded: what `encode` returned, at least one row; floats may be in float16.
            widths: least number of steps by modality; None is as many as the batch needs.

        Returns:
            arrays by the names of `inputs`, each of at least one step.
        """
        if not encoded:
            raise ZooValueError("encoded must hold at least one row, got none")
        batch: dict[str, np.ndarray] = {}
        for modality, reader in self.readers.items():
            width = (widths or {}).get(modality, 1)
            rows = [row.get(modality) for row in encoded]
            batch[modality], batch[steps_of(modality)] = reader.arrays(rows, width)
        if self.settings.conversations:
            batch[CONVERSATION] = conversation_numbers([row.get(CONVERSATION) for row in encoded])
        return batch

    def batches(self, rows: Sequence[Mapping[str, Any]], batch_size: int) -> list[list[int]]:
        """Return which rows to run together: those of like size, and a conversation whole and in its order.

        Args:
            rows: what `items` returned.
            batch_size: rows of a batch; a conversation that is longer is a batch.
        """
        groups: dict[Any, list[int]] = {}
        for number, row in enumerate(rows):
            talk = row.get(CONVERSATION) if self.settings.conversations else None
            groups.setdefault(("alone", number) if talk is None else ("together", talk), []).append(number)
        sizes = [self.size(row) for row in rows]
        batches: list[list[int]] = []
        for group in sorted(groups.values(), key=lambda group: max(sizes[number] for number in group)):
            if batches and len(batches[-1]) + len(group) <= batch_size:
                batches[-1] += group
            else:
                batches.append(list(group))
        return batches

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two batches of different size and length: noise (seed 0), with padding and missing modalities."""
        generator = np.random.default_rng(0)
        probes = []
        for batch, part in ((2, 2), (3, 1)):
            rows: list[Encoded] = []
            for number in range(batch):
                full = {modality: reader.probe(generator, part) for modality, reader in self.readers.items()}
                # The last row is shorter, and lacks the first modality where there are several.
                short = {modality: steps[: max(len(steps) // 2, 1)] for modality, steps in full.items()}
                if len(short) > 1:
                    short.pop(self.modalities[0])
                rows.append({**(full if number < batch - 1 else short), CONVERSATION: number // 2})
            lengths = {modality: max(len(row.get(modality, ())) for row in rows) for modality in self.modalities}
            arrays = self.arrays(rows, lengths)
            # Without what rounding adds, or both batches would be of one length.
            probes.append(
                {name: array[:, : lengths[name]] if name in lengths else array for name, array in arrays.items()}
            )
        return probes

    def save(self, folder: str | Path) -> None:
        """Write `preprocessor.json`, and a folder for each modality that has files, into a folder, which is made.

        Raises:
            ZooFileError: if it cannot be written.
        """
        folder = make_folder(folder)
        told = {modality: reader.save(folder / modality) for modality, reader in self.readers.items()}
        write_json(
            folder / CONFIG, {"format": FORMAT, "kind": KIND, "settings": self.settings.to_dict(), "readers": told}
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ZooFileError: if a file is missing or damaged; names it.
        """
        folder = Path(folder)
        config = read_json(folder / CONFIG, FORMAT)
        if (kind := config.get("kind")) != KIND:
            raise ZooFileError(f"{folder / CONFIG} must be of a preprocessor of the kind {KIND!r}, got {kind!r}")
        try:
            settings = Settings.of(config["settings"])
            readers = {
                modality: READERS[settings.kind(modality)].load(folder / modality, modality, told, settings)
                for modality, told in config["readers"].items()
            }
            made = cls(settings, readers)
        except ZooFileError:
            raise
        except (ZooError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ZooFileError(f"{folder} is damaged: {error}") from error
        if _as_learned(settings, readers) != settings:
            raise ZooFileError(f"{folder} is damaged: {CONFIG} and what each modality has learned differ in size")
        return made


def named(rows: Sequence[Row], modality: str) -> list[tuple[str, Any]]:
    """Return the values of a modality that are there, each with what errors call it."""
    return [(f"{modality} of {row.name}", row[modality]) for row in rows if modality in row]


def check_modalities(rows: Sequence[Row], modalities: Sequence[str]) -> None:
    """Check that rows hold nothing that the model does not read.

    Raises:
        ZooValueError: if one does; names the row.
    """
    for row in rows:
        for key in row:
            if key != CONVERSATION and key not in modalities:
                raise ZooValueError(f"{row.name} has {key}, and this model reads only {', '.join(modalities)}")


def conversation_numbers(names: Sequence[Any]) -> np.ndarray:
    """Return int32 numbers of conversations by their names: one of its own for None."""
    known: dict[Any, int] = {}
    for place, name in enumerate(names):
        known.setdefault(("alone", place) if name is None else name, len(known))
    return np.array([known[("alone", place) if name is None else name] for place, name in enumerate(names)], np.int32)


def _as_learned(settings: Settings, readers: Mapping[str, Reader]) -> Settings:
    """Return settings with the sizes that readers have learned."""
    found = {f"{name}_features": each.shape[0] for name, each in readers.items() if isinstance(each, VectorReader)}
    words = readers.get("text")
    if isinstance(words, WordReader):
        found |= {"vocabulary_size": words.texts.vocabulary_size, "max_tokens": words.texts.max_length}
    return settings.change(**found)
