"""Emotion recognizers and recommenders for `benchmarks/calibration.py`: rows of several kinds, and histories.

Of the recognizer of RAVDESS, which has no official split, fold 0 of its actors is judged; actors of training and of
validation are normal together, as there are but 300 clips of the latter. What is usual on voices heard in training may
be less so on new ones. Of recommenders the histories before the item of the test are normal of some users, and judged
of others: those before the item of validation are shorter, and each network sees that.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from subjects import BATCH, LIMIT, ClassifierSubject, Subject, chosen, examples, first
from subjects_sequence import CUT, NOISE, hiss, of_all_rows

STEPS = 300  # of a training, for the time of a step
TAUGHT = 320  # examples that a model is taught with
NEVER = -1e9  # score of what is not to be recommended


class EmotionSubject(ClassifierSubject):
    """A recognizer of emotions by voice and face: its arrays are a dict, of one width; all rows of maps are watched."""

    learns = False  # of normal rows it was trained on most
    frames = 0

    def __init__(self, task: Any, dataset: Any):
        from attention_zoo.data import ravdess

        parts = dict(zip(("train", "val", "test"), ravdess.fold(dataset, 0)))
        super().__init__(task, dataclasses.replace(dataset, splits=parts))
        self.frames = max(arrays["audio"].shape[1] for arrays in self.arrays.values())
        self.arrays = {split: self.wide(arrays) for split, arrays in self.arrays.items()}

    def read(self, dataset: Any, split: str) -> None:
        """Read actors of training and validation, or of the test, in an order drawn by chance."""
        rows, labels = [], []
        for name in ("train", "val") if split == "normal" else (split,):
            part = self.task._read(dataset, name)
            rows += [part.inputs[number] for number in range(len(part.inputs))]
            labels += [self.task.labels.index(label) for label in part.labels]
        numbers = np.random.default_rng(0).permutation(len(rows))[:LIMIT]
        self.inputs[split] = [rows[number] for number in numbers]
        self.truths[split] = np.array(labels)[numbers]
        self.arrays[split] = self.prepared(self.inputs[split])

    def prepared(self, inputs: list) -> dict[str, np.ndarray]:
        """Return rows as the network reads them."""
        return self.wide(self.task.network_inputs(inputs))

    def wide(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return arrays whose sounds have as many frames as the longest of all has."""
        more = max(self.frames - arrays["audio"].shape[1], 0)
        return {**arrays, "audio": np.pad(arrays["audio"], ((0, 0), (0, more), (0, 0)))}

    def statistics(self, model: keras.Model, arrays: Any, batch_size: int = BATCH) -> dict[str, np.ndarray]:
        """Return statistics of all rows: a probe looks at 64 of a long map, a rule lets a layer form all of it."""
        return of_all_rows(model, arrays, arrays["audio"].shape[1], batch_size)

    def noisy(self, split: str) -> dict[str, Any]:
        """Return clips with white noise over the voice."""
        random = np.random.default_rng(1)
        share = 10.0 ** (-NOISE / 20.0)
        return {
            f"white noise at {NOISE:g} dB": self._spoken(split, lambda samples: samples + share * hiss(samples, random))
        }

    def others(self) -> dict[str, Any]:
        """Return clips whose voice is played backwards, and those whose face is of another clip."""
        faces = np.random.default_rng(2).permutation(len(self.inputs["test"]))
        rows = [{**row, "image": self.inputs["test"][face]["image"]} for row, face in zip(self.inputs["test"], faces)]
        backwards = self._spoken("test", lambda samples: np.ascontiguousarray(samples[::-1]))
        return {"voice backwards": backwards, "face of another clip": self.prepared(rows)}

    def _spoken(self, split: str, change: Any) -> dict[str, np.ndarray]:
        from attention_zoo.audio import read_sound

        rate = self.task.preprocessor.readers["audio"].log_mel.rate
        return self.prepared([
            {**row, "audio": (change(read_sound(row["audio"], rate)), rate)} for row in self.inputs[split]
        ])  # fmt: skip

    def lessons(self) -> tuple[dict[str, Any], int]:
        """Return 300 steps of 32 examples."""
        index = np.arange(STEPS * BATCH) % examples(self.arrays["normal"])
        x, y = chosen(self.arrays["normal"], index), self.truths["normal"][index]
        return {"x": x, "y": y, "batch_size": BATCH}, STEPS


