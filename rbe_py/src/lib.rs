//! The door between Python and `rbe_core`: thin classes, one way in that converts errors and releases the GIL.

mod arguments;
mod arrange;
mod autograd;
mod bridge;
mod class;
mod convert;
mod create;
mod custom;
mod error;
mod file;
mod fork;
mod fuse;
mod gc;
mod gil;
mod in_place;
mod index;
mod memory;
mod methods;
mod nesting;
mod numpy;
mod observe;
mod operations;
mod operators;
mod ops;
mod optim;
mod plain;
mod products;
mod rates;
mod reductions;
mod runtime;
mod select;
mod sequence;
mod shape;
mod tensor;
mod turns;
mod window;

use pyo3::prelude::*;

/// Small allocations go on where the system refuses them, until an error has reached Python.
#[global_allocator]
static ALLOCATOR: rbe_core::memory::Allocator = rbe_core::memory::Allocator;

/// Names of this module are private to the package `rbe`.
#[pymodule]
#[allow(missing_docs)]
mod _rbe {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::autograd::{
        Hook, Node, PackedGradient, backward, checkpoint, execute, grad, gradcheck, is_grad_enabled, is_recomputing, set_grad_enabled,
    };
    #[pymodule_export]
    use crate::bridge::{accumulate, cotangent, packed_over, product, product_dx, product_gradient};
    #[pymodule_export]
    use crate::class::class_of_results;
    #[pymodule_export]
    use crate::convert::{as_tensor, promote_types};
    #[pymodule_export]
    use crate::create::{
        arange_floats, arange_integers, encode, eye, full, get_rng_state, linspace, manual_seed, packed, rand, randint, randn,
        random_cycles, random_packed, randperm, set_default_dtype, set_rng_state, tensor_from_list,
    };
    #[pymodule_export]
    use crate::custom::record;
    #[pymodule_export]
    use crate::file::{load, save};
    #[pymodule_export]
    use crate::fuse::{fuse, fused_operations};
    #[pymodule_export]
    use crate::memory::{ArrayHolder, exchange_kind, from_array, from_memory, says_read_only};
    #[pymodule_export]
    use crate::observe::{profile_start, profile_stop, set_debug_mode};
    #[pymodule_export]
    use crate::ops::{
        batch_norm, concat, cross_entropy, cycle_linear, cycle_linear_of, layer_norm, mse_loss, rbe_activation, rms_norm, stack,
        two_level_linear, where_,
    };
    #[pymodule_export]
    use crate::optim::{Dense, Hybrid, clip_grad_norm, clip_grad_value, scale_grad};
    #[pymodule_export]
    use crate::plain::{axpy, batched_gemm, cross_entropy as plain_cross_entropy, dot, gemm, gemv, matrix_add, softmax, states};
    #[pymodule_export]
    use crate::runtime::{
        get_num_threads, get_packed_matmul_precision, isa, pool_clear, pool_reset, pool_stats, raise_error, replace_precision_of_thread,
    };
    #[pymodule_export]
    use crate::runtime::{set_isa, set_num_threads, set_packed_matmul_precision};
    #[pymodule_export]
    use crate::sequence::{attention, cached_self_attention, recurrent, self_attention};
    #[pymodule_export]
    use crate::tensor::RBETensor;

    #[pymodule_export]
    use crate::window::{adaptive_avg_pool, avg_pool, conv, conv_transpose, max_pool, max_pool_with_indices, unfold};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        rbe_core::memory::Allocator::prepare();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::operations::register(module)?;
        crate::fork::watch(module.py())?;
        crate::gil::start();
        crate::runtime::start()
    }
}
