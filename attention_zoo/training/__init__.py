"""Training: data in batches, losses, schedules, callbacks, metrics, and a fit that survives a kill."""

from attention_zoo.training.augmentation import AUGMENTATIONS, augmentation
from attention_zoo.training.averaging import AveragedValidation, averaged
from attention_zoo.training.callbacks import EarlyStopping, EpochSeed, Judge, StopOnNan, TrainingDiverged
from attention_zoo.training.checkpoint import Checkpoint
from attention_zoo.training.ctc import CtcLoss
from attention_zoo.training.data import Batches
from attention_zoo.training.fit import fit
from attention_zoo.training.folds import cross_validate, fold_indices
from attention_zoo.training.histories import HistoryBatches
from attention_zoo.training.images import ImageBatches
from attention_zoo.training.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Distillation,
    SequenceCrossEntropy,
    TokenAccuracy,
    balanced_weights,
    positive_weights,
)
from attention_zoo.training.negatives import Negatives
from attention_zoo.training.next_item import BinaryChoice, SampledSoftmax
from attention_zoo.training.optimizers import adamw, precision
from attention_zoo.training.ordered import OrderedBatches
from attention_zoo.training.pairs import PairBatches
from attention_zoo.training.reports import EpochLines, EpochLog
from attention_zoo.training.rows import RowBatches
from attention_zoo.training.schedules import schedule
from attention_zoo.training.seeds import set_seeds
from attention_zoo.training.speech import SpeechBatches
from attention_zoo.training.uncertain import UncertainLoss

__all__ = [
    "AUGMENTATIONS",
    "AveragedValidation",
    "Batches",
    "BinaryChoice",
    "BinaryCrossEntropy",
    "Checkpoint",
    "CrossEntropy",
    "CtcLoss",
    "Distillation",
    "EarlyStopping",
    "EpochLines",
    "EpochLog",
    "EpochSeed",
    "HistoryBatches",
    "ImageBatches",
    "Judge",
    "Negatives",
    "OrderedBatches",
    "PairBatches",
    "RowBatches",
    "SampledSoftmax",
    "SequenceCrossEntropy",
    "SpeechBatches",
    "StopOnNan",
    "TokenAccuracy",
    "TrainingDiverged",
    "UncertainLoss",
    "adamw",
    "augmentation",
    "averaged",
    "balanced_weights",
    "cross_validate",
    "fit",
    "fold_indices",
    "positive_weights",
    "precision",
    "schedule",
    "set_seeds",
]
