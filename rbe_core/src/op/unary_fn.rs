//! Element-wise functions of one number as operations: what a function is, how it runs, and the macro that declares them.

use std::sync::Arc;

use super::fused::{Elementwise, ElementwiseOf};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use crate::array::{Array, Bound, by_rows, map};
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::isa::multiversion;
use crate::kernel::dense::elementary::Elementary;
use crate::kernel::dense::elementwise::{OutputRows, StridedRows, each};
use crate::kernel::dense::stream::Streaming;
use crate::parallel;
use crate::tape::is_debug_mode;

/// A function of one number with its derivative.
pub trait UnaryFn: Send + Sync + 'static {
    /// Row of the rule table; what it saves is what [`UnaryFn::df`] is given.
    const RULE: &'static Rule;
    /// What bounds its time.
    const BOUND: Bound = Bound::Arithmetic;
    /// Value.
    fn f<T: Elementary>(&self, x: T) -> T;
    /// Derivative, from the input or, where the rule saves the output, from that.
    fn df<T: Elementary>(&self, saved: T) -> T;
    /// Whether the derivative is 0 everywhere: nothing is read for it then.
    const FLAT: bool = false;
    /// Whether integers stay integers.
    fn keeps_integers(&self) -> bool {
        false
    }
    /// Value for an integer, where they stay integers.
    fn int(&self, x: i64) -> i64 {
        x
    }
    /// What it does with bools.
    const BOOLS: Bools = Bools::Numbers;
    /// Where both end, if they do.
    const REACH: Option<f64> = None;
    /// Value and derivative from there on.
    fn beyond<T: Elementary>(x: T) -> (T, T) {
        (x, T::one())
    }
}

/// What an element-wise function does with bools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bools {
    /// They count as the integers 0 and 1.
    Numbers,
    /// They stay bools.
    Stay,
    /// It does not take them; what to use instead.
    Refused(&'static str),
}

/// The type in which a function of operands of one type, to which they are converted first, is worked out.
///
/// # Errors
/// `DType` for bools that the function does not take.
pub(super) fn working_type(op: &'static str, dtype: DType, keeps_integers: bool, bools: Bools) -> Result<DType> {
    match (dtype, bools) {
        (DType::Bool, Bools::Stay) => Ok(DType::Bool),
        (DType::Bool, Bools::Refused(instead)) => Err(RbeError::dtype(op, format!("numbers ({instead})"), dtype)),
        (DType::Bool | DType::I64, _) if keeps_integers => Ok(DType::I64),
        _ => Ok(dtype.floating()),
    }
}

/// An element-wise operation of one tensor.
pub struct Unary<F>(pub F);

/// The writer of non-temporal stores, if the loop is bound by memory. For loops bound by arithmetic it is always `None`, so that the
/// compiler emits one loop instead of two.
#[inline(always)]
pub(super) fn non_temporal<'a, T>(bound: Bound, out: &OutputRows<'a, T>) -> Option<&'a Streaming> {
    if bound == Bound::Memory { out.non_temporal } else { None }
}

multiversion! {
    fn values[F: UnaryFn, T: Elementary](f: &F, x: StridedRows<'_, T>, out: &mut OutputRows<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        each!(rows v in x => out, streaming non_temporal(F::BOUND, out), f.f(v));
        far(x, F::REACH, out, |_, _, v| F::beyond(v).0);
    }
}

multiversion! {
    fn slopes[F: UnaryFn, T: Elementary](f: &F, dy: StridedRows<'_, T>, saved: StridedRows<'_, T>, out: &mut OutputRows<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        if F::BOUND == Bound::Memory {
            each!(rows d in dy, s in saved => out, d * f.df(s));
        } else {
            each!(laid out d in dy, s in saved => out, d * f.df(s));
        }
        far(saved, F::REACH, out, |r, c, v| dy.data[r * dy.down + c * dy.across] * F::beyond(v).1);
    }
}

