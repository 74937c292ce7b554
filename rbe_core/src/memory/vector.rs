//! Vectors whose length a user controls.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;

use super::obtain::obtain;
use super::refusal::refuse;
use super::system::there_is;

/// An empty vector with capacity for `n` elements.
pub fn with_capacity<T>(n: usize) -> Vec<T> {
    let mut out = Vec::new();
    reserve(&mut out, n);
    out
}

/// Reserves capacity for exactly `n` further elements.
fn reserve<T>(out: &mut Vec<T>, n: usize) {
    let Some(bytes) = n.checked_mul(size_of::<T>()) else { refuse(None) };
    if obtain(bytes, || if there_is(bytes) { out.try_reserve_exact(n).ok() } else { None }).is_none() {
        refuse(Some(bytes));
    }
}

/// `n` copies of `value`.
pub fn filled<T: Clone>(value: T, n: usize) -> Vec<T> {
    let mut out = with_capacity(n);
    out.resize(n, value);
    out
}

/// `n` elements of zero bytes, from memory that the system has zeroed where it does so by itself.
pub fn zeros<T: bytemuck::Zeroable>(n: usize) -> Vec<T> {
    let layout = Layout::array::<T>(n).unwrap_or_else(|_| refuse(None));
    if layout.size() == 0 {
        let mut out = Vec::new();
        out.resize_with(n, T::zeroed); // elements without size, or none
        return out;
    }
    // SAFETY: the layout has a size.
    let allocate = || NonNull::new(unsafe { alloc_zeroed(layout) }.cast::<T>());
    match obtain(layout.size(), || if there_is(layout.size()) { allocate() } else { None }) {
        // SAFETY: the allocation is that of a vector of `n` elements, all of zero bytes, which are values of `T`.
        Some(start) => unsafe { Vec::from_raw_parts(start.as_ptr(), n, n) },
        None => refuse(Some(layout.size())),
    }
}

/// A copy of `items`.
pub fn copied<T: Copy>(items: &[T]) -> Vec<T> {
    let mut out = with_capacity(items.len());
    out.extend_from_slice(items);
    out
}

/// `items` in a vector.
pub fn collect<T>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items = items.into_iter();
    let (low, high) = items.size_hint();
    let mut out = with_capacity(low);
    if high == Some(low) {
        out.extend(items);
        return out;
    }
    loop {
        let free = out.capacity() - out.len();
        out.extend(items.by_ref().take(free));
        match items.next() {
            Some(item) if out.len() == out.capacity() => push(&mut out, item),
            Some(item) => out.push(item),
            None => return out,
        }
    }
}

/// Appends copies of `value` until there are `n` elements.
pub fn pad<T: Clone>(out: &mut Vec<T>, n: usize, value: T) {
    reserve(out, n.saturating_sub(out.len()));
    out.resize(n, value);
}

/// Appends `item`; the capacity grows as that of vectors does.
pub fn push<T>(out: &mut Vec<T>, item: T) {
    if out.len() == out.capacity() {
        let more = out.len().max(4);
        reserve(out, more);
    }
    out.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RbeError;
    use crate::memory::guard;

    #[test]
    fn vectors_hold_what_they_should() {
        assert_eq!(filled(3, 2), [3, 3]);
        assert_eq!(zeros::<f32>(3), [0.0; 3]);
        assert_eq!((zeros::<f32>(0).len(), zeros::<()>(3).len()), (0, 3));
        let mut padded = copied(&[1, 2]);
        pad(&mut padded, 4, 0);
        assert_eq!(padded, [1, 2, 0, 0]);
        assert_eq!(collect(0..5), (0..5).collect::<Vec<_>>());
        assert_eq!(collect((0..1000).filter(|i| i % 3 == 0)), (0..1000).step_by(3).collect::<Vec<_>>());
        assert_eq!(collect((0..3).flat_map(|i| [i, i])), [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for n in [usize::MAX, usize::MAX / 8, 1 << 60, 1 << 46] {
            for made in [
                guard("filled", || Ok(filled(1.5f64, n).len())),
                guard("zeros", || Ok(zeros::<f64>(n).len())),
                guard("collect", || Ok(collect((0..n).map(|i| i as f64)).len())),
                guard("with_capacity", || Ok(with_capacity::<f64>(n).len())),
            ] {
                assert!(matches!(made, Err(RbeError::Memory(_))), "{n}");
            }
        }
    }
}
