//! Random numbers: a seed and a count of streams, so that the state of the generator is two integers.
//!
//! Every request takes the next stream of ChaCha8; long requests are cut into fixed chunks, each at its own position
//! of the stream, so that results do not depend on the thread count.

use chacha20::ChaCha8Rng;
use parking_lot::Mutex;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::StandardNormal;

use crate::dtype::Float;
use crate::parallel;

/// A seed and the number of streams taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generator {
    seed: u64,
    taken: u64,
}

static GLOBAL: Mutex<Generator> = Mutex::new(Generator::new(0));

/// Numbers of one chunk.
const CHUNK: usize = 1 << 14;
/// 32-bit words reserved for one chunk: more than any chunk draws.
const CHUNK_WORDS: u128 = 1 << 20;

/// One stream of a generator.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    seed: u64,
    number: u64,
}

impl Generator {
    /// Generator of `seed`.
    pub const fn new(seed: u64) -> Generator {
        Generator { seed, taken: 0 }
    }

    /// Generator as it was when [`Generator::state`] gave this.
    pub const fn from_state(state: (u64, u64)) -> Generator {
        Generator { seed: state.0, taken: state.1 }
    }

    /// The seed and the number of streams taken.
    pub const fn state(&self) -> (u64, u64) {
        (self.seed, self.taken)
    }

    /// The next stream.
    pub fn stream(&mut self) -> Stream {
        let number = self.taken;
        self.taken = number.wrapping_add(1); // any state may have been set
        Stream { seed: self.seed, number }
    }
}

/// Seeds the generator of the process.
pub fn manual_seed(seed: u64) {
    *GLOBAL.lock() = Generator::new(seed);
}

/// State of the generator of the process.
pub fn state() -> (u64, u64) {
    GLOBAL.lock().state()
}

/// Puts the generator of the process into a state.
pub fn set_state(state: (u64, u64)) {
    *GLOBAL.lock() = Generator::from_state(state);
}

/// The next stream of the generator of the process.
pub fn stream() -> Stream {
    GLOBAL.lock().stream()
}

/// Takes back the stream that was taken last, if nobody has used it.
pub fn take_back(stream: Stream) {
    let mut global = GLOBAL.lock();
    if global.seed == stream.seed && global.taken == stream.number.wrapping_add(1) {
        global.taken = stream.number;
    }
}

impl Stream {
    fn rng(self, chunk: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.number);
        rng.set_word_pos(chunk as u128 * CHUNK_WORDS);
        rng
    }

    fn fill<T: Send>(self, out: &mut [T], draw: impl Fn(&mut ChaCha8Rng) -> T + Sync + Send) {
        parallel::for_each_piece(out, CHUNK, |chunk, piece| {
            let mut rng = self.rng(chunk);
            piece.iter_mut().for_each(|o| *o = draw(&mut rng));
        });
    }

    /// Uniform numbers in `[0, 1)`.
    pub fn uniform<T: Float>(self, out: &mut [T]) {
        if size_of::<T>() == 4 {
            self.fill(out, |rng| T::of(f64::from(rng.random::<f32>())));
        } else {
            self.fill(out, |rng| T::of(rng.random::<f64>()));
        }
    }

    /// Standard normal numbers.
    pub fn normal<T: Float>(self, out: &mut [T]) {
        self.fill(out, |rng| T::of(rng.sample::<f64, _>(StandardNormal)));
    }

    /// Integers in `[low, high)`, which must not be empty.
    pub fn integers(self, low: i64, high: i64, out: &mut [i64]) {
        self.fill(out, |rng| rng.random_range(low..high));
    }

    /// 1 with probability `p`, else 0.
    pub fn bernoulli(self, p: f64, out: &mut [u8]) {
        let below = (p * 2f64.powi(32)).round() as u64;
        self.fill(out, |rng| u8::from(u64::from(rng.next_u32()) < below));
    }

    /// Words of random bits.
    pub fn words(self, out: &mut [u64]) {
        self.fill(out, Rng::next_u64);
    }

    /// A random order of `0..out.len()`.
    pub fn permutation(self, out: &mut [i64]) {
        out.iter_mut().enumerate().for_each(|(i, o)| *o = i as i64);
        out.shuffle(&mut self.rng(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |g: &mut Generator| {
            let mut out = vec![0.0f64; 40_000];
            g.stream().normal(&mut out);
            out
        };
        let mut g = Generator::new(7);
        let (a, state, b) = (draw(&mut g), g.state(), draw(&mut g));
        assert_ne!(a, b);
        assert_eq!(b, draw(&mut Generator::from_state(state)));
        let mean = a.iter().sum::<f64>() / a.len() as f64;
        let var = a.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / a.len() as f64;
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.03, "{mean} {var}");
        assert_ne!(a[..CHUNK], a[CHUNK..2 * CHUNK]);
    }

    #[test]
    fn the_numbers_of_a_seed_stay_the_same() {
        let mut g = Generator::new(7);
        let mut integers = vec![0; CHUNK + 4];
        g.stream().integers(0, 1000, &mut integers);
        assert_eq!((&integers[..4], &integers[CHUNK..]), (&[157, 167, 704, 726][..], &[608, 508, 393, 679][..]));
        let mut normal = [0.0f64; 3];
        g.stream().normal(&mut normal);
        assert_eq!(normal, [1.026385675375612, -1.8126389963000868, 0.8288601889671354]);
    }

    #[test]
    fn draws_stay_in_range() {
        let mut g = Generator::new(1);
        let mut ints = vec![0; 1000];
        g.stream().integers(-3, 4, &mut ints);
        assert!((-3..4).all(|v| ints.contains(&v)) && ints.iter().all(|v| (-3..4).contains(v)));
        let mut bits = vec![0u8; 100_000];
        g.stream().bernoulli(0.25, &mut bits);
        let share = bits.iter().map(|b| f64::from(*b)).sum::<f64>() / 1e5;
        assert!((share - 0.25).abs() < 0.01);
        let mut order = [0; 50];
        g.stream().permutation(&mut order);
        order.sort_unstable();
        assert_eq!(order[..], (0..50).collect::<Vec<_>>());
    }
}
