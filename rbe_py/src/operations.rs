//! Element-wise operations: a method, a function and an in-place form of each, from one declaration.
//!
//! Operations with a gradient are declared beside their formulas in `rbe_core/src/op/{unary,arithmetic}.rs`, which pass the rows on
//! through `for_each_unary!` and `for_each_binary!`; those without one are declared here.

use pyo3::prelude::*;
use rbe_core::op::{Comparison, Logic};

use crate::arguments::float;
use crate::class::NewTensor;
use crate::convert::operand;
use crate::gil::enter;
use crate::in_place::change;
use crate::methods::{binary, unary};
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// What the stubs are made from: name, number of tensors, whether there is a function of the name, name of the in-place form, parameters.
type Declaration = (&'static str, usize, bool, &'static str, Vec<(&'static str, f64)>);

/// Whether a rule reads the first input again in backward: an in-place form must keep a copy of it then.
fn reads_input(saves: &str) -> bool {
    !matches!(saves, "NOTHING" | "OUTPUT")
}

/// The docstring of an operation.
macro_rules! documentation {
    ($doc:literal []) => {
        $doc
    };
    ($doc:literal [$code:literal, $shown:literal]) => {
        concat!($doc, "\n\nExamples\n--------\n>>> import rbe\n>>> ", $code, "\n", $shown, "\n")
    };
}

/// The docstring of an in-place form.
macro_rules! documentation_in_place {
    ($method:ident) => {
        concat!("In-place form of `", stringify!($method), "`: return the tensor, changed.")
    };
}

macro_rules! unary_operation {
    (core $($row:tt)*) => {};
    (python [$doc:literal] [$($example:tt)*] [$($in_place:ident)?] $method:ident ($($parameter:ident = $default:tt),*) saves $saves:ident) => {
        #[pymethods]
        impl RBETensor {
            #[doc = documentation!($doc [$($example)*])]
            #[pyo3(signature = ($($parameter = $default),*))]
            fn $method(&self, py: Python<'_>, $(#[pyo3(from_py_with = float)] $parameter: f64),*) -> PyResult<NewTensor> {
                unary(py, self, |t| t.$method($($parameter),*))
            }

            $(#[doc = documentation_in_place!($method)]
            fn $in_place<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
                change(slf, stringify!($in_place), None, reads_input(stringify!($saves)), Tensor::$method)
            })?
        }
        unary_operation! { @function $doc [$($example)*] $method }
    };
    (@function $doc:literal [] $method:ident) => {};
    (@function $doc:literal [$code:literal, $shown:literal] $method:ident) => {
        #[doc = documentation!($doc [$code, $shown])]
        #[pyfunction]
        fn $method(input: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
            let x = operand(input, None)?;
            enter(input.py(), || x.$method()).map(NewTensor::from)
        }
    };
}

macro_rules! binary_operation {
    (core $($row:tt)*) => {};
    (python [$doc:literal] [$code:literal, $shown:literal] [$($in_place:ident)?] $method:ident $call:tt saves $saves:ident) => {
        #[pymethods]
        impl RBETensor {
            #[doc = documentation!($doc [$code, $shown])]
            fn $method(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
                binary(self, other, false, binary_operation!(@call $method $call))
            }

            $(#[doc = documentation_in_place!($method)]
            fn $in_place<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
                let other = operand(other, Some(slf.get().inner.number_type()))?;
                let keeps = reads_input(stringify!($saves));
                change(slf, stringify!($in_place), Some(&other), keeps, |t| binary_operation!(@call $method $call)(t, &other))
            })?
        }

        #[doc = documentation!($doc [$code, $shown])]
        #[pyfunction]
        fn $method(input: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
            // A number takes the type of a tensor of floats, as it does beside an operator.
            let like = other.cast::<RBETensor>().ok().map(|t| t.get().inner.number_type()).filter(|dtype| dtype.is_float());
            let a = operand(input, like)?;
            let b = operand(other, Some(a.number_type()))?;
            enter(input.py(), || binary_operation!(@call $method $call)(&a, &b)).map(NewTensor::from)
        }
    };
    (@call $method:ident ()) => {
        Tensor::$method
    };
    (@call $method:ident ($call:expr)) => {
        $call
    };
}

/// Adds the function of an operation to the module, and its declaration to the list.
macro_rules! register {
    ($module:ident $list:ident $tensors:literal core $($row:tt)*) => {};
    ($module:ident $list:ident $tensors:literal python [$doc:literal] [] [$($in_place:ident)?] $method:ident ($($parameter:ident = $default:tt),*) $($saves:ident)*) => {
        $list.push((stringify!($method), $tensors, false, concat!($(stringify!($in_place))?), vec![$((stringify!($parameter), $default)),*]));
    };
    ($module:ident $list:ident $tensors:literal python [$doc:literal] [$code:literal, $shown:literal] [$($in_place:ident)?] $($row:tt)*) => {
        register! { @function $module $list $tensors [$($in_place)?] $($row)* }
    };
    (@function $module:ident $list:ident $tensors:literal [$($in_place:ident)?] $method:ident $($row:tt)*) => {
        $module.add_function(wrap_pyfunction!($method, $module)?)?;
        $list.push((stringify!($method), $tensors, true, concat!($(stringify!($in_place))?), Vec::new()));
    };
}

