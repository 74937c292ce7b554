//! States of optimisers as earlier versions wrote them.

use crate::array::Array;
use crate::dtype::DType;
use crate::memory;

/// Charges as uint8 (rows, bits). Before there was that type, files held eight of them in each int64 (rows, bits / 8).
pub(super) fn charges(saved: &Array) -> Array {
    match (saved.dtype(), saved.shape()) {
        (DType::I64, &[rows, words]) => {
            let bytes = memory::collect(saved.to_vec::<i64>().into_iter().flatten().flat_map(i64::to_le_bytes));
            Array::build(&[rows, words * 8], |out: &mut [u8]| out.copy_from_slice(&bytes)).relabel(DType::U8)
        }
        (DType::Bool, _) => saved.clone().relabel(DType::U8),
        _ => saved.clone(),
    }
}
