//! Every rule of the crate, on one screen. A test walks this table and fails for a rule without a gradient check.

use std::borrow::Cow;

use super::rule::Rule;
use crate::tape::Saves;

macro_rules! rules {
    ($($id:ident: $name:literal, $arity:expr, $saves:expr;)*) => {
        $(
            #[doc = concat!("Rule of `", $name, "`.")]
            pub static $id: Rule = Rule { name: Cow::Borrowed($name), arity: $arity, saves: $saves };
        )*
        /// All rules.
        pub static RULES: &[&Rule] = &[$(&$id),*];
    };
}

const NOTHING: Saves = Saves::NOTHING;
const INPUTS: Saves = Saves::INPUTS;
const OUTPUT: Saves = Saves::OUTPUT;
const X: Saves = Saves::input(0);
const ANY: (usize, usize) = (1, usize::MAX);

rules! {
    // two tensors
    ADD: "add", (2, 2), NOTHING;
    SUB: "sub", (2, 2), NOTHING;
    MUL: "mul", (2, 2), INPUTS;
    DIV: "div", (2, 2), INPUTS;
    POW: "pow", (2, 2), INPUTS;
    REMAINDER: "remainder", (2, 2), INPUTS;
    FMOD: "fmod", (2, 2), INPUTS;
    FLOOR_DIVIDE: "floor_divide", (2, 2), NOTHING;
    TRUNC_DIVIDE: "trunc_divide", (2, 2), NOTHING;
    COPYSIGN: "copysign", (2, 2), INPUTS;
    MAXIMUM: "maximum", (2, 2), INPUTS;
    MINIMUM: "minimum", (2, 2), INPUTS;
    WHERE: "where", (3, 3), X;
    CLAMP_BETWEEN: "clamp_between", (3, 3), INPUTS;
    // one tensor
    NEG: "neg", (1, 1), X;
    EXP: "exp", (1, 1), OUTPUT;
    EXPM1: "expm1", (1, 1), OUTPUT;
    LOG: "log", (1, 1), X;
    LOG2: "log2", (1, 1), X;
    LOG10: "log10", (1, 1), X;
    LOG1P: "log1p", (1, 1), X;
    SQRT: "sqrt", (1, 1), OUTPUT;
    SQUARE: "square", (1, 1), X;
    RECIPROCAL: "reciprocal", (1, 1), OUTPUT;
    ABS: "abs", (1, 1), X;
    SIGN: "sign", (1, 1), NOTHING;
    FLOOR: "floor", (1, 1), NOTHING;
    CEIL: "ceil", (1, 1), NOTHING;
    ROUND: "round", (1, 1), NOTHING;
    TRUNC: "trunc", (1, 1), NOTHING;
    SIN: "sin", (1, 1), X;
    COS: "cos", (1, 1), X;
    TANH: "tanh", (1, 1), OUTPUT;
    SIGMOID: "sigmoid", (1, 1), OUTPUT;
    RELU: "relu", (1, 1), OUTPUT;
    LEAKY_RELU: "leaky_relu", (1, 1), X;
    ELU: "elu", (1, 1), X;
    GELU: "gelu", (1, 1), X;
    GELU_TANH: "gelu_tanh", (1, 1), X;
    SILU: "silu", (1, 1), X;
    SOFTPLUS: "softplus", (1, 1), X;
    POWF: "powf", (1, 1), X;
    CLAMP: "clamp", (1, 1), X;
    CAST: "cast", (1, 1), NOTHING;
    DROPOUT: "dropout", (1, 1), NOTHING;
    FUSED: "fused", ANY, INPUTS;
    // over axes
    SUM: "sum", (1, 1), NOTHING;
    MEAN: "mean", (1, 1), NOTHING;
    VAR: "var", (1, 1), X;
    STD: "std", (1, 1), X.and(OUTPUT);
    LOGSUMEXP: "logsumexp", (1, 1), X.and(OUTPUT);
    MAX: "max", (1, 1), X.and(OUTPUT);
    MIN: "min", (1, 1), X.and(OUTPUT);
    NORM: "norm", (1, 1), X.and(OUTPUT);
    PROD: "prod", (1, 1), X;
    CUMSUM: "cumsum", (1, 1), NOTHING;
    SOFTMAX: "softmax", (1, 1), OUTPUT;
    LOG_SOFTMAX: "log_softmax", (1, 1), OUTPUT;
    // shape and place
    RESHAPE: "reshape", (1, 1), NOTHING;
    PERMUTE: "permute", (1, 1), NOTHING;
    BROADCAST: "broadcast_to", (1, 1), NOTHING;
    SLICE: "slice", (1, 1), NOTHING;
    CLONE: "clone", (1, 1), NOTHING;
    OVERWRITE: "overwrite", (2, 2), NOTHING;
    CONCAT: "concat", ANY, NOTHING;
    INDEX: "index", (1, 1), NOTHING;
    GATHER: "gather", (2, 2), Saves::input(1);
    SCATTER_ADD: "scatter_add", (3, 3), Saves::input(1);
    EMBEDDING: "embedding", (2, 2), Saves::input(1);
    PACKED_EMBEDDING: "packed_embedding", (2, 2), INPUTS;
    // products
    MATMUL: "matmul", (2, 2), INPUTS;
    LINEAR: "linear", (2, 3), X.and(Saves::input(1));
    PACKED_LINEAR: "packed_linear", (2, 3), X.and(Saves::input(1));
    TWO_LEVEL_LINEAR: "two_level_linear", (2, 3), X.and(Saves::input(1));
    // windows
    UNFOLD: "unfold", (1, 1), NOTHING;
    CONV: "conv", (2, 3), X.and(Saves::input(1));
    MAX_POOL: "max_pool", (1, 1), NOTHING;
    AVG_POOL: "avg_pool", (1, 1), NOTHING;
    ADAPTIVE_AVG_POOL: "adaptive_avg_pool", (1, 1), NOTHING;
    // networks
    RBE_ACTIVATION: "rbe_activation", (2, 2), INPUTS;
    PACKED_ACTIVATION: "packed_activation", (2, 2), INPUTS;
    ATTENTION: "scaled_dot_product_attention", (3, 4), INPUTS.and(OUTPUT);
    SELF_ATTENTION: "self_attention", (1, 2), INPUTS.and(OUTPUT);
    RECURRENT: "recurrent", (3, 5), Saves::input(1).and(Saves::input(2)).and(OUTPUT);
    LAYER_NORM: "layer_norm", (1, 3), X.and(Saves::input(1));
    RMS_NORM: "rms_norm", (1, 2), X.and(Saves::input(1));
    BATCH_NORM: "batch_norm", (1, 3), X.and(Saves::input(1));
    MSE: "mse_loss", (2, 2), INPUTS;
    CROSS_ENTROPY: "cross_entropy", (2, 2), INPUTS;
}
