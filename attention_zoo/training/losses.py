"""Losses on logits: smoothed, weighted, focused, asymmetric, of sequences, distilled."""

import keras
import numpy as np
from keras import ops

from attention_zoo.errors import ZooValueError


def _share(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ZooValueError(f"{name} must be at least 0 and below 1, got {value}")
    return float(value)


def _not_negative(name: str, value: float) -> float:
    if not value >= 0:
        raise ZooValueError(f"{name} must be at least 0, got {value}")
    return float(value)


def _weights(name: str, values) -> list[float] | None:
    if values is None:
        return None
    array = np.asarray(values, dtype="float64")
    if array.ndim != 1 or not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ZooValueError(f"{name} must be a row of finite numbers, at least 0, got {values!r}")
    return [float(value) for value in array]


def _power(base, exponent: float):
    """Return base^exponent with a finite slope at 0, where an exponent below 1 has none."""
    return (ops.maximum(base, 1e-8) if exponent < 1 else base) ** exponent


@keras.saving.register_keras_serializable("attention_zoo")
class CrossEntropy(keras.losses.Loss):
    """Softmax cross-entropy from logits, for label numbers and for soft labels alike.

    target = (1 - smoothing) truth + smoothing / labels
    loss = - sum_l weights[l] target[l] (1 - p[l])^focus log p[l],  p = softmax(logits)

    Args:
        smoothing: share of the truth spread over all labels, 0 to 1.
        weights: one number per label (see `balanced_weights`), or None.
        focus: power that plays down what is already right; 0 is plain cross-entropy, 2 is usual for focal loss.

    Call: truth [batch] or [batch, 1] (label numbers) or [batch, labels] (probabilities); logits [batch, labels].
    Returns: the mean over the batch, computed in float32.

    Raises:
        ZooValueError: if an argument is out of its range.

    Source: Szegedy et al. 2016, arXiv:1512.00567, section 7; Lin et al. 2017, arXiv:1708.02002, equation 4.
    """

    def __init__(self, smoothing=0.0, weights=None, focus=0.0, name="cross_entropy", **options):
        super().__init__(name=name, **options)
        self.smoothing = _share("smoothing", smoothing)
        self.weights = _weights("weights", weights)
        self.focus = _not_negative("focus", focus)

    def call(self, truth, logits):
        labels = logits.shape[-1]
        if len(truth.shape) == len(logits.shape) and truth.shape[-1] == 1 and labels > 1:
            truth = ops.squeeze(truth, axis=-1)
        if len(truth.shape) < len(logits.shape):
            truth = ops.one_hot(ops.cast(truth, "int32"), labels, dtype=logits.dtype)
        target = truth * (1.0 - self.smoothing) + self.smoothing / labels
        log_probability = ops.log_softmax(logits, axis=-1)
        if self.weights is not None:
            target = target * ops.convert_to_tensor(self.weights, dtype=logits.dtype)
        if self.focus:
            target = target * _power(1.0 - ops.exp(log_probability), self.focus)
        return -ops.sum(target * log_probability, axis=-1)

    def get_config(self):
        own = {"smoothing": self.smoothing, "weights": self.weights, "focus": self.focus}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("attention_zoo")
class BinaryCrossEntropy(keras.losses.Loss):
    """Sigmoid cross-entropy from logits for texts with any number of labels, with focal and asymmetric forms.

    t = truth (1 - smoothing) + smoothing / 2;  p = sigmoid(logit);  q = max(p - shift, 0)
    loss = - mean_l [positive_weights[l] t (1 - p)^focus_positive log p + (1 - t) q^focus_negative log(1 - q)]

    Args:
        positive_weights: one number per label by which its positives count (see `positive_weights`), or None.
        smoothing: share of the truth moved to one half, 0 to 1.
        focus_positive: power that plays down positives already found; 0 is plain.
        focus_negative: the same for negatives; 2 and 2 is focal loss, 0 to 1 and 4 is asymmetric loss.
        shift: probability below which a negative costs nothing, 0 to 1 (0.05 in the paper).

    Call: truth [batch, labels] of 0..1, logits [batch, labels].
    Returns: the mean over batch and labels, computed in float32.

    Raises:
        ZooValueError: if an argument is out of its range.

    Source: Lin et al. 2017, arXiv:1708.02002; Ridnik et al. 2021, arXiv:2009.14119, equations 4 to 7.
    """

    def __init__(
        self,
        positive_weights=None,
        smoothing=0.0,
        focus_positive=0.0,
        focus_negative=0.0,
        shift=0.0,
        name="binary_cross_entropy",
        **options,
    ):
        super().__init__(name=name, **options)
        self.positive_weights = _weights("positive_weights", positive_weights)
        self.smoothing = _share("smoothing", smoothing)
        self.focus_positive = _not_negative("focus_positive", focus_positive)
        self.focus_negative = _not_negative("focus_negative", focus_negative)
        self.shift = _share("shift", shift)

    def call(self, truth, logits):
        truth = truth * (1.0 - self.smoothing) + 0.5 * self.smoothing
        probability = ops.sigmoid(logits)
        positive = truth * ops.log_sigmoid(logits)
        if self.focus_positive:
            positive = positive * _power(1.0 - probability, self.focus_positive)
        if self.positive_weights is not None:
            positive = positive * ops.convert_to_tensor(self.positive_weights, dtype=logits.dtype)
        if self.shift:
            shifted = ops.maximum(probability - self.shift, 0.0)
            negative = (1.0 - truth) * ops.log(1.0 - shifted)  # 1 - shifted >= shift > 0
        else:
            shifted = probability
            negative = (1.0 - truth) * ops.log_sigmoid(-logits)
        if self.focus_negative:
            negative = negative * _power(shifted, self.focus_negative)
        return -ops.mean(positive + negative, axis=-1)

    def get_config(self):
        names = ("positive_weights", "smoothing", "focus_positive", "focus_negative", "shift")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("attention_zoo")
class SequenceCrossEntropy(keras.losses.Loss):
    """Softmax cross-entropy from logits at each place of a row, over a large vocabulary, without padding.

    target = (1 - smoothing) truth + smoothing / vocabulary
    loss = mean over places of [log sum_v exp(z_v) - (1 - smoothing) z_truth - smoothing mean_v z_v]

    which is - sum_v target[v] log softmax(z)[v] without ever writing the target down. The mean is over all real tokens
    of the batch, so that a short row weighs less than a long one.

    Args:
        smoothing: share of the truth spread over all entries, 0 to 1.
        padding: id that is no token.

    Call: truth [batch, time] (ids), logits [batch, time, vocabulary]; weights [batch] or [batch, time], or None.
    Returns: the mean over tokens, each with its weight; 0 where there are none. In float32.

    Raises:
        ZooValueError: if `smoothing` is out of its range.

    Cost: time and memory batch x time x vocabulary, once more than the logits.
    Source: Szegedy et al. 2016, arXiv:1512.00567, section 7; Vaswani et al. 2017, arXiv:1706.03762, section 5.4.
    """

    def __init__(self, smoothing=0.0, padding=0, reduction="mean_with_sample_weight", name="sequence_loss", **options):
        super().__init__(name=name, reduction=reduction, **options)
        self.smoothing = _share("smoothing", smoothing)
        self.padding = int(padding)

    def __call__(self, truth, logits, sample_weight=None):
        weights = ops.cast(ops.not_equal(truth, self.padding), self.dtype)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            if len(sample_weight.shape) < len(weights.shape):
                sample_weight = ops.expand_dims(sample_weight, -1)
            weights = weights * sample_weight
        return super().__call__(truth, logits, weights)

    def call(self, truth, logits):
        places = ops.expand_dims(ops.cast(truth, "int32"), -1)
        said = ops.squeeze(ops.take_along_axis(logits, places, axis=-1), -1)
        loss = ops.logsumexp(logits, axis=-1) - (1.0 - self.smoothing) * said
        return loss - self.smoothing * ops.mean(logits, axis=-1) if self.smoothing else loss

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing, "padding": self.padding}


