"""Packed layers in models of torch: weights of 2 bits whose products the engine computes on torch's memory.

Needs torch: `pip install torch`.
"""

from rbe._compat import require as _require

_require("rbe.torch", "torch")

from rbe.torch.attention import RBEMultiheadAttention  # noqa: E402
from rbe.torch.conv import RBEConv1d, RBEConv2d  # noqa: E402
from rbe.torch.embedding import RBEEmbedding  # noqa: E402
from rbe.torch.layer import PackedLayer  # noqa: E402
from rbe.torch.linear import RBELinear  # noqa: E402
from rbe.torch.optimizer import HybridOptimizer  # noqa: E402
from rbe.torch.replace import pack_, unpack  # noqa: E402

__all__ = [
    "HybridOptimizer", "PackedLayer", "RBEConv1d", "RBEConv2d", "RBEEmbedding", "RBELinear", "RBEMultiheadAttention",
    "pack_", "unpack",
]  # fmt: skip