class RecommenderSubject(Subject):
    """A recommender without a ranker: its inputs are histories of ids, its truths the numbers of what came next."""

    measure = "recall@10"
    judged = LIMIT

    def read(self, dataset: Any, split: str) -> None:
        """Read the histories of 2,400 users of the test, drawn by chance; of "normal" and of "test" others."""
        part = dataset["test"]
        numbers = np.random.default_rng(0).permutation(len(part))[: 2 * LIMIT].tolist()
        numbers = numbers[:LIMIT] if split == "normal" else numbers[LIMIT:]
        histories, targets = part["history"], part["target"]
        self.inputs[split] = [list(histories[number]) for number in numbers]
        self.truths[split] = self.task.preprocessor.index.lookup([targets[number] for number in numbers])
        self.arrays[split] = self.task.network_inputs(self.inputs[split])

    def even(self, arrays: Any) -> Any:
        """Return 16 histories of middle length, each cut to its newest items, as many as the shortest of them has."""
        items = arrays["items"]
        lengths = np.count_nonzero(items, axis=1)
        order = np.argsort(lengths, kind="stable")
        numbers = order[max(len(order) // 2 - CUT // 2, 0) :][:CUT]
        return {"items": items[numbers][:, items.shape[1] - int(lengths[numbers].min()) :]}

    def noisy(self, split: str) -> dict[str, Any]:
        """Return histories in which each item but the newest is left out with a chance of one in five."""
        random = np.random.default_rng(1)
        kept = [[*(item for item in one[:-1] if random.random() > 0.2), one[-1]] for one in self.inputs[split]]
        return {"items left out": self.task.network_inputs(kept)}

    def others(self) -> dict[str, Any]:
        """Return histories in random order, and as many items drawn by chance from the catalogue."""
        random = np.random.default_rng(2)
        histories = self.inputs["test"]
        order = [[one[place] for place in random.permutation(len(one))] for one in histories]
        catalogue = self.task.preprocessor.index.ids
        drawn = [[catalogue[number] for number in random.integers(len(catalogue), size=len(one))] for one in histories]
        given = {"items in random order": order, "items drawn by chance": drawn}
        return {name: self.task.network_inputs(one) for name, one in given.items()}

    def measures(self, model: keras.Model, split: str = "test", arrays: Any = None) -> dict[str, float]:
        """Return recall@10 among all items, those of the history left out, and nats of what came next."""
        arrays = self.arrays[split] if arrays is None else arrays
        found = loss = 0.0
        for start in range(0, examples(arrays), BATCH):
            part = slice(start, start + BATCH)
            items, truths = arrays["items"][part], self.truths[split][part]
            logits = np.nan_to_num(np.asarray(model.predict_on_batch(chosen(arrays, part))["logits"], np.float32))
            logits[:, 0] = NEVER
            right = logits[np.arange(len(truths)), truths]
            loss += float((np.logaddexp.reduce(logits, axis=-1) - right)[truths > 0].sum())
            np.put_along_axis(logits, np.column_stack([items, truths]), NEVER, axis=1)
            # Others that score the same stand before it: a model that says the same of all finds nothing.
            found += float(((logits >= right[:, None]).sum(axis=1)[truths > 0] < 10).sum())
        known = np.count_nonzero(self.truths[split][: examples(arrays)])
        return {self.measure: found / examples(arrays), "nll": loss / max(known, 1)}

    def lessons(self) -> tuple[dict[str, Any], int]:
        """Return four epochs of 320 histories, of which the last item is learned."""
        x, y = first(self.arrays["normal"], TAUGHT), {"logits": self.truths["normal"][:TAUGHT]}
        return {"x": x, "y": y, "batch_size": BATCH, "epochs": 4}, 4 * TAUGHT // BATCH

    def loss(self) -> Any:
        """Return cross-entropy over the whole catalogue."""
        return {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
