//! Runs of one channel, and rows of one number a channel, for batch norm. Sums are in double precision and in an order of their own, the same
//! on every instruction set.

use super::lane_sum::fold;
use crate::dtype::Float;
use crate::isa::multiversion;

/// Sums that run side by side: with fewer, the compiler unrolls loops over them into single numbers.
const LANES: usize = 32;

/// What is subtracted from the numbers of a channel: its mean in two parts, so that no digits are lost where it is large.
#[derive(Clone, Copy)]
pub(crate) struct Centre<T> {
    pub mean: T,
    pub rest: T,
}

impl<T: Float> Centre<T> {
    #[inline(always)]
    fn of(self, x: T) -> T {
        x - self.mean - self.rest
    }
}

multiversion! {
    /// Sums of `x - pilot` and of its square.
    pub(crate) fn moments[T: Float](x: &[T], pilot: f64) -> [f64; 2] {
        let (mut sum, mut square) = ([0.0f64; LANES], [0.0f64; LANES]);
        let (whole, rest) = x.as_chunks::<LANES>();
        for x in whole {
            for i in 0..LANES {
                let d = x[i].wide() - pilot;
                sum[i] += d;
                square[i] += d * d;
            }
        }
        for (i, x) in rest.iter().enumerate() {
            let d = x.wide() - pilot;
            sum[i] += d;
            square[i] += d * d;
        }
        [fold(sum, |a, b| a + b), fold(square, |a, b| a + b)]
    }
}

multiversion! {
    /// Adds [`moments`] of every channel of `x` (rows, channels).
    pub(crate) fn moments_of_rows[T: Float](x: &[T], pilots: &[f64], sums: &mut [f64], squares: &mut [f64]) {
        let c = pilots.len();
        let (sums, squares) = (&mut sums[..c], &mut squares[..c]);
        for x in x.chunks_exact(c) {
            for i in 0..c {
                let d = x[i].wide() - pilots[i];
                sums[i] += d;
                squares[i] += d * d;
            }
        }
    }
}

multiversion! {
    /// Sums of `dy`, and of `dy` times the centred `x`.
    pub(crate) fn products[T: Float](dy: &[T], x: &[T], centre: Centre<T>) -> [f64; 2] {
        let (mut sum, mut product) = ([0.0f64; LANES], [0.0f64; LANES]);
        let ((whole, rest), (of_whole, of_rest)) = (dy.as_chunks::<LANES>(), x.as_chunks::<LANES>());
        for (dy, x) in whole.iter().zip(of_whole) {
            for i in 0..LANES {
                sum[i] += dy[i].wide();
                product[i] += (dy[i] * centre.of(x[i])).wide();
            }
        }
        for (i, (dy, x)) in rest.iter().zip(of_rest).enumerate() {
            sum[i] += dy.wide();
            product[i] += (*dy * centre.of(*x)).wide();
        }
        [fold(sum, |a, b| a + b), fold(product, |a, b| a + b)]
    }
}

multiversion! {
    /// Adds [`products`] of every channel of `dy` and `x` (rows, channels).
    pub(crate) fn products_of_rows[T: Float](dy: &[T], x: &[T], mean: &[T], rest: &[T], sums: &mut [f64], products: &mut [f64]) {
        let c = mean.len();
        let (rest, sums, products) = (&rest[..c], &mut sums[..c], &mut products[..c]);
        for (dy, x) in dy.chunks_exact(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                sums[i] += dy[i].wide();
                products[i] += (dy[i] * Centre { mean: mean[i], rest: rest[i] }.of(x[i])).wide();
            }
        }
    }
}

multiversion! {
    /// `out`: the centred `x` times `gain`, plus `shift`.
    pub(crate) fn normalise[T: Float](x: &[T], centre: Centre<T>, gain: T, shift: T, out: &mut [T]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = centre.of(*x) * gain + shift;
        }
    }
}

multiversion! {
    /// [`normalise`] of every channel of `x` (rows, channels).
    pub(crate) fn normalise_rows[T: Float](x: &[T], mean: &[T], rest: &[T], gain: &[T], shift: &[T], out: &mut [T]) {
        let c = mean.len();
        let (rest, gain, shift) = (&rest[..c], &gain[..c], &shift[..c]);
        for (out, x) in out.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                out[i] = Centre { mean: mean[i], rest: rest[i] }.of(x[i]) * gain[i] + shift[i];
            }
        }
    }
}

/// What the gradient of a channel is made of: `gain (dy - level - slope · centred x)`.
#[derive(Clone, Copy)]
pub(crate) struct Slopes<T> {
    pub gain: T,
    pub level: T,
    pub slope: T,
}