multiversion! {
    fn times_slopes[F: UnaryFn, T: Elementary](f: &F, saved: &[T], dy: &mut [T]) where narrow(F::BOUND == Bound::Memory) {
        for (d, s) in dy.iter_mut().zip(saved) {
            *d = *d * f.df(*s);
        }
    }
}

/// The gradient in the memory of `dy`, where nobody else reads that.
fn over_upstream<F: UnaryFn, T: Elementary>(f: &F, dy: &Array, saved: &Array) -> Option<Array> {
    const PIECE: usize = 1 << 14;
    let own = dy.is_unique() && !dy.storage().is_shared() && !is_debug_mode(); // in debug mode errors show upstream gradients
    let plain = dy.is_contiguous() && saved.is_contiguous() && dy.shape() == saved.shape() && dy.dtype() == saved.dtype();
    if !own || !plain || F::REACH.is_some() {
        return None;
    }
    let saved = saved.read::<T>();
    parallel::for_each_piece(&mut dy.write::<T>(), PIECE, |i, dy| times_slopes(f, &saved[i * PIECE..][..dy.len()], dy));
    Some(dy.clone())
}

/// Writes what `value` makes of row, column and element of the finite numbers of `x` from `reach` on, which are rare.
#[inline(always)]
fn far<T: Elementary>(x: StridedRows<'_, T>, reach: Option<f64>, out: &mut OutputRows<'_, T>, value: impl Fn(usize, usize, T) -> T) {
    let Some(reach) = reach.map(T::of) else { return };
    let (mut scratch, width) = (x.scratch(), out.width);
    for (r, out) in out.rows.chunks_mut(width).enumerate() {
        let (line, across) = x.line(r, width, &mut scratch);
        let mut any = false;
        for v in line {
            any |= v.abs() >= reach;
        }
        if any {
            let all = out.iter_mut().enumerate().map(|(c, o)| (c, o, line[c * across]));
            all.filter(|(_, _, v)| v.abs() >= reach && v.is_finite()).for_each(|(c, o, v)| *o = value(r, c, v));
        }
    }
}

impl<F: UnaryFn, T: Elementary> ElementwiseOf<T> for Unary<F> {
    fn value(&self, x: &[&[T]], out: &mut [T]) {
        values(&self.0, StridedRows::row(x[0]), &mut OutputRows::row(out));
    }

    fn slope(&self, _k: usize, dy: &[T], x: &[&[T]], y: &[T], out: &mut [T]) {
        if F::FLAT {
            return out.fill(T::zero());
        }
        let saved = if F::RULE.saves.has_output(0) { y } else { x[0] };
        slopes(&self.0, StridedRows::row(dy), StridedRows::row(saved), &mut OutputRows::row(out));
    }
}

