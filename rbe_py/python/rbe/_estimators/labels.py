"""Class labels as numbers."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from ..errors import TensorError
from .base import Data


def encode(op: str, data: Data, y: Any) -> tuple[Any, Any]:
    """Return the sorted classes of labels (n) and the index of each label's class, both of NumPy.

    Raises
    ------
    ValueError
        For targets that are no classes.
    TensorError
        If there is only one class.
    """
    labels = data.backend.to_host(y) if data.backend.owns(y) else np.asarray(y)
    check_classification_targets(labels)
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise TensorError(op, "samples of at least two classes", f"one class: {classes[0]}")
    return classes, indices.reshape(labels.shape).astype(np.int64)
