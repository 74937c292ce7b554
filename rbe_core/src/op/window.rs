//! Windows that slide over the spatial axes of planes: how many there are and where each begins and ends.

use crate::array::{Array, Dims};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::tape::RBETensor;

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    pub kernel: usize,
    pub stride: usize,
    pub padding: (usize, usize), // before and after
    pub dilation: usize,
}

impl Slide {
    const ONE: Slide = Slide { kernel: 1, stride: 1, padding: (0, 0), dilation: 1 };

    /// Positions from a window's first element to one past its last.
    pub fn reach(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// Number of windows along an axis of `size`; `ceil` counts a last one that reaches beyond the padding, if it begins
    /// before the padding after the axis.
    fn count(&self, op: &'static str, size: usize, ceil: bool) -> Result<usize> {
        let padded = size + self.padding.0 + self.padding.1;
        let Some(room) = padded.checked_sub(self.reach()) else {
            return Err(RbeError::shape(op, format!("a spatial axis of at least {}, padding included", self.reach()), padded));
        };
        let count = room / self.stride + 1;
        let more = ceil && !room.is_multiple_of(self.stride) && count * self.stride < size + self.padding.0;
        Ok(count + usize::from(more))
    }

    /// First and one past the last position of window `i` inside an axis of `size`; the first is one the window visits.
    pub fn range(&self, i: usize, size: usize) -> (usize, usize) {
        let (start, pad) = (i * self.stride, self.padding.0);
        let first = if start >= pad { start - pad } else { (pad - start).div_ceil(self.dilation) * self.dilation + start - pad };
        (first, (start + self.reach()).saturating_sub(pad).min(size))
    }
}

/// Windows over one or two spatial axes, the last of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    pub(super) slides: [Slide; 2], // the first is [`Slide::ONE`] where there is one axis
    pub(super) axes: usize,
}

impl Windows {
    /// Windows of the given sizes, one number for each of one or two axes; `padding` stands before and after each.
    ///
    /// # Errors
    /// `Shape` for another number of axes; `Value` for a kernel, stride or dilation of 0, or numbers too large to count with.
    pub fn new(op: &'static str, kernel: &[usize], stride: &[usize], padding: &[(usize, usize)], dilation: &[usize]) -> Result<Windows> {
        let axes = kernel.len();
        if !(1..=2).contains(&axes) || stride.len() != axes || padding.len() != axes || dilation.len() != axes {
            let got = [axes, stride.len(), padding.len(), dilation.len()];
            return Err(RbeError::shape(op, "kernel, stride, padding and dilation for one or two axes", format!("{got:?}")));
        }
        let mut slides = [Slide::ONE; 2];
        for i in 0..axes {
            let slide = Slide { kernel: kernel[i], stride: stride[i], padding: padding[i], dilation: dilation[i] };
            if kernel[i] == 0 || stride[i] == 0 || dilation[i] == 0 {
                return Err(RbeError::value(op, "kernel, stride and dilation of at least 1", format!("{slide:?}")));
            }
            let numbers = [kernel[i], stride[i], padding[i].0, padding[i].1, dilation[i]];
            if numbers.iter().any(|n| *n > i32::MAX as usize) {
                return Err(RbeError::value(op, format!("numbers up to {}", i32::MAX), format!("{slide:?}")));
            }
            slides[2 - axes + i] = slide;
        }
        Ok(Windows { slides, axes })
    }

    /// Number of windows along the two axes of `size`.
    pub(super) fn counts(&self, op: &'static str, size: [usize; 2], ceil: bool) -> Result<[usize; 2]> {
        Ok([self.slides[0].count(op, size[0], ceil)?, self.slides[1].count(op, size[1], ceil)?])
    }

    /// How many elements the windows visit, about, of planes of `elements` together.
    pub(super) fn visited(&self, elements: u64) -> u64 {
        self.slides.iter().fold(elements, |n, slide| n.saturating_mul(slide.kernel as u64) / slide.stride as u64)
    }

    /// Lengths of the kernel along its axes.
    pub(super) fn kernel(&self) -> Dims {
        self.slides[2 - self.axes..].iter().map(|s| s.kernel).collect()
    }

    /// Calls `f` with `x`, given a spatial axis of length 1 where the windows have one axis only.
    pub(super) fn over(&self, x: &RBETensor, f: impl FnOnce(&RBETensor) -> Result<RBETensor>) -> Result<RBETensor> {
        let [y] = on_planes(self.axes, x, |x| Ok([f(x)?]))?;
        Ok(y)
    }
}

/// Calls `f` with `x`, whose last `axes` (one or two) are spatial, as a tensor of two spatial axes.
pub(super) fn on_planes<const N: usize>(
    axes: usize,
    x: &RBETensor,
    f: impl FnOnce(&RBETensor) -> Result<[RBETensor; N]>,
) -> Result<[RBETensor; N]> {
    if axes == 2 || x.shape().is_empty() {
        return f(x);
    }
    let mut found = f(&x.unsqueeze(-2)?)?;
    for y in &mut found {
        *y = y.squeeze(Some(&[-2]))?;
    }
    Ok(found)
}

/// Fails where a tensor of these axes could not be counted in bytes.
pub(super) fn check_size(op: &'static str, axes: &[usize]) -> Result<()> {
    match memory::count(axes).filter(|n| *n <= isize::MAX as usize / size_of::<f64>()) {
        Some(_) => Ok(()),
        None => Err(RbeError::memory(op, "windows that fit in memory", format!("{axes:?} elements"))),
    }
}

/// Number of planes of `x` (…, height, width) and their size.
pub(super) fn planes(op: &'static str, x: &Array) -> Result<(usize, [usize; 2])> {
    match x.shape() {
        [lead @ .., h, w] if !lead.is_empty() => Ok((lead.iter().product(), [*h, *w])),
        other => Err(RbeError::shape(op, "x (…, channels, spatial axes)", format!("{other:?}"))),
    }
}

/// The leading axes of `shape` and two spatial ones.
pub(super) fn with_size(shape: &[usize], size: [usize; 2]) -> Dims {
    shape[..shape.len() - 2].iter().copied().chain(size).collect()
}