impl<F: UnaryFn> Op for Unary<F> {
    fn rule(&self) -> &Rule {
        F::RULE
    }

    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        Some(self)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let dtype = working_type(&F::RULE.name, a.dtype(), self.0.keeps_integers(), F::BOOLS)?;
        let a = a.as_dtype(dtype);
        match dtype {
            DType::Bool => Ok(a.into_owned().into()),
            DType::I64 => Ok(map(&a, |v: i64| self.0.int(v)).into()),
            _ => dispatch_float!(&*F::RULE.name, dtype, T => {
                Ok(by_rows(&F::RULE.name, &[&a], F::BOUND, |x: &[StridedRows<'_, T>], out| values(&self.0, x[0], out))?.into())
            }),
        }
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        if F::FLAT {
            return cx.one(|| Ok(Array::zeros(cx.dy().dtype(), cx.shape(0))));
        }
        let saved = if F::RULE.saves.has_output(0) { cx.output()? } else { cx.input(0)? };
        cx.one(|| {
            dispatch_float!(&*F::RULE.name, saved.dtype(), T => {
                if let Some(dx) = over_upstream::<F, T>(&self.0, cx.dy(), saved) {
                    return Ok(dx);
                }
                by_rows(&F::RULE.name, &[cx.dy(), saved], F::BOUND, |x: &[StridedRows<'_, T>], out| slopes(&self.0, x[0], x[1], out))
            })
        })
    }
}

/// The name of a rule: that of the method, or another.
macro_rules! rule_name {
    ($method:ident) => {
        stringify!($method)
    };
    ($method:ident $named:literal) => {
        $named
    };
}

/// Declares functions of one number. A row is the declaration of an operation: its documentation, an example where Python has it as a
/// function too, the name of its in-place form, its type with the parameters and their defaults, its method, what its derivative reads,
/// and `|x, parameters…| value, |saved, parameters…| derivative`.
///
/// `bound by Memory` stands where reading and writing take longer than computing; `flat true` where the derivative is 0 everywhere;
/// `int` gives the value for integers, which otherwise become floats; `bools` what happens to bools. Value and derivative are no
/// closures: what is written is part of methods that are inlined wherever they are called.
///
/// `export NAME $` makes a macro that passes the declarations on, from which the Python binding makes methods and functions; rows that
/// begin with `core` are no operations of Python.
macro_rules! unary {
    (rules $rules:ident, export $export:ident $d:tt; $(#[doc = $doc:literal] $(#[example($code:literal, $shown:literal)])? $(#[in_place($in_place:ident)])?
        $audience:ident $op:ident $(($($field:ident: $kind:ty = $default:tt),*))? $method:ident $(named $named:literal)? saves $saves:ident $(bound by $bound:ident)?:
        |$x:ident $(, $p:ident)*| $f:expr, |$s:ident $(, $q:ident)*| $df:expr $(, flat $flat:literal)?
        $(, beyond $reach:expr, |$far:ident| $beyond:expr)? $(, int |$i:ident| $int:expr)? $(, bools $bools:expr)?;)*) => {
        $(
        #[doc = $doc]
        pub struct $op { $($(#[doc = "Parameter of the function."] pub $field: $kind),*)? }
        impl UnaryFn for $op {
            const RULE: &'static Rule = &Rule::new(rule_name!($method $($named)?), (1, 1), table::$saves);
            $(const BOUND: Bound = Bound::$bound;)?
            #[inline(always)]
            fn f<T: Elementary>(&self, $x: T) -> T {
                unary!(@parameters self T ($($p),*) ($($($field),*)?));
                $f
            }
            #[inline(always)]
            fn df<T: Elementary>(&self, $s: T) -> T {
                unary!(@parameters self T ($($q),*) ($($($field),*)?));
                $df
            }
            $(const FLAT: bool = $flat;)?
            $(fn keeps_integers(&self) -> bool {
                true
            }
            fn int(&self, $i: i64) -> i64 {
                $int
            })?
            $(const BOOLS: Bools = $bools;)?
            $(const REACH: Option<f64> = Some($reach);
            fn beyond<T: Elementary>($far: T) -> (T, T) {
                $beyond
            })?
        }
        impl RBETensor {
            #[doc = $doc]
            ///
            /// # Errors
            /// `DType` for a packed tensor.
            pub fn $method(&self $(, $($field: $kind),*)?) -> Result<RBETensor> {
                apply(Unary($op { $($($field),*)? }), &[self])
            }
        })*

        /// The rules of these operations.
        pub(super) static $rules: &[&Rule] = &[$(<$op as UnaryFn>::RULE),*];

        /// Calls a macro with the declaration of every element-wise function of one tensor.
        #[macro_export]
        macro_rules! $export {
            ($d callback:ident) => {
                $d callback! { $($audience [$doc] [$($code, $shown)?] [$($in_place)?] $method ($($($field = $default),*)?) saves $saves;)* }
            };
        }
    };
    (@parameters $self:ident $T:ident ($($p:ident),*) ($($field:ident),*)) => {
        let ($($p,)*) = ($($T::of($self.$field),)*);
    };
}

pub(super) use {rule_name, unary};
