//! Operations on elements of types that kernels do not compute in: the operands are converted to their wide types, and the results back.
//!
//! Both conversions are operations of the tape, so that gradients are rounded as their tensors are.

use std::sync::Arc;

use super::arithmetic::promoted;
use super::rule::Op;
use crate::dtype::DType;
use crate::error::Result;
use crate::tape::RBETensor;

/// Whether `op` does not take an operand as it is.
pub(super) fn is_narrow(op: &dyn Op, inputs: &[&RBETensor]) -> bool {
    inputs.iter().any(|t| !op.takes(t.dtype()))
}

/// The operands of `op` in types that it takes.
pub(super) fn widened(op: &dyn Op, inputs: &[&RBETensor]) -> Result<Vec<RBETensor>> {
    inputs.iter().map(|t| if op.takes(t.dtype()) { Ok((*t).clone()) } else { t.cast(t.dtype().wide()) }).collect()
}

/// Result `k` of `op`, which was computed from widened operands, in the type that those of `inputs` promote to: floats in that of the
/// floats among them, integers in that of all, unless they are positions or `op` widens them.
pub(super) fn narrowed(op: &Arc<dyn Op>, inputs: &[&RBETensor], k: usize, result: RBETensor) -> Result<RBETensor> {
    let operands = || inputs.iter().filter(|t| !t.is_packed()).map(|t| (t.dtype(), !t.shape().is_empty()));
    let dtype = match result.dtype() {
        DType::I64 if k == 0 && !op.widens_integers() => promoted(operands()).filter(|dtype| dtype.is_integer()),
        DType::F32 => promoted(operands().filter(|(dtype, _)| dtype.is_float())),
        _ => None,
    };
    dtype.map_or(Ok(result.clone()), |dtype| result.cast(dtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dtype: DType, values: &[f64]) -> RBETensor {
        RBETensor::new(values, &[values.len()]).unwrap().cast(dtype).unwrap().detach()
    }

    fn values(t: &RBETensor) -> Vec<f64> {
        t.array("test").unwrap().cast(DType::F64).to_vec::<f64>().unwrap()
    }

    #[test]
    fn results_have_the_promoted_type_and_its_overflow() {
        let bytes = of(DType::U8, &[200.0, 3.0]);
        let sum = bytes.add(&bytes).unwrap();
        assert_eq!((sum.dtype(), values(&sum)), (DType::U8, vec![144.0, 6.0]));
        let total = bytes.sum(None, false).unwrap();
        assert_eq!((total.dtype(), values(&total)), (DType::I64, vec![203.0]));
        let mixed = bytes.mul(&of(DType::I8, &[-1.0, 1.0])).unwrap();
        assert_eq!((mixed.dtype(), values(&mixed)), (DType::I16, vec![-200.0, 3.0]));
        let halves = of(DType::F16, &[60000.0, 1.0 + 1.0 / 1024.0]);
        let squares = halves.mul(&halves).unwrap();
        assert_eq!((squares.dtype(), values(&squares)), (DType::F16, vec![f64::INFINITY, 1.0 + 2.0 / 1024.0]));
        assert_eq!(halves.mul(&of(DType::BF16, &[1.0, 1.0])).unwrap().dtype(), DType::F32);
        assert_eq!(halves.argsort(0, false).unwrap().dtype(), DType::I64);
        let (sorted, places) = halves.sort(0, false).unwrap();
        assert_eq!((sorted.dtype(), places.dtype()), (DType::F16, DType::I64));
    }

    #[test]
    fn gradients_have_the_type_of_their_tensors_and_add_up() {
        let x = of(DType::BF16, &[1.0, 2.0]).requiring_grad().unwrap();
        let y = x.mul(&x).unwrap().add(&x).unwrap();
        y.sum(None, false).unwrap().backward().unwrap();
        let Some(crate::gradient::Gradient::Dense(grad)) = x.grad() else { panic!("no gradient") };
        assert_eq!((grad.dtype(), grad.cast(DType::F64).to_vec::<f64>().unwrap()), (DType::BF16, vec![3.0, 5.0]));
    }
}