macro_rules! unary_operations {
    ($($audience:ident [$($doc:tt)*] [$($example:tt)*] [$($in_place:ident)?] $method:ident $parameters:tt saves $saves:ident;)*) => {
        $(unary_operation! { $audience [$($doc)*] [$($example)*] [$($in_place)?] $method $parameters saves $saves })*

        pub fn register(module: &Bound<'_, PyModule>, list: &mut Vec<super::Declaration>) -> PyResult<()> {
            $(register! { module list 1 $audience [$($doc)*] [$($example)*] [$($in_place)?] $method $parameters saves $saves })*
            Ok(())
        }
    };
}

macro_rules! binary_operations {
    ($($audience:ident [$($doc:tt)*] [$($example:tt)*] [$($in_place:ident)?] $method:ident $call:tt saves $saves:ident;)*) => {
        $(binary_operation! { $audience [$($doc)*] [$($example)*] [$($in_place)?] $method $call saves $saves })*

        pub fn register(module: &Bound<'_, PyModule>, list: &mut Vec<super::Declaration>) -> PyResult<()> {
            $(register! { module list 2 $audience [$($doc)*] [$($example)*] [$($in_place)?] $method $call saves $saves })*
            Ok(())
        }
    };
}

mod of_one {
    use super::*;
    rbe_core::for_each_unary!(unary_operations);
}

mod of_two {
    use super::*;
    rbe_core::for_each_binary!(binary_operations);
}

mod predicates {
    use super::*;
    unary_operations! {
        python ["Return whether each element is neither NaN nor infinite."]
            ["rbe.isfinite(rbe.tensor([1.0, float(\"nan\")]))", "tensor([ True, False])"] [] isfinite () saves NOTHING;
        python ["Return whether each element is infinite."] ["rbe.isinf(rbe.tensor([1.0, float(\"inf\")]))", "tensor([False,  True])"] [] isinf () saves NOTHING;
        python ["Return whether each element is NaN."] ["rbe.isnan(rbe.tensor([1.0, float(\"nan\")]))", "tensor([False,  True])"] [] isnan () saves NOTHING;
        python ["Return whether each element is 0."] ["rbe.logical_not(rbe.tensor([0, 3]))", "tensor([ True, False])"] [logical_not_] logical_not () saves NOTHING;
    }
}

mod comparisons {
    use super::*;
    binary_operations! {
        python ["Return whether `a == b`, element by element."] ["rbe.eq(rbe.tensor([1, 2, 3]), 2)", "tensor([False,  True, False])"]
            [eq_] eq (|a: &Tensor, b: &Tensor| a.compare(b, Comparison::Eq)) saves NOTHING;
        python ["Return whether `a != b`, element by element."] ["rbe.ne(rbe.tensor([1, 2, 3]), 2)", "tensor([ True, False,  True])"]
            [ne_] ne (|a: &Tensor, b: &Tensor| a.compare(b, Comparison::Ne)) saves NOTHING;
        python ["Return whether `a < b`, element by element."] ["rbe.lt(rbe.tensor([1, 2, 3]), 2)", "tensor([ True, False, False])"]
            [lt_] lt (|a: &Tensor, b: &Tensor| a.compare(b, Comparison::Lt)) saves NOTHING;
        python ["Return whether `a <= b`, element by element."] ["rbe.le(rbe.tensor([1, 2, 3]), 2)", "tensor([ True,  True, False])"]
            [le_] le (|a: &Tensor, b: &Tensor| a.compare(b, Comparison::Le)) saves NOTHING;
        python ["Return whether `a > b`, element by element."] ["rbe.gt(rbe.tensor([1, 2, 3]), 2)", "tensor([False, False,  True])"]
            [gt_] gt (|a: &Tensor, b: &Tensor| a.compare(b, Comparison::Gt)) saves NOTHING;
        python ["Return whether `a >= b`, element by element."] ["rbe.ge(rbe.tensor([1, 2, 3]), 2)", "tensor([False,  True,  True])"]
            [ge_] ge (|a: &Tensor, b: &Tensor| a.compare(b, Comparison::Ge)) saves NOTHING;
        python ["Return whether both are true, element by element."]
            ["rbe.logical_and(rbe.tensor([True, True]), rbe.tensor([True, False]))", "tensor([ True, False])"]
            [logical_and_] logical_and (|a: &Tensor, b: &Tensor| a.logical(b, Logic::And)) saves NOTHING;
        python ["Return whether one or both are true, element by element."]
            ["rbe.logical_or(rbe.tensor([True, True]), rbe.tensor([True, False]))", "tensor([ True,  True])"]
            [logical_or_] logical_or (|a: &Tensor, b: &Tensor| a.logical(b, Logic::Or)) saves NOTHING;
        python ["Return whether exactly one is true, element by element."]
            ["rbe.logical_xor(rbe.tensor([True, True]), rbe.tensor([True, False]))", "tensor([False,  True])"]
            [logical_xor_] logical_xor (|a: &Tensor, b: &Tensor| a.logical(b, Logic::Xor)) saves NOTHING;
        python ["Return the matrix product of `a` and `b`."] ["rbe.matmul(rbe.eye(2), rbe.tensor([3.0, 4.0]))", "tensor([3., 4.])"] [] matmul () saves INPUTS;
    }
}

/// Adds the functions to the module, and the list of declarations, from which the stubs are made.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let mut list: Vec<Declaration> = Vec::new();
    of_one::register(module, &mut list)?;
    of_two::register(module, &mut list)?;
    predicates::register(module, &mut list)?;
    comparisons::register(module, &mut list)?;
    module.add("_OPERATIONS", list)
}
