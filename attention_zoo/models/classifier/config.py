"""What the configs of all classifiers share: how logits become answers."""

from dataclasses import dataclass

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.models.config import Config, as_tuple


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """Base of the configs of classifiers, which are frozen dataclasses; a subclass calls `check_answers`."""

    answers = ("labels", "multi_label", "thresholds", "temperature")

    labels: tuple[str, ...] = ()  # names, in the order of the logits; empty until they are known
    multi_label: bool = False  # whether an input may have several labels, or none
    thresholds: tuple[float, ...] | None = None  # least probability of each label (0..1), multi_label only; None is 0.5
    temperature: float = 1.0  # divides the logits, above 0

    def check_answers(self) -> None:
        """Bring labels and thresholds into shape, and check all that turns logits into answers.

        Raises:
            ZooValueError, ZooTypeError: if a value cannot work; says which.
        """
        for name in ("labels", "thresholds"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, as_tuple(name, getattr(self, name)))
        self._check_labels()
        if not 0 < self.temperature < float("inf"):
            raise ZooValueError(f"temperature must be above 0, got {self.temperature!r}")
        if self.thresholds is not None and (not self.multi_label or len(self.thresholds) != len(self.labels)):
            raise ZooValueError(
                f"thresholds must be one number a label, with multi_label=True, got {len(self.thresholds)} for "
                f"{len(self.labels)} labels"
            )

    def _check_labels(self) -> None:
        for label in self.labels:
            if not isinstance(label, str) or not label.strip():
                raise ZooTypeError(f"labels must be strings with at least one character, got {label!r}")
        if len(set(self.labels)) < len(self.labels):
            twice = next(label for label in self.labels if self.labels.count(label) > 1)
            raise ZooValueError(f"labels must be different, got {twice!r} twice")
        if len(self.labels) == 1:
            raise ZooValueError(f"labels must be at least two, got only {self.labels[0]!r}")
