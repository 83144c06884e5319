"""Translators and recognizers for `benchmarks/calibration.py`: rows of different lengths, in dicts of arrays.

Of translators, validation sentences and as many of the training data as make 2,000 are normal; their decoders read the
right translation so far. Of recognizers, training data is normal, as the validation splits are too small to learn from
(104 utterances of an4, 300 of fsdd); those sounds have been heard in training, so what is usual on them may be less so
on new ones. Where there are validation sounds enough for it (fsdd), thresholds are set on them. Sounds of more than 5 s
are left out. Judged is always test data.
"""

import abc
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from subjects import BATCH, LIMIT, Subject, chosen, examples, first, mixed, typed

SENTENCES = 2000  # normal pairs of a translator
TAUGHT = 320  # examples that a model is taught with, for the time of a step
SECONDS = 5.0  # of the longest sound: all are padded to one width
NOISE = 10.0  # dB between a sound and the noise that is put over it
ENOUGH = 200  # validation examples from which a threshold can be set, for 1 % of false alarms
CUT = 16  # examples whose beginnings show by how much weights change


class SequenceSubject(Subject):
    """A model of rows of different lengths: its arrays are a dict, padded to one width, run in shorter batches."""

    multiple = 8  # widths of batches are rounded up to this

    @abc.abstractmethod
    def lengths(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return how long each row is, by the name of the array."""

    def batches(self, arrays: dict[str, np.ndarray], size: int = BATCH) -> Iterator[tuple[np.ndarray, dict]]:
        """Give out batches of examples of like length, no wider than they need, with the examples' numbers."""
        lengths = self.lengths(arrays)
        order = np.lexsort(list(lengths.values()))
        for start in range(0, len(order), size):
            numbers = order[start : start + size]
            widths = {
                name: -(-int(one[numbers].max()) // self.multiple) * self.multiple for name, one in lengths.items()
            }
            yield numbers, cut(chosen(arrays, numbers), widths)

    def copied(self) -> keras.Model:
        """Return a model like the preset's, with weights of its own; what `clone_model` makes shares no embedding."""
        model = self.task.build(self.task.config)
        model.set_weights(self.model.get_weights())
        return model

    def even(self, arrays: Any) -> Any:
        """Return the beginnings of 16 examples of middle length, each cut where the shortest of them ends."""
        lengths = self.lengths(arrays)
        order = np.lexsort(list(lengths.values()))
        numbers = order[max(len(order) // 2 - CUT // 2, 0) :][:CUT]
        return cut(chosen(arrays, numbers), {name: int(one[numbers].min()) for name, one in lengths.items()})

    def lessons(self) -> tuple[dict[str, Any], int]:
        """Return four epochs of the first 320 normal examples, in batches of the family's own training."""
        batches = self.taught(TAUGHT)
        return {"x": batches, "epochs": 4, "shuffle": False}, 4 * len(batches)

    @abc.abstractmethod
    def taught(self, count: int) -> Any:
        """Return batches of the first normal examples, as the family's `fit` makes them."""


class TranslatorSubject(SequenceSubject):
    """A translator whose decoder reads the right translation so far; its truths are the next tokens, 0 is padding."""

    measure = "token accuracy"
    heads = 2

    def read(self, dataset: Any, split: str) -> None:
        """Read validation data and some of the training data, or test data, in an order drawn by chance."""
        from attention_zoo.models.translator.examples import read_pairs

        random = np.random.default_rng(0)
        pairs = []
        for name in ("val", "train") if split == "normal" else ("test",):
            part = read_pairs(dataset, self.task.config, name)
            numbers = random.permutation(len(part.sources))[: SENTENCES - len(pairs)]
            pairs += [(part.sources[number], part.targets[number]) for number in numbers]
        pairs = [pairs[number] for number in random.permutation(len(pairs))]
        sources, targets = (list(side) for side in zip(*pairs))
        rows = self.task.preprocessor.pairs(sources, targets)[1]
        if len(rows) != len(pairs):
            raise ValueError(f"all pairs of {split} must fit into a row, got {len(pairs) - len(rows)} that do not")
        self.inputs[split], self.truths[split] = sources, padded([row[1:] for row in rows])
        self.arrays[split] = self.prepared(sources, padded([row[:-1] for row in rows]))

    def prepared(self, sources: list[str], target_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return sentences as the network reads them, beside what is written."""
        return {**self.task.preprocessor(sources), "target_ids": target_ids}

    def lengths(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tokens of each row."""
        return {name: np.count_nonzero(arrays[name], axis=1) for name in ("source_ids", "target_ids")}

    def noisy(self, split: str) -> dict[str, Any]:
        """Return sentences with typing errors."""
        random = np.random.default_rng(1)
        sources = [typed(text, random) for text in self.inputs[split]]
        return {"typos": self.prepared(sources, self.arrays[split]["target_ids"])}

    def others(self) -> dict[str, Any]:
        """Return sentences whose words are mixed, and sentences of the language that is to be written."""
        written, decode = self.arrays["test"]["target_ids"], self.task.preprocessor.decode
        given = {
            "words in random order": mixed(self.inputs["test"], np.random.default_rng(2)),
            "words of the other language": [decode(row[1:]) for row in written],
        }
        return {name: self.prepared(sources, written) for name, sources in given.items()}

    def statistics(self, model: keras.Model, arrays: Any, batch_size: int = BATCH) -> dict[str, np.ndarray]:
        """Return statistics of a model's attention, examples in order, run in batches no wider than they need.

        Maps have less than the 64 queries that a probe looks at, and so padding changes nothing.
        """
        from attention_zoo.calibrate import collect

        numbers, batches = zip(*apart(list(self.batches(arrays, batch_size))))
        back = np.argsort(np.concatenate(numbers))
        return chosen(collect(model, Given(batches)), back)

    def measures(self, model: keras.Model, split: str = "test", arrays: Any = None) -> dict[str, float]:
        """Return the share of tokens that are said right, and nats a token, where the text so far is right."""
        right = loss = tokens = 0.0
        for numbers, batch in self.batches(self.arrays[split] if arrays is None else arrays):
            logits = np.nan_to_num(np.asarray(model.predict_on_batch(batch), np.float32))
            truth = self.truths[split][numbers][:, : logits.shape[1]]
            real = truth > 0
            logits, truth = logits[real], truth[real]
            said = logits[np.arange(len(truth)), truth]
            right += float((logits.argmax(axis=-1) == truth).sum())
            loss += float((np.logaddexp.reduce(logits, axis=-1) - said).sum())
            tokens += len(truth)
        return {self.measure: right / tokens, "nll": loss / tokens}

    def taught(self, count: int) -> Any:
        """Return pairs, shorter ones together."""
        from attention_zoo.training import PairBatches

        arrays, truths = first(self.arrays["normal"], count), self.truths["normal"][:count]
        sources = [row[row > 0] for row in arrays["source_ids"]]
        targets = [np.append(row[:1], truth[truth > 0]) for row, truth in zip(arrays["target_ids"], truths)]
        return PairBatches(sources, targets, batch_size=BATCH, shuffle=False)

    def loss(self) -> Any:
        """Return cross-entropy without padding."""
        from attention_zoo.training import SequenceCrossEntropy

        return SequenceCrossEntropy()


class RecognizerSubject(SequenceSubject):
    """A recognizer, judged by CTC; its inputs are (samples, rate), its truths transcripts.

    All arrays have one width, as gates are watched with their padding. Whole maps are watched: a probe looks at 64
    rows of a long map, evenly spaced over rows and padding, but a layer whose map a rule changes forms all of it, so
    that a broken model would differ from the sound one in which rows are looked at.
    """

    measure = "1 - CER"
    explained = 30
    multiple = 32
    width = 0  # frames

    def __init__(self, task: Any, dataset: Any):
        super().__init__(task, dataset)
        self.read(dataset, "val")
        self.width = max(arrays["features"].shape[1] for arrays in self.arrays.values())
        self.arrays = {split: self.wide(arrays) for split, arrays in self.arrays.items()}
        held = self.arrays.pop("val")
        if examples(held) >= ENOUGH:
            self.held = held

    def read(self, dataset: Any, split: str) -> None:
        """Read training or test data, 2,400 sounds of 5 s at most, in an order drawn by chance."""
        from attention_zoo.audio import read_sound, spoken
        from attention_zoo.models.speech_recognizer.examples import read_utterances

        heard = read_utterances(dataset, "train" if split == "normal" else split)
        numbers = np.random.default_rng(0).permutation(len(heard.texts))[:LIMIT]
        rate = self.task.preprocessor.rate
        sounds = [(read_sound(heard.sounds[number], rate), spoken(heard.texts[number])) for number in numbers]
        sounds = [pair for pair in sounds if len(pair[0]) <= SECONDS * rate]
        self.inputs[split] = [(samples, rate) for samples, _ in sounds]
        self.truths[split] = [text for _, text in sounds]
        self.arrays[split] = self.prepared(self.inputs[split], self.truths[split])

    def prepared(self, sounds: list, texts: list[str]) -> dict[str, np.ndarray]:
        """Return sounds as the network reads them; a decoder reads the right transcript so far."""
        arrays = self.task.preprocessor(sounds)
        if self.task.config.decodes:
            from attention_zoo.search import BOS_ID

            rows = self.task.preprocessor.targets(texts)
            arrays["target_ids"] = padded([np.append(np.int32(BOS_ID), row) for row in rows])
        return self.wide(arrays)

    def wide(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return arrays whose features have as many frames as those of all sounds."""
        more = max(self.width - arrays["features"].shape[1], 0)
        return {**arrays, "features": np.pad(arrays["features"], ((0, 0), (0, more), (0, 0)))}

    def statistics(self, model: keras.Model, arrays: Any, batch_size: int = BATCH) -> dict[str, np.ndarray]:
        """Return statistics of all rows of a model's maps."""
        return of_all_rows(model, arrays, arrays["features"].shape[1], batch_size)

    def lengths(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the frames of each sound, and the ids of each row where a decoder reads them."""
        told = {"features": arrays["frames"]}
        if "target_ids" in arrays:
            told["target_ids"] = np.count_nonzero(arrays["target_ids"], axis=1)
        return told

    def noisy(self, split: str) -> dict[str, Any]:
        """Return sounds under white noise."""
        random = np.random.default_rng(1)
        share = 10.0 ** (-NOISE / 20.0)
        sounds = [(one + share * hiss(one, random), rate) for one, rate in self.inputs[split]]
        return {f"white noise at {NOISE:g} dB": self.prepared(sounds, self.truths[split])}

    def others(self) -> dict[str, Any]:
        """Return sounds that are played backwards, and white noise as long and as loud as they are."""
        random = np.random.default_rng(2)
        given = {
            "backwards": [(np.ascontiguousarray(one[::-1]), rate) for one, rate in self.inputs["test"]],
            "white noise alone": [(hiss(one, random), rate) for one, rate in self.inputs["test"]],
        }
        return {name: self.prepared(sounds, self.truths["test"]) for name, sounds in given.items()}

    def measures(self, model: keras.Model, split: str = "test", arrays: Any = None) -> dict[str, float]:
        """Return 1 - CER of what CTC finds most likely step by step, and nats of its loss a unit."""
        from attention_zoo.text.wer import measures
        from attention_zoo.training import CtcLoss

        preprocessor, factor = self.task.preprocessor, self.task.listener.factor
        units, ctc = preprocessor.targets(self.truths[split]), CtcLoss(reduction="sum")
        arrays = self.arrays[split] if arrays is None else arrays
        said, loss, count = [""] * examples(arrays), 0.0, 0
        for numbers, batch in self.batches(arrays):
            found = model.predict_on_batch(batch)
            logits = np.nan_to_num(np.asarray(found["ctc"] if isinstance(found, dict) else found, np.float32))
            for row, number, frames in zip(logits, numbers, batch["frames"]):
                # Padding is blank; a fault may have said otherwise.
                row[-(-int(frames) // factor) :] = np.where(np.arange(row.shape[-1]) > 0, -1e4, 0.0)
                best = row.argmax(axis=-1)
                held = np.append(True, best[1:] != best[:-1])
                said[number] = preprocessor.decode(best[held & (best > 0)])
            rows = [units[number] for number in numbers]
            loss += float(keras.ops.convert_to_numpy(ctc(padded(rows), logits)))
            count += sum(map(len, rows))
        errors = measures(said, self.truths[split][: len(said)])
        return {self.measure: 1.0 - errors["cer"], "nll": loss / count}

    def taught(self, count: int) -> Any:
        """Return sounds, shorter ones together."""
        from attention_zoo.training import SpeechBatches

        arrays, texts = first(self.arrays["normal"], count), self.truths["normal"][:count]
        features = [row[:frames] for row, frames in zip(arrays["features"], arrays["frames"])]
        targets = self.task.preprocessor.targets(texts)
        decodes = self.task.config.decodes
        return SpeechBatches(features, targets, batch_size=BATCH, decoder=decodes, shuffle=False)

    def loss(self) -> Any:
        """Return the loss of CTC, and of the decoder where there is one."""
        from attention_zoo.training import CtcLoss, SequenceCrossEntropy

        losses = {"ctc": CtcLoss(per_unit=self.task.config.decodes)}
        return {**losses, "tokens": SequenceCrossEntropy()} if self.task.config.decodes else losses


def apart(batches: list) -> list:
    """Put a batch second whose widths all differ from the first one's: TensorFlow takes two for the shape of all."""

    def widths(numbered: tuple) -> list[int]:
        return [array.shape[1] for array in numbered[1].values() if array.ndim > 1]

    of_first = widths(batches[0])
    for place, batch in enumerate(batches):
        if all(one != other for one, other in zip(widths(batch), of_first)):
            return [batches[0], batch, *batches[1:place], *batches[place + 1 :]]
    return batches


class Given(keras.utils.PyDataset):
    """Batches that are made already, for `predict`."""

    def __init__(self, batches: Any):
        super().__init__()
        self.made = tuple(batches)

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, index: int) -> tuple:
        return (self.made[index],)


def of_all_rows(model: keras.Model, arrays: Any, rows: int, batch_size: int) -> dict[str, np.ndarray]:
    """Return statistics of a model's maps of no more than `rows` rows, of which all are looked at."""
    from attention_zoo.calibrate import probe
    from attention_zoo.watch import statistics_in

    probed = probe(model, rows=rows, outputs=False)
    found = statistics_in(probed.predict(arrays, verbose=0, batch_size=batch_size))
    return {site: found[site] for site in probed.sites}


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """Return rows of ids as one array, filled up with 0."""
    from attention_zoo.training.data import pad

    return pad(rows, (max(map(len, rows)),), 0)


def cut(arrays: dict[str, np.ndarray], widths: dict[str, int]) -> dict[str, np.ndarray]:
    """Return arrays no wider than `widths`; a number of frames is no more than that."""
    found = {name: one[:, : widths[name]] if name in widths else one for name, one in arrays.items()}
    if "frames" in found:
        found["frames"] = np.minimum(found["frames"], widths["features"])
    return found


def hiss(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return white noise as long and as loud as a sound."""
    loudness = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    return (loudness * random.normal(size=samples.shape)).astype(np.float32)
