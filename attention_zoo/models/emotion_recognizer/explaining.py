"""Why an answer about a row: what each modality did, and where the model looked in each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_zoo.blocks.subsampling import FACTOR
from attention_zoo.calibrate.capture import capture, output_name
from attention_zoo.core.tape import Site
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.models.classifier.effects import effects_of
from attention_zoo.models.emotion_recognizer.network import MAIN
from attention_zoo.models.emotion_recognizer.weighing import log_scores, shapley, subsets
from attention_zoo.models.versions import in_rows
from attention_zoo.multimodal.kinds import CONVERSATION, FEATURES, FRAMES, SOUND, WORDS
from attention_zoo.text.strings import as_text
from attention_zoo.visualise import FramesView, ModalityExplanation, SoundView, VectorsView, WordsView, grid_of

ALONE = "The row was read alone, without its conversation."

Encoded = dict[str, np.ndarray]


def explanation(
    task: Any, given: Any, label: str | None = None, names: Mapping[str, Sequence[str]] | None = None
) -> ModalityExplanation:
    """Put an explanation together.

    Args:
        task: an `EmotionRecognizer`.
        given: rows, of which there must be one.
        label: whose score is explained; None takes the best.
        names: by modality the names of the numbers of its vectors, for the words of the picture.

    Raises:
        ZooTypeError, ZooValueError, ZooFileError: if the row cannot work, there are several, or a label or modality is
            unknown.
    """
    wanted = task._wanted_labels(label)
    config, modalities = task.config, task.config.modalities
    for modality in names or {}:
        if modality not in modalities:
            raise unknown("modality", modality, modalities)
    rows = task._rows(given)
    if len(rows) != 1:
        raise ZooValueError(f"row must be one row to be explained, got {len(rows):,}")
    encoded = task.preprocessor.encode(rows)[0]
    talk = encoded.pop(CONVERSATION, None)
    some = subsets(modalities)
    hidden = {name: _hidden(encoded, name) for name in encoded if config.kind(name) == FEATURES}
    versions = [{name: encoded[name] for name in one if name in encoded} for one in some]
    versions += [version for own in hidden.values() for version in own]
    logits = logits_of(task, versions)
    full = some.index(frozenset(modalities))
    number = int(logits[full].argmax()) if wanted is None else task.labels.index(wanted[0])
    values = {
        one: log_scores(logits[[place]], np.array([number]), config.temperature, config.multi_label)
        for place, one in enumerate(some)
    }
    falls = effects_of(logits[[full, *range(len(some), len(logits))]], config)[number]
    effects, start = {}, 0
    for name, own in hidden.items():
        effects[name], start = falls[start : start + len(own)], start + len(own)
    looks = Looks(task, encoded)
    answer = task._decide(logits[[full]], all_scores=False)[0]
    read = Read(task, rows[0], encoded, looks, effects, dict(names or {}))
    return ModalityExplanation(
        answer,
        task.labels[number],
        float(values[frozenset(modalities)][0]),
        float(values[frozenset()][0]),
        {name: float(effect[0]) for name, effect in shapley(values, modalities).items()},
        {name: _VIEWS[config.kind(name)](read, name) if len(encoded.get(name, ())) else None for name in modalities},
        looks.gates,
        ALONE if talk is not None and config.context != "none" else "",
    )


def _hidden(encoded: Encoded, modality: str) -> list[Encoded]:
    """Return versions of a row in which each number of a modality's vectors in turn is the training data's mean."""
    versions = []
    for place in range(encoded[modality].shape[1]):
        values = encoded[modality].copy()
        values[:, place] = 0.0
        versions.append({**encoded, modality: values})
    return versions


def logits_of(task: Any, versions: Sequence[Encoded]) -> np.ndarray:
    """Return the logits of versions of one row, [versions, labels]; all batches have one shape."""
    widths = {name: max(len(version.get(name, ())) for version in versions) for name in task.config.modalities}

    def run(chosen: np.ndarray) -> np.ndarray:
        arrays = task.preprocessor.arrays([versions[number] for number in chosen], widths)
        return np.asarray(task.answering.predict_on_batch(arrays), np.float32)

    return in_rows(run, len(versions))


class Looks:
    """Where the model looked in a row, by what `capture` shows.

    Args:
        task: an `EmotionRecognizer`.
        encoded: the row, as its preprocessor encodes it.
    """

    def __init__(self, task: Any, encoded: Encoded):
        arrays = task.preprocessor.arrays([encoded])
        watched = capture(task.answering)
        found = watched.predict_on_batch(arrays)
        self.config = task.config
        self.padded = {
            name: -(-arrays[name].shape[1] // (FACTOR if task.config.kind(name) == SOUND else 1))
            for name in task.config.modalities
        }
        self.prefix = "" if self.config.sharing == "shared" else f"{MAIN}_"
        self.sites: dict[str, Site] = {site.path: site for site in watched.sites.values()}
        self.maps = {path: np.asarray(found[output_name(path)], np.float32) for path in self.sites}

    @property
    def gates(self) -> dict[str, float] | None:
        """What share the fusion gives each modality; None where it has no gates for them."""
        path = f"{self.prefix}fusion"
        if path not in self.sites or "modality" not in self.sites[path].axes:
            return None
        weights = self.over(path, "modality")
        return dict(zip(self.config.modalities, (weights / max(weights.sum(), 1e-12)).tolist()))

    def over(self, path: str, *kept: str) -> np.ndarray:
        """Return the map of a site as the mean over all axes but some."""
        axes = self.sites[path].axes
        return self.maps[path].mean(axis=tuple(place for place, axis in enumerate(axes) if axis not in kept))

    def steps(self, modality: str, count: int) -> np.ndarray:
        """Return the share of each of `count` steps of the encoder, 1 in all; equal where no attention sums them up."""
        found = [self.over(path, "key") for path in self.summing(modality)]
        # What sums up by a token of its own has that one first.
        weights = [shares[len(shares) - self.padded[modality] :][:count] for shares in found]
        return shared(sum(weights) if weights else np.ones(count))

    def summing(self, modality: str) -> list[str]:
        """Return the sites at which the steps of a modality are summed up for the labels."""
        # FiLM sums up twice; the second time is what the labels see.
        for name in (f"{self.prefix}fusion_{modality}_pooling", f"{self.prefix}{modality}_pooling"):
            sites = [path for path in self._mixing() if path == name or path.startswith(f"{name}/")]
            if sites:
                return sites
        found = []
        for path in self._mixing():
            head, _, side = path.removeprefix(f"{self.prefix}fusion_").partition("/")
            pair = dict(zip(("first", "second"), head.split("_")))
            if path.startswith(f"{self.prefix}fusion_") and pair.get(side) == modality:
                found.append(path)
        return found

    def _mixing(self) -> list[str]:
        return [path for path, site in self.sites.items() if site.kind == "mix" and "key" in site.axes]

    def places(self, modality: str, size: tuple[int, int]) -> np.ndarray | None:
        """Return the share of each place of each picture, [pictures, rows, columns]; None where they have no grid.

        Args:
            modality: of pictures.
            size: height and width of a picture.
        """
        path = f"{modality}_places"
        if path not in self.sites:
            return None
        weights = self.over(path, "group", "key")
        grid = grid_of(weights.shape[1], *size)
        return None if grid is None else np.stack([shared(each) for each in weights]).reshape(-1, *grid)


def shared(weights: np.ndarray) -> np.ndarray:
    """Return weights as shares, 1 in all; equal ones where there is nothing to share."""
    weights = np.maximum(np.asarray(weights, np.float64), 0.0)
    return weights / weights.sum() if weights.sum() > 0 else np.full(weights.shape, 1.0 / weights.size)


class Read(NamedTuple):
    """What is known of a row when its views are made.

    Args:
        task: an `EmotionRecognizer`.
        row: what the user gave.
        encoded: the same, as the preprocessor encodes it.
        looks: where the model looked.
        effects: by modality of vectors what each number did.
        names: by modality the names of these numbers.
    """

    task: Any
    row: Mapping[str, Any]
    encoded: Encoded
    looks: Looks
    effects: dict[str, np.ndarray]
    names: dict[str, Sequence[str]]


def _frames(read: Read, modality: str) -> FramesView:
    pictures = read.encoded[modality]
    weights = read.looks.steps(modality, len(pictures))[:, None, None]
    places = read.looks.places(modality, pictures.shape[1:3])
    return FramesView(list(pictures), weights if places is None else weights * places[: len(pictures)])


def _sound(read: Read, modality: str) -> SoundView:
    features = read.encoded[modality]
    steps = read.looks.steps(modality, -(-len(features) // FACTOR))
    weights = shared(np.repeat(steps, FACTOR)[: len(features)])
    return SoundView(features, weights, read.task.preprocessor.readers[modality].log_mel.step_seconds)


def _words(read: Read, modality: str) -> WordsView:
    text = as_text(read.row[modality], modality)
    tokens = read.task.preprocessor.readers[modality].texts.tokens(text)
    weights = read.looks.steps(modality, len(read.encoded[modality]))
    return WordsView(text, tokens, shared(weights[[token.index for token in tokens]]))


def _vectors(read: Read, modality: str) -> VectorsView:
    values = read.encoded[modality]
    weights = read.looks.steps(modality, len(values))
    return VectorsView(values, weights, read.effects[modality], read.names.get(modality, ()))


_VIEWS: dict[str, Callable[[Read, str], Any]] = {FRAMES: _frames, SOUND: _sound, WORDS: _words, FEATURES: _vectors}
