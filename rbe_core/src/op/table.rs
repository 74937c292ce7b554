//! The rules of all operations. A test walks them and fails for a rule without a gradient check. The rows of element-wise functions are
//! in `unary.rs` and `arithmetic.rs`, beside their formulas.

use super::rule::Rule;
use super::{arithmetic, unary};
use crate::tape::Saves;

macro_rules! rules {
    ($($id:ident: $name:literal, $arity:expr, $saves:expr;)*) => {
        $(
            #[doc = concat!("Rule of `", $name, "`.")]
            pub static $id: Rule = Rule::new($name, $arity, $saves);
        )*
        static RULES: &[&Rule] = &[$(&$id),*];
    };
}

pub(super) const NOTHING: Saves = Saves::NOTHING;
pub(super) const INPUTS: Saves = Saves::INPUTS;
pub(super) const OUTPUT: Saves = Saves::OUTPUT;
pub(super) const ROUGHLY_OUTPUT: Saves = OUTPUT.roughly();
pub(super) const X: Saves = Saves::input(0);
const PLACES: Saves = Saves::output(1);
const ANY: (usize, usize) = (1, usize::MAX);

/// All rules.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [RULES, unary::RULES, arithmetic::RULES].into_iter().flatten().copied()
}

rules! {
    // two tensors
    WHERE: "where", (3, 3), X;
    CLAMP_BETWEEN: "clamp_between", (3, 3), INPUTS;
    // one tensor
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
    MAX_ALONG: "max_along", (1, 1), PLACES;
    MIN_ALONG: "min_along", (1, 1), PLACES;
    SORT: "sort", (1, 1), PLACES;
    TOPK: "topk", (1, 1), PLACES;
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
    DECODE: "decode", (1, 1), X;
    PACKED_LINEAR: "packed_linear", (2, 3), X.and(Saves::input(1));
    TWO_LEVEL_LINEAR: "two_level_linear", (2, 3), X.and(Saves::input(1));
    // windows
    UNFOLD: "unfold", (1, 1), NOTHING;
    CONV: "conv", (2, 3), X.and(Saves::input(1));
    CONV_TRANSPOSE: "conv_transpose", (2, 3), X.and(Saves::input(1));
    MAX_POOL: "max_pool", (1, 1), PLACES;
    AVG_POOL: "avg_pool", (1, 1), NOTHING;
    ADAPTIVE_AVG_POOL: "adaptive_avg_pool", (1, 1), NOTHING;
    // networks
    RBE_ACTIVATION: "rbe_activation", (2, 2), INPUTS;
    PACKED_ACTIVATION: "packed_activation", (2, 2), INPUTS;
    ATTENTION: "scaled_dot_product_attention", (3, 4), INPUTS.and(OUTPUT);
    SELF_ATTENTION: "self_attention", (1, 2), INPUTS.and(ROUGHLY_OUTPUT);
    RECURRENT: "recurrent", (3, 5), Saves::input(1).and(Saves::input(2)).and(OUTPUT);
    LAYER_NORM: "layer_norm", (1, 3), X.roughly().and(Saves::input(1));
    RMS_NORM: "rms_norm", (1, 2), X.roughly().and(Saves::input(1));
    BATCH_NORM: "batch_norm", (1, 3), X.and(Saves::input(1));
    MSE: "mse_loss", (2, 2), INPUTS;
    CROSS_ENTROPY: "cross_entropy", (2, 2), INPUTS;
}