impl<T: Float> Slopes<T> {
    #[inline(always)]
    fn of(self, dy: T, centred: T) -> T {
        self.gain * (dy - self.level - self.slope * centred)
    }
}

multiversion! {
    /// The gradient with respect to the `x` of one channel.
    pub(crate) fn gradient[T: Float](dy: &[T], x: &[T], centre: Centre<T>, slopes: Slopes<T>, out: &mut [T]) {
        for ((out, dy), x) in out.iter_mut().zip(dy).zip(x) {
            *out = slopes.of(*dy, centre.of(*x));
        }
    }
}

/// [`Centre`] and [`Slopes`] of all channels.
#[derive(Clone, Copy)]
pub(crate) struct OfChannels<'a, T> {
    pub mean: &'a [T],
    pub rest: &'a [T],
    pub gain: &'a [T],
    pub level: &'a [T],
    pub slope: &'a [T],
}

impl<T: Float> OfChannels<'_, T> {
    /// Those of channel `i`.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize) -> (Centre<T>, Slopes<T>) {
        let centre = Centre { mean: self.mean[i], rest: self.rest[i] };
        (centre, Slopes { gain: self.gain[i], level: self.level[i], slope: self.slope[i] })
    }
}

multiversion! {
    /// [`gradient`] of every channel of `dy` and `x` (rows, channels).
    pub(crate) fn gradient_rows[T: Float](dy: &[T], x: &[T], of: OfChannels<'_, T>, out: &mut [T]) {
        let c = of.mean.len();
        let of = OfChannels { mean: of.mean, rest: &of.rest[..c], gain: &of.gain[..c], level: &of.level[..c], slope: &of.slope[..c] };
        for ((out, dy), x) in out.chunks_exact_mut(c).zip(dy.chunks_exact(c)).zip(x.chunks_exact(c)) {
            for i in 0..c {
                let (centre, slopes) = of.at(i);
                out[i] = slopes.of(dy[i], centre.of(x[i]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_plain_loops() {
        for n in [1, 31, 32, 33, 100, 784] {
            let x: Vec<f32> = (0..n).map(|i| 1000.0 + (i as f32 * 0.37).sin()).collect();
            let dy: Vec<f32> = (0..n).map(|i| (i as f32 * 0.61).cos()).collect();
            let centre = Centre { mean: 1000.0f32, rest: 0.25 };
            let [sum, square] = moments(&x, 999.5);
            let plain = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * n as f64 * (1.0 + b.abs());
            assert!(close(sum, plain(&|i| f64::from(x[i]) - 999.5)) && close(square, plain(&|i| (f64::from(x[i]) - 999.5).powi(2))));
            let [total, product] = products(&dy, &x, centre);
            assert!(close(total, plain(&|i| f64::from(dy[i]))));
            assert!(close(product, plain(&|i| f64::from(dy[i] * (x[i] - 1000.0 - 0.25)))));
            // Rows of one channel are a run.
            let (mut sums, mut squares) = ([0.0], [0.0]);
            moments_of_rows(&x, &[999.5], &mut sums, &mut squares);
            assert!(close(sums[0], sum) && close(squares[0], square));
        }
    }

    #[test]
    fn rows_and_runs_give_the_same_numbers() {
        let (c, n) = (37, 5);
        let x: Vec<f32> = (0..c * n).map(|i| (i as f32 * 0.37).sin()).collect();
        let dy: Vec<f32> = (0..c * n).map(|i| (i as f32 * 0.61).cos()).collect();
        let of = |scale: f32| (0..c).map(|i| scale * (i as f32 + 0.5)).collect::<Vec<f32>>();
        let (mean, rest, gain, shift) = (of(0.01), of(1e-6), of(0.1), of(-0.2));
        let of = OfChannels { mean: &mean, rest: &rest, gain: &gain, level: &shift, slope: &mean };
        let (mut y, mut dx) = (vec![0.0; c * n], vec![0.0; c * n]);
        normalise_rows(&x, &mean, &rest, &gain, &shift, &mut y);
        gradient_rows(&dy, &x, of, &mut dx);
        for k in 0..c * n {
            let (i, (centre, slopes), mut one) = (k % c, of.at(k % c), [0.0]);
            normalise(&x[k..=k], centre, gain[i], shift[i], &mut one);
            assert!(one[0] == y[k]);
            gradient(&dy[k..=k], &x[k..=k], centre, slopes, &mut one);
            assert!(one[0] == dx[k]);
        }
    }
}
