//! Attention of one matrix of queries in tiles: scores exist one tile at a time, with a running maximum and sum a query
//! (Milakov, Gimelshein 2018; Dao et al. 2022). Backward computes the tiles again from each query's log-sum of scores.

use super::elementary::{self, Elementary, exp_minus};
use super::gemm::gemm;
use super::matrix::{Destination, Matrix};
use crate::kernel::noise::hash;
use crate::memory;

/// Queries of a tile.
pub const QUERIES: usize = 64;
/// Keys of a tile.
const KEYS: usize = 64;

/// Scores dropped at random: the same ones whenever asked, from a hash of matrix, query and key.
#[derive(Clone, Copy)]
pub struct Dropped {
    /// Share of scores dropped, below 1.
    pub p: f64,
    /// Seed of this call.
    pub seed: u32,
}

impl Dropped {
    /// Those of matrix `i` of a batch.
    pub fn of_matrix(self, i: usize) -> Dropped {
        Dropped { seed: hash(i as u32, self.seed), ..self }
    }

    /// Sets dropped elements of a row of probabilities to 0 and scales the others.
    fn apply<T: Elementary>(self, row: &mut [T], query: usize, first_key: usize) {
        let stream = hash(query as u32, self.seed);
        let (below, scale) = ((self.p * 2f64.powi(32)) as u64, T::of(1.0 / (1.0 - self.p)));
        for (k, x) in row.iter_mut().enumerate() {
            *x = if u64::from(hash((first_key + k) as u32, stream)) < below { T::zero() } else { *x * scale };
        }
    }
}

/// One matrix of queries with its keys and values.
#[derive(Clone, Copy)]
pub struct Attention<'a, T> {
    /// (queries, width)
    pub q: Matrix<'a, T>,
    /// (keys, width)
    pub k: Matrix<'a, T>,
    /// (keys, width of values)
    pub v: Matrix<'a, T>,
    /// Added to the scores: (queries, keys).
    pub mask: Option<Matrix<'a, T>>,
    /// Numbers of queries, of keys, and widths of both and of values.
    pub size: [usize; 4],
    /// Whether query i sees keys 0 to `past + i` only.
    pub causal: bool,
    /// Keys before that of the first query.
    pub past: usize,
    /// Factor of the products of queries and keys.
    pub scale: T,
    /// Dropout of the probabilities.
    pub dropped: Option<Dropped>,
}

/// Where gradients of queries, keys and values go: part, position of the first element in it, distance of rows.
pub struct Targets<'a, T> {
    /// Memory, zero at first.
    pub parts: Vec<&'a mut [T]>,
    /// For queries, keys and values.
    pub places: [(usize, usize, usize); 3],
}

/// A tile of scores: `rows` queries from `i`, `cols` keys from `j`.
#[derive(Clone, Copy)]
struct Tile {
    i: usize,
    rows: usize,
    j: usize,
    cols: usize,
}

