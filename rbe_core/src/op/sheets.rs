//! Images laid out so that the elements which consecutive windows read lie side by side, without a row for every window.

use super::window::{Windows, check_size};
use crate::error::Result;
use crate::kernel::packed::quantised::windows::{STEP, ZERO};
use crate::memory;

/// Windows that fill the lanes of a vector: a sheet of images with fewer holds several images.
const FEW: usize = 64;

/// The channels of one group of a few images, and what is read of them: for each channel and kernel column a copy of the image whose
/// element (y, x) is the one that window x reads in row y. Consecutive windows of one element of the kernel are then consecutive in memory,
/// across the rows of windows, and another kernel row is another start.
///
/// With a vertical stride s, rows lie in s parts: those that a kernel row visits are one after another.
pub(super) struct Sheets {
    channels: usize,
    size: [usize; 2],
    stride: [usize; 2],
    top: usize,             // rows of padding above an image
    width: usize,           // windows along a row
    plane: usize,           // elements of one image in a part
    lines: Vec<Line>,       // of each kernel column
    windows: usize,         // of an image
    pub images: usize,      // of a sheet
    pub starts: Vec<usize>, // of every element of a window, in the order (channel, height, width)
    pub len: usize,         // elements of a sheet, with those that vectors read after its end
}

/// The windows of a row whose element in one kernel column lies inside the image.
struct Line {
    first: usize, // window
    from: usize,  // its element
    len: usize,   // windows
}

impl Sheets {
    pub fn new(op: &'static str, windows: &Windows, [samples, channels]: [usize; 2], size: [usize; 2]) -> Result<Sheets> {
        let [y, x] = windows.slides;
        let counts = windows.counts(op, size, false)?;
        let padded = size[0] + y.padding.0 + y.padding.1;
        let plane = padded.div_ceil(y.stride) * counts[1];
        let all = counts[0] * counts[1];
        let images = if all >= FEW { 1 } else { (2 * FEW / plane.max(1)).clamp(1, samples.max(1)) };
        check_size(op, &[channels, x.kernel, y.stride, images, plane])?;
        let part = images * plane;
        let start = |i: usize| {
            let (c, ky, kx) = (i / (y.kernel * x.kernel), i / x.kernel % y.kernel * y.dilation, i % x.kernel);
            ((c * x.kernel + kx) * y.stride + ky % y.stride) * part + ky / y.stride * counts[1]
        };
        let line = |kx: usize| {
            let inside = |i: &usize| (x.padding.0..x.padding.0 + size[1]).contains(&(i * x.stride + kx * x.dilation));
            let first = (0..counts[1]).find(inside).unwrap_or(counts[1]);
            let len = (first..counts[1]).take_while(|i| inside(i)).count();
            Line { first, from: (first * x.stride + kx * x.dilation).saturating_sub(x.padding.0), len }
        };
        Ok(Sheets {
            channels,
            size,
            stride: [y.stride, x.stride],
            top: y.padding.0,
            width: counts[1],
            plane,
            lines: memory::collect((0..x.kernel).map(line)),
            windows: all,
            images,
            starts: memory::collect((0..channels * y.kernel * x.kernel).map(start)),
            len: channels * x.kernel * y.stride * part + STEP,
        })
    }

    /// Positions of `images` images: their windows, and gaps between them.
    pub fn positions(&self, images: usize) -> usize {
        (images - 1) * self.plane + self.windows
    }

    /// Position of the first window of image `i`.
    pub fn first(&self, i: usize) -> usize {
        i * self.plane
    }

    /// Elements of an image.
    fn image(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Calls `body(start in the image, start in the sheet, length)` for the runs of image `i`: elements a horizontal stride apart there, and
    /// side by side in the sheet.
    #[inline(always)]
    fn each_run(&self, i: usize, mut body: impl FnMut(usize, usize, usize)) {
        let ([h, w], parts) = (self.size, self.stride[0]);
        for row in 0..self.channels * h {
            let (c, r) = (row / h, row % h + self.top);
            for (kx, line) in self.lines.iter().enumerate().filter(|(_, line)| line.len > 0) {
                let part = (c * self.lines.len() + kx) * parts + r % parts;
                let at = (part * self.images + i) * self.plane + r / parts * self.width;
                body(row * w + line.from, at + line.first, line.len);
            }
        }
    }

    /// A sheet of zeros.
    pub fn blank(&self) -> crate::Buffer {
        let mut sheet = crate::Buffer::dirty(self.len);
        sheet.bytes_mut().fill(ZERO);
        sheet
    }

    /// Writes image `i` of int8 numbers to a sheet that was blank at first.
    pub fn fill(&self, i: usize, image: &[u8], sheet: &mut [u8]) {
        let mut bytes = crate::Buffer::dirty(self.image());
        let bytes = bytes.bytes_mut();
        bytes.iter_mut().zip(image).for_each(|(to, v)| *to = v ^ ZERO);
        match self.stride[1] {
            1 => self.each_run(i, |from, to, len| sheet[to..to + len].copy_from_slice(&bytes[from..from + len])),
            step => self.each_run(i, |from, to, len| {
                sheet[to..to + len].iter_mut().zip(bytes[from..].iter().step_by(step)).for_each(|(to, v)| *to = *v);
            }),
        }
    }

    /// Writes to `image` the sums of the copies of its elements in image `i` of a sheet.
    pub fn fold(&self, i: usize, sheet: &[f32], image: &mut [f32]) {
        image.fill(0.0);
        match self.stride[1] {
            1 => self.each_run(i, |to, from, len| {
                image[to..to + len].iter_mut().zip(&sheet[from..from + len]).for_each(|(to, v)| *to += v);
            }),
            step => self.each_run(i, |to, from, len| {
                image[to..].iter_mut().step_by(step).zip(&sheet[from..from + len]).for_each(|(to, v)| *to += v);
            }),
        }
    }

    /// Rows of one number each window of `images` images, (images, rows, windows) with `stride` elements an image, as rows of positions:
    /// `out (rows, positions)`, with zeros in the gaps.
    pub fn gather(&self, images: usize, stride: usize, from: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        let (positions, l) = (self.positions(images), self.windows);
        for (n, out) in out.chunks_exact_mut(positions).enumerate() {
            for i in 0..images {
                out[self.first(i)..][..l].copy_from_slice(&from[i * stride + n * l..][..l]);
            }
        }
    }

    /// The reverse of [`Sheets::gather`].
    pub fn scatter(&self, images: usize, stride: usize, from: &[f32], out: &mut [f32]) {
        let (positions, l) = (self.positions(images), self.windows);
        for (n, from) in from.chunks_exact(positions).enumerate() {
            for i in 0..images {
                out[i * stride + n * l..][..l].copy_from_slice(&from[self.first(i)..][..l]);
            }
        }
    }

    /// A number of each image at each of its positions, 0 in the gaps.
    pub fn spread(&self, numbers: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for (i, v) in numbers.iter().enumerate() {
            out[self.first(i)..][..self.windows].fill(*v);
        }
    }
}