@keras.saving.register_keras_serializable("attention_zoo")
class TokenAccuracy(keras.metrics.Mean):
    """Count at which share of the real tokens the largest logit is that of the truth.

    Args:
        padding: id that is no token.

    Call: truth [batch, time] (ids), logits [batch, time, vocabulary].
    """

    def __init__(self, padding=0, name="token_accuracy", **options):
        super().__init__(name=name, **options)
        self.padding = int(padding)

    def update_state(self, truth, logits, sample_weight=None):
        """Add a batch; weights [batch, time] count tokens as they say."""
        found = ops.equal(ops.cast(truth, "int32"), ops.cast(ops.argmax(logits, axis=-1), "int32"))
        weights = ops.cast(ops.not_equal(truth, self.padding), self.dtype)
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, self.dtype)
        super().update_state(ops.cast(found, self.dtype), weights)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("attention_zoo")
class Distillation(keras.losses.Loss):
    """Pull a student's logits towards a teacher's.

    loss = T^2 KL(softmax(teacher / T) || softmax(student / T)), or the sum of two-way KL over labels when `multi_label`

    The gradient keeps its size when T changes, hence T^2. It is 0 exactly when both agree.

    Args:
        temperature: T, above 0; larger shows more of what the teacher thinks of the wrong labels.
        multi_label: whether each label has a probability of its own (sigmoid).

    Call: teacher logits [batch, labels] as the truth, student logits [batch, labels].

    Raises:
        ZooValueError: if the temperature is not above 0.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.
    """

    def __init__(self, temperature=2.0, multi_label=False, name="distillation", **options):
        super().__init__(name=name, **options)
        if not temperature > 0:
            raise ZooValueError(f"temperature must be above 0, got {temperature}")
        self.temperature = float(temperature)
        self.multi_label = bool(multi_label)

    def call(self, teacher, student):
        teacher, student = teacher / self.temperature, student / self.temperature
        if self.multi_label:
            probability = ops.sigmoid(teacher)
            found = probability * (ops.log_sigmoid(teacher) - ops.log_sigmoid(student))
            missed = (1.0 - probability) * (ops.log_sigmoid(-teacher) - ops.log_sigmoid(-student))
            divergence = found + missed
        else:
            wanted = ops.log_softmax(teacher, axis=-1)
            divergence = ops.exp(wanted) * (wanted - ops.log_softmax(student, axis=-1))
        return self.temperature**2 * ops.sum(divergence, axis=-1)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature, "multi_label": self.multi_label}


