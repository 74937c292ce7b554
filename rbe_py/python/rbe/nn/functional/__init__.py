"""Layers and losses as functions, with torch's signatures."""

from .activation import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    rbe_activation,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from .adaptive_max import adaptive_max_pool1d, adaptive_max_pool2d
from .attention import scaled_dot_product_attention
from .averaging import denominator
from .bag import embedding_bag
from .conv import conv1d, conv2d
from .conv_transpose import conv_transpose1d, conv_transpose2d
from .ctc import ctc_loss
from .distance import bilinear, cosine_similarity, pairwise_distance
from .dropout import dropout, dropout1d, dropout2d, dropout3d
from .fold import fold, unfold
from .grid import affine_grid, grid_sample
from .likelihood import gaussian_nll_loss, poisson_nll_loss
from .linear import cycle_linear, embedding, linear, one_hot, packed_linear
from .loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from .norm import batch_norm, group_norm, instance_norm, layer_norm, normalize, rms_norm
from .pad import pad
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from .ranking import (
    hinge_embedding_loss,
    margin_ranking_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .rearrange import channel_shuffle, pixel_shuffle, pixel_unshuffle
from .rectifiers import celu, hardshrink, hardsigmoid, hardswish, hardtanh, prelu, relu6, selu, softshrink, threshold
from .resample import interpolate
from .squashing import glu, gumbel_softmax, logsigmoid, mish, softmin, softsign, tanhshrink
from .volume import adaptive_avg_pool3d, avg_pool3d, conv3d, max_pool3d

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "avg_pool1d",
    "avg_pool2d", "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu",
    "channel_shuffle", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "cosine_embedding_loss",
    "cosine_similarity", "cross_entropy", "ctc_loss", "cycle_linear", "denominator", "dropout", "dropout1d",
    "dropout2d", "dropout3d", "elu", "embedding", "fold", "gaussian_nll_loss", "gelu", "glu", "group_norm",
    "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss", "huber_loss",
    "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax",
    "logsigmoid", "margin_ranking_loss", "max_pool1d", "max_pool2d", "mish", "mse_loss", "multilabel_soft_margin_loss",
    "nll_loss", "normalize", "one_hot", "packed_linear", "pad", "pairwise_distance", "pixel_shuffle", "pixel_unshuffle",
    "poisson_nll_loss", "prelu", "rbe_activation", "relu", "relu6", "rms_norm", "scaled_dot_product_attention", "selu",
    "sigmoid", "silu", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign",
    "tanh", "tanhshrink", "threshold", "triplet_margin_loss", "triplet_margin_with_distance_loss", "unfold",
]  # fmt: skip
__all__ += ["adaptive_avg_pool3d", "affine_grid", "avg_pool3d", "conv3d", "embedding_bag", "grid_sample", "max_pool3d"]