impl<T: Elementary> Attention<'_, T> {
    /// The tiles of the queries from `i`.
    fn tiles(&self, i: usize) -> impl Iterator<Item = Tile> + use<T> {
        let [queries, keys, ..] = self.size;
        let rows = QUERIES.min(queries - i);
        let reach = if self.causal { keys.min(self.past + i + rows) } else { keys };
        (0..reach).step_by(KEYS).map(move |j| Tile { i, rows, j, cols: KEYS.min(reach - j) })
    }

    /// Keys of the tile that query `i` sees.
    fn seen(&self, i: usize, tile: Tile) -> usize {
        if self.causal { (self.past + i + 1).saturating_sub(tile.j).min(tile.cols) } else { tile.cols }
    }

    /// Scores of a tile, rows `KEYS` apart; those of unseen keys are of no meaning.
    fn scores(&self, tile: Tile, s: &mut [T]) {
        let Tile { i, rows, j, cols } = tile;
        gemm((rows, cols, self.size[2]), self.q.below(i), self.k.below(j).t(), Destination::new(s, KEYS, false));
        for (r, row) in s.chunks_mut(KEYS).take(rows).enumerate() {
            let row = &mut row[..cols];
            row.iter_mut().for_each(|s| *s = *s * self.scale);
            if let Some(mask) = self.mask {
                let from = ((i + r) as isize * mask.rows + j as isize * mask.cols) as usize;
                if mask.cols == 1 {
                    row.iter_mut().zip(&mask.data[from..]).for_each(|(s, m)| *s += *m);
                } else {
                    row.iter_mut().enumerate().for_each(|(c, s)| *s += mask.data[from + c * mask.cols as usize]);
                }
            }
        }
    }

    /// Results of the queries from `first` into `out`, rows `width` apart and zero at first, and `ln Σ e^score` of each query
    /// into `sums`, infinite where no key is seen: the result is 0 there.
    pub fn forward(&self, first: usize, out: &mut [T], width: usize, sums: &mut [T]) {
        let of_values = self.size[3];
        let mut s = memory::filled(T::zero(), QUERIES.min(self.size[0] - first) * KEYS);
        let mut largest = [T::neg_infinity(); QUERIES];
        let mut total = [T::zero(); QUERIES];
        for tile in self.tiles(first) {
            self.scores(tile, &mut s);
            for (r, row) in s.chunks_mut(KEYS).take(tile.rows).enumerate() {
                let seen = self.seen(first + r, tile);
                let (row, rest) = row[..tile.cols].split_at_mut(seen);
                rest.fill(T::zero());
                let top = largest[r].max(elementary::largest(row));
                if top == T::neg_infinity() && row.iter().all(|s| *s == top) {
                    row.fill(T::zero());
                    continue;
                }
                let sum = exp_minus(row, top);
                let carry = (largest[r] - top).exp();
                total[r] = total[r] * carry + sum;
                largest[r] = top;
                if carry != T::one() {
                    out[r * width..][..of_values].iter_mut().for_each(|o| *o = *o * carry);
                }
                if let Some(dropped) = self.dropped {
                    dropped.apply(row, first + r, tile.j);
                }
            }
            let p = Matrix::row_major(&s, KEYS);
            gemm((tile.rows, of_values, tile.cols), p, self.v.below(tile.j), Destination::new(&mut *out, width, true));
        }
        for (r, sum) in sums.iter_mut().enumerate() {
            let seen = total[r] > T::zero() || total[r].is_nan();
            *sum = if seen { largest[r] + total[r].ln() } else { T::infinity() };
            let share = if seen { total[r].recip() } else { T::zero() };
            out[r * width..][..of_values].iter_mut().for_each(|o| *o = *o * share);
        }
    }

    /// Adds the gradients to `targets`, and those of the scores to `scores` (queries, keys) if asked for. `out` and `dy` are
    /// forward's result and its gradient, `sums` is what forward left there.
    pub fn backward(&self, out: Matrix<'_, T>, dy: Matrix<'_, T>, sums: &[T], targets: &mut Targets<'_, T>, mut scores: Option<&mut [T]>) {
        let [queries, keys, width, of_values] = self.size;
        let Targets { parts, places: [to_q, to_k, to_v] } = targets;
        let mut p = memory::filled(T::zero(), QUERIES * KEYS);
        let mut dp = memory::filled(T::zero(), QUERIES * KEYS);
        for first in (0..queries).step_by(QUERIES) {
            let rows = QUERIES.min(queries - first);
            // Σ_k p_k dp_k of each query is that of its result's elements.
            let shared = memory::collect((first..first + rows).map(|i| dot(out.below(i), dy.below(i), of_values)));
            let upstream = dy.below(first);
            for tile in self.tiles(first) {
                let Tile { j, cols, .. } = tile;
                self.scores(tile, &mut p);
                gemm((rows, cols, of_values), upstream, self.v.below(j).t(), Destination::new(&mut dp, KEYS, false));
                for (r, (p, dp)) in p.chunks_mut(KEYS).zip(dp.chunks_mut(KEYS)).take(rows).enumerate() {
                    let seen = self.seen(first + r, tile);
                    exp_minus(&mut p[..seen], sums[first + r]);
                    p[seen..cols].fill(T::zero());
                    dp[seen..cols].fill(T::zero());
                    let (p, dp) = (&mut p[..seen], &mut dp[..seen]);
                    match self.dropped {
                        None => p.iter().zip(&mut *dp).for_each(|(p, dp)| *dp = *p * (*dp - shared[r])),
                        Some(dropped) => {
                            dropped.apply(dp, first + r, j);
                            p.iter().zip(&mut *dp).for_each(|(p, dp)| *dp = *p * (*dp - shared[r]));
                            dropped.apply(p, first + r, j);
                        }
                    }
                    if let Some(scores) = &mut scores {
                        let at = (first + r) * keys + j;
                        scores[at..at + seen].copy_from_slice(dp);
                    }
                    dp.iter_mut().for_each(|d| *d = *d * self.scale);
                }
                let mut add = |(part, at, apart): (usize, usize, usize), row: usize, rows: usize, cols, a, b, depth| {
                    gemm((rows, cols, depth), a, b, Destination::new(&mut parts[part][at + row * apart..], apart, true));
                };
                let (p, ds) = (Matrix::row_major(&p, KEYS), Matrix::row_major(&dp, KEYS));
                add(*to_v, j, cols, of_values, p.t(), upstream, rows);
                add(*to_q, first, rows, width, ds, self.k.below(j), cols);
                add(*to_k, j, cols, width, ds.t(), self.q.below(first), rows);
            }
        }
    }
}

fn dot<T: Elementary>(a: Matrix<'_, T>, b: Matrix<'_, T>, n: usize) -> T {
    (0..n).map(|i| a.data[i * a.cols as usize] * b.data[i * b.cols as usize]).sum()
}
