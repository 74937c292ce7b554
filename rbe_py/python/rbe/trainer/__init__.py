"""The training loop, with callbacks, checkpoints and logs."""

from .callback import Call, Callback
from .checkpoint import Checkpoint
from .loggers import CSVLogger, JSONLinesLogger, TensorBoardLogger
from .loop import Trainer
from .metric import accuracy
from .progress import Progress
from .state import State
from .stopping import EarlyStopping

__all__ = [
    "CSVLogger",
    "Call",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "JSONLinesLogger",
    "Progress",
    "State",
    "TensorBoardLogger",
    "Trainer",
    "accuracy",
]
