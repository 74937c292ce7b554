//! Shapes, strides, axes and NumPy's broadcasting rule.

use smallvec::SmallVec;

use crate::error::{RbeError, Result};

/// A shape: the length of every axis.
pub type Dims = SmallVec<[usize; 4]>;

/// Steps between neighbours along every axis, in elements; may be negative or, for broadcast axes, zero.
pub type Strides = SmallVec<[isize; 4]>;

/// Row-major strides of `shape`.
pub fn contiguous_strides(shape: &[usize]) -> Strides {
    let mut strides: Strides = SmallVec::from_elem(0, shape.len());
    let mut step = 1isize;
    for (stride, len) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step = step.wrapping_mul(*len as isize); // wraps for empty shapes only, whose strides nobody follows
    }
    strides
}

/// The shape two operands broadcast to.
///
/// # Errors
/// `Shape` if two lengths of an axis differ and neither is 1.
pub fn broadcast_shapes(op: &'static str, a: &[usize], b: &[usize]) -> Result<Dims> {
    if a == b {
        return Ok(Dims::from_slice(a));
    }
    let ndim = a.len().max(b.len());
    let mut out: Dims = SmallVec::from_elem(1, ndim);
    for (i, slot) in out.iter_mut().enumerate() {
        let of = |s: &[usize]| if i + s.len() < ndim { 1 } else { s[i + s.len() - ndim] };
        *slot = match (of(a), of(b)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => return Err(RbeError::shape(op, format!("a shape that broadcasts with {a:?}"), format!("{b:?}"))),
        };
    }
    Ok(out)
}

/// Elements of the shape that `shapes` broadcast to; any number where they do not, or where there are more than can be counted.
pub fn broadcast_count<'a>(shapes: impl Iterator<Item = &'a [usize]> + Clone) -> u64 {
    let ndim = shapes.clone().map(<[usize]>::len).max().unwrap_or(0);
    let length = |from_end: usize| {
        let lengths = shapes.clone().filter_map(|shape| shape.len().checked_sub(from_end + 1).map(|axis| shape[axis]));
        lengths.fold(1, |common, len| if common == 1 { len } else { common }) as u64
    };
    (0..ndim).map(length).fold(1, u64::saturating_mul)
}

/// `axis` counted from the front, for `ndim` axes.
///
/// # Errors
/// `Index` if the axis is outside `[-ndim, ndim)`.
pub fn normalize_axis(op: &'static str, axis: isize, ndim: usize) -> Result<usize> {
    let n = ndim as isize;
    let from_front = if axis < 0 { axis + n } else { axis };
    if (0..n).contains(&from_front) {
        Ok(from_front as usize)
    } else if ndim == 0 {
        Err(RbeError::index(op, "a tensor that has axes", format!("axis {axis} of one without")))
    } else {
        Err(RbeError::index(op, format!("an axis from -{ndim} to {}", n - 1), axis))
    }
}

/// Sorted axes counted from the front; none given means all. A tensor without axes counts as one of a single axis, of which none is
/// left.
///
/// # Errors
/// `Index` as [`normalize_axis`]; `Value` for an axis named twice.
pub fn normalize_axes(op: &'static str, axes: Option<&[isize]>, ndim: usize) -> Result<Vec<usize>> {
    let Some(axes) = axes else { return Ok((0..ndim).collect()) };
    let mut out = axes.iter().map(|a| normalize_axis(op, *a, ndim.max(1))).collect::<Result<Vec<_>>>()?;
    out.sort_unstable();
    if out.windows(2).any(|w| w[0] == w[1]) {
        return Err(RbeError::value(op, "each axis once", format!("{axes:?}")));
    }
    if ndim == 0 {
        out.clear();
    }
    Ok(out)
}

/// Elements of one parallel piece, about.
pub(super) const PIECE: usize = 1 << 14;

/// Axes of `shape`, of those stepped through evenly one, none of length 1; in every set of strides.
pub(super) fn join(shape: &[usize], strides: &[&[isize]]) -> (Dims, SmallVec<[Strides; 3]>) {
    let mut dims = Dims::new();
    let mut steps: SmallVec<[Strides; 3]> = strides.iter().map(|_| Strides::new()).collect();
    for (axis, len) in shape.iter().enumerate().filter(|(_, len)| **len != 1) {
        let joins = !dims.is_empty() && steps.iter().zip(strides).all(|(s, of)| s.last() == Some(&(of[axis] * *len as isize)));
        if joins {
            dims.last_mut().into_iter().for_each(|last| *last *= len);
            steps.iter_mut().for_each(|s| _ = s.pop());
        } else {
            dims.push(*len);
        }
        steps.iter_mut().zip(strides).for_each(|(s, of)| s.push(of[axis]));
    }
    (dims, steps)
}

/// As [`join`], for one set of strides.
pub(super) fn join_one(shape: &[usize], strides: &[isize]) -> (Dims, Strides) {
    let (dims, mut steps) = join(shape, &[strides]);
    (dims, steps.pop().unwrap_or_default())
}
