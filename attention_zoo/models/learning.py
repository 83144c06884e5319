"""How a task learns: every choice of a training that is not the data, in one place with its unit."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.training import EarlyStopping, adamw, schedule

# What `keras.Model.compile` and `keras.Model.fit` take and this house does not decide itself.
KERAS = frozenset(
    {
        "class_weight", "jit_compile", "sample_weight", "shuffle", "steps_per_epoch", "steps_per_execution",
        "validation_batch_size", "validation_freq", "validation_steps",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Learning:
    """Every choice of a training but its data.

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    epochs: int = 10  # how often all data is seen
    batch_size: int = 32  # examples a step
    learning_rate: Any = 1e-3  # largest rate, or a Keras schedule, which then is taken as it is
    schedule: str = "cosine"  # "cosine", "linear", "constant" or "inverse_sqrt": how the rate falls
    warmup: float = 0.05  # share of all steps during which the rate rises
    floor: float = 0.0  # rate at the end, as a share of the largest
    weight_decay: float = 0.01  # share of a weight taken off a step, times the rate
    clip: float | None = 1.0  # largest norm of all gradients together; None leaves them alone
    averaging: float | None = None  # momentum of the running average of the weights (0.999); None keeps none
    smoothing: float = 0.0  # share of the truth spread over all labels
    focus: float = 0.0  # power that plays down what is already right (focal loss)
    balance: float = 0.0  # power by which rare labels weigh more: 1 balances wholly, 0 not at all
    patience: int | None = None  # epochs without a better `monitor` before the end; None trains all epochs
    monitor: str = "val_loss"  # measure that early stopping watches
    augment: Any = None  # what is done to inputs while training: what the family's batches take as `augment`
    calibrate: bool = True  # whether temperature or thresholds are set on the validation data at the end
    optimizer: Any = None  # a Keras optimizer or its name; None is AdamW with the choices above
    loss: Any = None  # a Keras loss on logits; None is cross-entropy with the choices above
    seed: int = 0  # of order, dropout and new weights

    @classmethod
    def split(cls, values: dict[str, Any]) -> tuple["Learning", dict[str, Any]]:
        """Tell our own choices from what goes to Keras.

        Returns:
            The choices, and the arguments for Keras.

        Raises:
            ZooValueError: if a name is neither; the sentence holds the nearest.
        """
        own = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in own | KERAS:
                raise unknown("fit option", name, own | KERAS)
        chosen = {name: value for name, value in values.items() if name in own}
        return cls(**chosen), {name: value for name, value in values.items() if name in KERAS}

    def __post_init__(self) -> None:
        whole_number("epochs", self.epochs, 1, "times all data is seen")
        whole_number("batch_size", self.batch_size, 1, "examples a step")
        share("warmup", self.warmup)
        share("smoothing", self.smoothing)
        for name in ("focus", "balance", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ZooValueError(f"{name} must be at least 0, got {getattr(self, name)!r}")
        if self.patience is not None:
            whole_number("patience", self.patience, 0, "epochs")

    def make_optimizer(self, model: keras.Model, steps: int | None) -> keras.optimizers.Optimizer:
        """Make a new optimizer for `model`.

        Args:
            model: a built model.
            steps: optimizer steps of an epoch; None where the data does not say.

        Raises:
            ZooValueError: if the schedule needs to know the steps and nobody says them.
        """
        if isinstance(self.optimizer, str):
            described = {"class_name": self.optimizer, "config": {"learning_rate": self._rate(steps)}}
            return keras.optimizers.get(described)
        if self.optimizer is not None:
            return keras.optimizers.get(self.optimizer)
        return adamw(model, self._rate(steps), weight_decay=self.weight_decay, clip=self.clip, averaging=self.averaging)

    def _rate(self, steps: int | None) -> Any:
        if not isinstance(self.learning_rate, int | float):
            return self.learning_rate
        if steps is None and self.schedule != "constant":
            raise ZooValueError(
                f"schedule {self.schedule!r} must know how many batches an epoch has, and this data does not say: "
                "give steps_per_epoch, or schedule='constant'"
            )
        total = self.epochs * (steps or 1)
        warmup = 0 if steps is None else min(int(self.warmup * total), total - 1)
        return schedule(self.schedule, self.learning_rate, total, warmup, self.floor)

    def stoppers(self) -> list[keras.callbacks.Callback]:
        """Return early stopping where it is asked for."""
        if self.patience is None:
            return []
        # Keras cannot tell whether more of a measure is better where the measure is none of its own.
        falls = any(word in self.monitor for word in ("loss", "nll", "error"))
        return [EarlyStopping(self.monitor, self.patience, mode="min" if falls else "max")]
