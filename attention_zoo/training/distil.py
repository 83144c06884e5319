"""Let several teachers say what they think of texts, and train one student on it."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooFileError, ZooValueError, need
from attention_zoo.files import replace_file
from attention_zoo.training.data import Batches

SHARPNESS = 4.0  # turns margins of the linear teacher (about -1 to 1) into logits
WORDS = r"\w+(?:['’]\w+)*|[^\w\s]"


class MixedBatches(Batches):
    """Batches of all first rows, and in each epoch of as many of the others as asked for.

    Args:
        rows: rows that are seen in every epoch, then the pool.
        targets: one per row.
        always: how many rows are seen in every epoch, at least 1.
        drawn: how many rows of the pool are drawn for an epoch.
        **options: as for `Batches`; it is always shuffled.

    Raises:
        ZooValueError: if the numbers do not fit the rows.
    """

    def __init__(self, rows: Sequence, targets: Any, *, always: int, drawn: int, **options: Any):
        if not 1 <= always <= len(rows) or not 0 <= drawn <= len(rows) - always:
            raise ZooValueError(
                f"always must be 1 to {len(rows)} rows and drawn at most the rest, got {always} and {drawn}"
            )
        self.always, self.drawn = always, drawn
        super().__init__(rows, targets, shuffle=True, **options)

    def __len__(self) -> int:
        return -(-(self.always + self.drawn) // self.batch_size)

    def _chosen(self, random: np.random.Generator) -> np.ndarray:
        pool = self.always + random.permutation(len(self.rows) - self.always)[: self.drawn]
        return random.permutation(np.concatenate([np.arange(self.always), pool]))


def mixed_targets(hard: np.ndarray, soft: np.ndarray, weight: float, smoothing: float = 0.0) -> np.ndarray:
    """Join what is known of the first texts with what teachers think of all.

    target = (1 - weight) smoothed truth + weight teachers     for texts with a truth
    target = teachers                                          for the rest

    Args:
        hard: truth [texts with labels, labels], 0 and 1.
        soft: the teachers' probabilities [texts, labels]; texts with labels come first.
        weight: how much the teachers count where the truth is known, 0 to 1.
        smoothing: share of the truth spread over all labels (to one half each where a row may have several).

    Returns:
        float32 [texts, labels].

    Raises:
        ZooValueError: if a number is out of range or shapes do not fit.
    """
    if not 0 <= weight <= 1:
        raise ZooValueError(f"weight must be from 0 to 1, got {weight}")
    if hard.ndim != 2 or soft.ndim != 2 or len(hard) > len(soft) or hard.shape[1] != soft.shape[1]:
        raise ZooValueError(f"soft must have a row for each of {list(hard.shape)} and more, got {list(soft.shape)}")
    several = bool((hard.sum(axis=1) != 1).any())
    truth = hard * (1.0 - smoothing) + smoothing / (2 if several else hard.shape[1])
    targets = np.array(soft, dtype=np.float32)
    targets[: len(hard)] = (1.0 - weight) * truth + weight * targets[: len(hard)]
    return targets


def linear_teacher(texts: Sequence[str], hard: np.ndarray, multi_label: bool = False) -> Callable:
    """Train a linear classifier on weighed words, pairs of words and characters (TF-IDF).

    Args:
        texts: strings.
        hard: truth [texts, labels], 0 and 1.
        multi_label: whether a text may have several labels: one logistic regression for each; otherwise a linear SVM.

    Returns:
        A function from texts to probabilities, float32 [texts, labels].

    Raises:
        ZooImportError: if scikit-learn (extra `train`) is missing.
    """
    need("sklearn", "train")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORDS, min_df=2 if multi_label else 1)
    if multi_label:
        judge = OneVsRestClassifier(LogisticRegression(C=4.0, solver="liblinear"))
        model = make_pipeline(words, judge).fit(texts, hard.astype(int))
        return lambda asked: np.asarray(model.predict_proba(asked), np.float32)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    known = np.flatnonzero(hard.any(axis=0))
    model = make_pipeline(make_union(words, characters), LinearSVC()).fit(texts, hard.argmax(axis=1))

    def probabilities(asked: Sequence[str]) -> np.ndarray:
        margins = model.decision_function(asked)
        margins = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
        powers = np.exp(SHARPNESS * (margins - margins.max(axis=1, keepdims=True)))
        found = np.zeros((len(margins), hard.shape[1]), np.float32)
        found[:, known] = powers / powers.sum(axis=1, keepdims=True)
        return found

    return probabilities


def kept_soft_labels(path: Path, told: dict[str, Any], make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return soft labels of a file, or make them and put them there, so that no teacher is trained twice.

    Args:
        path: the `.npz` file.
        told: everything that decides the result (plain values), so that a file of something else is refused.
        make: makes probabilities [texts, labels]; they are kept as float16.

    Raises:
        ZooFileError: if the file is damaged or cannot be written.
        ZooValueError: if it was made from other texts or by other teachers.
    """
    mark = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    if not path.is_file():
        soft = np.asarray(make(), np.float16)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: np.savez_compressed(file, soft=soft, mark=np.array(mark)))
    try:
        with np.load(path, allow_pickle=False) as archive:
            soft, found = archive["soft"], str(archive["mark"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ZooFileError(f"{path} is damaged ({error}); delete it to make it anew") from error
    if found != mark:
        raise ZooValueError(f"{path} holds the answers of other teachers or texts; give another folder")
    return soft.astype(np.float32)
