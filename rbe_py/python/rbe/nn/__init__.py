"""Layers, losses and their functional forms."""

from . import functional, init, parallel, utils
from .activation import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .attention import KeyValueCache, MultiheadAttention, RBEMultiheadAttention
from .bag import EmbeddingBag
from .containers import ModuleDict, ModuleList, ParameterList, Sequential
from .conv import Conv1d, Conv2d, LazyConv1d, LazyConv2d, RBEConv1d, RBEConv2d
from .conv_transpose import ConvTranspose1d, ConvTranspose2d, RBEConvTranspose1d, RBEConvTranspose2d
from .distance import Bilinear, CosineSimilarity, PairwiseDistance
from .dropout import Dropout, Dropout1d, Dropout2d, Dropout3d
from .embedding import RBEEmbedding
from .instance_norm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .linear import Embedding, LazyLinear, Linear
from .loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, LayerNorm, LazyBatchNorm1d, LazyBatchNorm2d, RMSNorm
from .packed import RBEActivation, RBELinear
from .padding import (
    CircularPad1d,
    CircularPad2d,
    CircularPad3d,
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReflectionPad3d,
    ReplicationPad1d,
    ReplicationPad2d,
    ReplicationPad3d,
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
)
from .parallel import DataParallel
from .parameter import Parameter
from .pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from .ranking import (
    CTCLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultiLabelSoftMarginLoss,
    PoissonNLLLoss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from .rearrange import ChannelShuffle, PixelShuffle, PixelUnshuffle, Unflatten
from .rectifiers import CELU, SELU, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, PReLU, ReLU6, Softshrink, Threshold
from .recurrent import GRU, LSTM, RBEGRU, RBELSTM, RBERNN, RNN
from .recurrent_cell import GRUCell, LSTMCell, RNNCell
from .resample import Upsample, UpsamplingBilinear2d, UpsamplingNearest2d
from .shape import Flatten, Fold, Identity, Unfold
from .squashing import GLU, LogSigmoid, Mish, Softmax2d, Softmin, Softsign, Tanhshrink
from .transformer import (
    RBETransformerDecoderLayer,
    RBETransformerEncoderLayer,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from .transformer_stack import Transformer, TransformerDecoder, TransformerEncoder
from .volume import AdaptiveAvgPool3d, AvgPool3d, Conv3d, MaxPool3d

from . import modules  # isort: skip (names of the modules above)

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "GRU", "LSTM", "RBEGRU", "RBELSTM", "RBERNN", "RNN", "SELU", "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d", "AvgPool2d", "BCELoss",
    "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Bilinear", "CTCLoss", "ChannelShuffle", "CircularPad1d",
    "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Conv1d", "Conv2d",
    "ConvTranspose1d", "ConvTranspose2d", "CosineEmbeddingLoss", "CosineSimilarity", "CrossEntropyLoss", "DataParallel",
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "Embedding", "Flatten", "Fold", "GRUCell", "GaussianNLLLoss",
    "GroupNorm", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "HingeEmbeddingLoss", "HuberLoss", "Identity",
    "InstanceNorm1d", "InstanceNorm2d", "KLDivLoss", "KeyValueCache", "L1Loss", "LSTMCell", "LayerNorm",
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyConv1d", "LazyConv2d", "LazyLinear", "LeakyReLU", "Linear", "LogSigmoid",
    "LogSoftmax", "MSELoss", "MarginRankingLoss", "MaxPool1d", "MaxPool2d", "Mish", "Module", "ModuleDict",
    "ModuleList", "MultiLabelSoftMarginLoss", "MultiheadAttention", "NLLLoss", "PReLU", "PairwiseDistance", "Parameter",
    "ParameterList", "PixelShuffle", "PixelUnshuffle", "PoissonNLLLoss", "RBEActivation", "RBEConv1d", "RBEConv2d",
    "RBEConvTranspose1d", "RBEConvTranspose2d", "RBEEmbedding", "RBELinear", "RBEMultiheadAttention",
    "RBETransformerDecoderLayer", "RBETransformerEncoderLayer", "RMSNorm", "RNNCell", "ReLU", "ReLU6",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d",
    "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "SoftMarginLoss", "Softmax", "Softmax2d", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold", "Transformer", "TransformerDecoder",
    "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss", "Unflatten", "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "functional", "init", "parallel", "utils",
]  # fmt: skip
__all__ += [
    "AdaptiveAvgPool3d", "AvgPool3d", "BatchNorm3d", "Conv3d", "EmbeddingBag", "InstanceNorm3d", "MaxPool3d", "modules",
]  # fmt: skip