def balanced_weights(labels, count: int, power: float = 1.0) -> np.ndarray:
    """Return one weight per label, larger for rarer ones, with mean 1 over the examples.

    weight[l] ~ 1 / examples[l]^power; labels without an example get 1.

    Args:
        labels: label numbers [examples].
        count: how many labels there are.
        power: 1 balances wholly, 0.5 half way, 0 not at all.

    Raises:
        ZooValueError: if there is no label, or one outside 0 .. count - 1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or labels.min() < 0 or labels.max() >= count:
        raise ZooValueError(f"labels must be a filled row of numbers from 0 to {count - 1}, got {labels!r}")
    examples = np.bincount(labels.astype("int64"), minlength=count).astype("float64")
    weights = np.where(examples > 0, np.maximum(examples, 1.0) ** -power, 0.0)
    weights *= len(labels) / np.sum(weights * examples)
    return np.where(examples > 0, weights, 1.0)


def positive_weights(targets, power: float = 1.0, largest: float | None = None) -> np.ndarray:
    """Return (negatives / positives)^power for each label; labels without a positive get 1.

    Args:
        targets: 0 and 1 [examples, labels].
        power: 1 balances wholly, 0.5 half way.
        largest: cap of a weight, or None.

    Raises:
        ZooValueError: if `targets` is no filled table.
    """
    targets = np.asarray(targets, dtype="float64")
    if targets.ndim != 2 or not len(targets):
        raise ZooValueError(f"targets must be a filled table [examples, labels], got shape {targets.shape}")
    positives = targets.sum(axis=0)
    weights = ((len(targets) - positives) / np.maximum(positives, 1.0)) ** power
    weights = np.where(positives > 0, weights, 1.0)
    return weights if largest is None else np.minimum(weights, largest)
