//! The largest element of windows of two by two that lie side by side.
//!
//! Rows are joined first, into scratch memory without gaps, then neighbours: short rows would leave most of a vector empty.

use crate::dtype::Float;
use crate::isa::multiversion;

/// Elements that are compared side by side.
const LANES: usize = 16;
/// Windows of the planes that share scratch memory, about.
const TOGETHER: usize = 2048;

/// Planes of `size`, one after another, of which the first two by two `windows` elements are pooled.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    pub size: [usize; 2],
    /// Windows along both axes of a plane.
    pub windows: [usize; 2],
}

impl Planes {
    /// Windows of a plane.
    pub(crate) fn count(&self) -> usize {
        self.windows[0] * self.windows[1]
    }

    /// Elements of a plane.
    fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Planes that share scratch memory.
    fn together(&self) -> usize {
        TOGETHER.div_ceil(self.count().max(1))
    }
}

/// The larger of `first` and `second`, and whether it is the second: the first of equals; NaN is above everything, the last of several.
#[inline(always)]
fn larger<T: Float>(first: T, second: T) -> (T, bool) {
    let take = (second > first) | second.is_nan();
    (if take { second } else { first }, take)
}

/// The larger elements of two rows, and for each 1 where it is of the lower one, else 0; a vector at a time where there is room.
#[inline(always)]
fn join_rows<T: Float>(upper: &[T], lower: &[T], len: usize, values: &mut [T], below: &mut [T]) {
    for at in (0..len).step_by(LANES) {
        // What is beyond the row is written again by the next one.
        let room = (upper[at..].first_chunk::<LANES>(), lower[at..].first_chunk::<LANES>());
        let to = (values[at..].first_chunk_mut::<LANES>(), below[at..].first_chunk_mut::<LANES>());
        if let ((Some(upper), Some(lower)), (Some(values), Some(below))) = (room, to) {
            for i in 0..LANES {
                let take = (lower[i] > upper[i]) | lower[i].is_nan();
                values[i] = if take { lower[i] } else { upper[i] };
                below[i] = if take { T::one() } else { T::zero() };
            }
        } else {
            for i in at..len.min(at + LANES) {
                let (value, take) = larger(upper[i], lower[i]);
                values[i] = value;
                below[i] = if take { T::one() } else { T::zero() };
            }
        }
    }
}

/// The larger of two neighbours, and its place in its window: bit 0 is the column, bit 1 the row.
#[inline(always)]
fn join_columns<T: Float>([a, b]: [T; 2], [of_a, of_b]: [T; 2]) -> (T, u8) {
    // The second element of the upper row comes before the first of the lower one.
    let turned = of_a > of_b;
    let (take_a, take_b) = (larger(b, a).1, larger(a, b).1);
    let right = (turned & !take_a) | (!turned & take_b);
    let below = if right { of_b } else { of_a };
    (if right { b } else { a }, u8::from(right) + 2 * u8::from(below > T::zero()))
}

multiversion! {
    /// The largest elements of the windows of planes, and the place of each in its window: bit 0 is the column, bit 1 the row. The first of
    /// equals; NaN is above everything, the last of several.
    pub(crate) fn largest[T: Float](x: &[T], planes: Planes, values: &mut [T], places: &mut [u8]) {
        let ([_, w], [rows, cols]) = (planes.size, planes.windows);
        let (each, count) = (planes.together(), planes.count());
        let mut scratch = [0, 1].map(|_| crate::Buffer::dirty((2 * each * count + LANES) * size_of::<T>()));
        let [joined, below] = scratch.each_mut().map(|buffer| buffer.slice_mut::<T>());
        let pieces = values.chunks_mut(each * count).zip(places.chunks_mut(each * count));
        for ((values, places), x) in pieces.zip(x.chunks(each * planes.len())) {
            for row in 0..values.len() / cols {
                let at = row / rows * planes.len() + 2 * (row % rows) * w;
                let to = 2 * row * cols;
                join_rows(&x[at..], &x[at + w..], 2 * cols, &mut joined[to..], &mut below[to..]);
            }
            let pairs = joined.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
            for ((value, place), (pair, of_pair)) in values.iter_mut().zip(places).zip(pairs) {
                (*value, *place) = join_columns(*pair, *of_pair);
            }
        }
    }
}

/// The gradient of planes: each number of `dy` at its place in its window, zero elsewhere.
pub(crate) fn spread<T: Float>(dy: &[T], places: &[u8], planes: Planes, dx: &mut [T]) {
    let ([_, w], [_, cols], count) = (planes.size, planes.windows, planes.count());
    let pieces = dy.chunks_exact(count).zip(places.chunks_exact(count));
    for ((dy, places), dx) in pieces.zip(dx.chunks_exact_mut(planes.len())) {
        dx.fill(T::zero());
        for ((dy, places), dx) in dy.chunks_exact(cols).zip(places.chunks_exact(cols)).zip(dx.chunks_exact_mut(2 * w)) {
            for (c, (dy, place)) in dy.iter().zip(places).enumerate() {
                dx[2 * c + usize::from(place & 1) + usize::from(place >> 1) * w] = *dy;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    #[test]
    fn windows_are_those_of_plain_loops() {
        for (planes, size, windows) in
            [(1, [2, 2], [1, 1]), (3, [14, 14], [7, 7]), (5, [3, 5], [1, 2]), (40, [28, 28], [14, 14]), (2, [4, 67], [2, 33])]
        {
            let ([h, w], count) = (size, windows[0] * windows[1]);
            let mut x = vec![0.0f32; planes * h * w];
            Generator::new(3).stream().normal(&mut x);
            // Many equals, and some that are no number.
            x.iter_mut().enumerate().for_each(|(i, v)| *v = if i % 37 == 5 { f32::NAN } else { (*v * 2.0).round().max(0.0) });
            let shape = Planes { size, windows };
            let (mut values, mut places) = (vec![0.0; planes * count], vec![9; planes * count]);
            largest(&x, shape, &mut values, &mut places);
            let mut dx = vec![1.0; x.len()];
            let dy: Vec<f32> = (0..values.len()).map(|i| i as f32 + 1.0).collect();
            spread(&dy, &places, shape, &mut dx);
            let mut want = vec![0.0; x.len()];
            for i in 0..values.len() {
                let (p, r, c) = (i / count, i % count / windows[1], i % windows[1]);
                let element = |place: u8| p * h * w + (2 * r + usize::from(place / 2)) * w + 2 * c + usize::from(place % 2);
                let (mut best, mut at) = (x[element(0)], 0);
                for place in 1..4 {
                    let v = x[element(place)];
                    if v > best || v.is_nan() {
                        (best, at) = (v, place);
                    }
                }
                assert!(places[i] == at && values[i].to_bits() == best.to_bits(), "{size:?} {i}: {} {at}", places[i]);
                want[element(at)] = dy[i];
            }
            assert!(dx == want, "{size:?}");
        }
    }
}
