//! Attention of one matrix of queries in tiles: scores exist one tile at a time, with a running maximum and sum a query
//! (Milakov, Gimelshein 2018; Dao et al. 2022). Backward computes the tiles again from each query's log-sum of scores.

use super::elementary::Elementary;
use super::gemm::gemm;
use super::lane_sum::fold;
use super::matrix::{Destination, Matrix};
use super::small_product::small_product;
use crate::isa::multiversion;
use crate::kernel::noise::hash;
use crate::memory;

/// Queries of a tile.
pub const QUERIES: usize = 64;
/// Keys of a tile.
const KEYS: usize = 64;
/// Rows of a product that are computed at once: what none of them sees is left out.
const GROUP: usize = 8;
/// Scores of a row are computed in whole multiples of this.
const LANES: usize = 16;
/// Sides of the squares that are transposed in registers.
const SQUARE: usize = 4;

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

/// Memory for the tiles of one matrix after another.
pub struct Workspace<T> {
    scores: Vec<T>,
    gradients: Vec<T>,
    keys: Vec<T>,
    values: Vec<T>,
}

impl<T: Elementary> Workspace<T> {
    /// For results alone, of queries of a width.
    pub fn forward(width: usize) -> Workspace<T> {
        let zeros = |n| memory::filled(T::zero(), n);
        Workspace { scores: zeros(QUERIES * KEYS), gradients: Vec::new(), keys: zeros(width * KEYS), values: Vec::new() }
    }

    /// For gradients, of queries and values of their widths.
    pub fn backward(width: usize, of_values: usize) -> Workspace<T> {
        let zeros = |n| memory::filled(T::zero(), n);
        Workspace { gradients: zeros(QUERIES * KEYS), values: zeros(of_values * KEYS), ..Workspace::forward(width) }
    }
}

/// `c = a b`, or `c += a b`, of a group of rows; `size` as of [`gemm`].
fn product<T: Elementary>(size: (usize, usize, usize), a: Matrix<'_, T>, b: Matrix<'_, T>, mut c: Destination<'_, T>) {
    if !small_product(size, a, b, &mut c) {
        gemm(size, a, b, c);
    }
}

/// A tile of scores: `rows` queries from `i`, `cols` keys from `j`. Rows are [`KEYS`] apart in memory.
#[derive(Clone, Copy)]
struct Tile {
    i: usize,
    rows: usize,
    j: usize,
    cols: usize,
    causal: bool,
    past: usize,
}

impl Tile {
    /// Keys that the query of row `r` sees.
    #[inline(always)]
    fn seen(self, r: usize) -> usize {
        if self.causal { (self.past + self.i + r + 1).saturating_sub(self.j).min(self.cols) } else { self.cols }
    }

    /// Scores of row `r` that are computed: those of its group, in whole vectors. Beyond what the row sees they are of no meaning at
    /// first, then 0.
    #[inline(always)]
    fn reach(self, r: usize) -> usize {
        self.seen((r / GROUP * GROUP + GROUP - 1).min(self.rows - 1)).next_multiple_of(LANES)
    }

    /// The first row whose query sees key `c`.
    fn first_to_see(self, c: usize) -> usize {
        if self.causal { (self.j + c).saturating_sub(self.past + self.i).min(self.rows) } else { 0 }
    }

    /// `out (rows, reach) = a (rows, depth) b (depth, KEYS)`.
    fn multiply_into<T: Elementary>(self, depth: usize, a: Matrix<'_, T>, b: &[T], out: &mut [T]) {
        for r in (0..self.rows).step_by(GROUP) {
            let size = (GROUP.min(self.rows - r), self.reach(r), depth);
            product(size, a.below(r), Matrix::row_major(b, KEYS), Destination::new(&mut out[r * KEYS..], KEYS, false));
        }
    }

    /// `out (rows, width) += s (rows, cols) b (cols, width)`, rows of `out` `apart`; what a row does not see is 0.
    fn add_product<T: Elementary>(self, width: usize, s: &[T], b: Matrix<'_, T>, out: &mut [T], apart: usize) {
        for r in (0..self.rows).step_by(GROUP) {
            let rows = GROUP.min(self.rows - r);
            let size = (rows, width, self.seen(r + rows - 1));
            product(size, Matrix::row_major(&s[r * KEYS..], KEYS), b, Destination::new(&mut out[r * apart..], apart, true));
        }
    }

    /// `out (cols, width) += sᵀ (cols, rows) b (rows, width)`, rows of `out` `apart`.
    fn add_transposed_product<T: Elementary>(self, width: usize, s: &[T], b: Matrix<'_, T>, out: &mut [T], apart: usize) {
        for c in (0..self.cols).step_by(GROUP) {
            let first = self.first_to_see(c);
            let size = (GROUP.min(self.cols - c), width, self.rows - first);
            let s = Matrix { data: &s[(first * KEYS + c).min(s.len())..], rows: 1, cols: KEYS as isize };
            product(size, s, b.below(first), Destination::new(&mut out[c * apart..], apart, true));
        }
    }
}

multiversion! {
    /// `out (width, KEYS) = factor aᵀ`, of the `cols` rows of `a`.
    fn transpose[T: Elementary](cols: usize, width: usize, a: Matrix<'_, T>, factor: T, out: &mut [T]) {
        let (rows, apart) = (a.rows as usize, a.cols as usize);
        let mut done = 0; // keys of which whole squares have been written
        while apart == 1 && done + SQUARE <= cols {
            for (square, out) in out.chunks_exact_mut(SQUARE * KEYS).take(width / SQUARE).enumerate() {
                let mut from = [[T::zero(); SQUARE]; SQUARE];
                for (c, from) in from.iter_mut().enumerate() {
                    from.copy_from_slice(&a.data[(done + c) * rows + square * SQUARE..][..SQUARE]);
                }
                for (e, out) in out.chunks_exact_mut(KEYS).enumerate() {
                    for (c, out) in out[done..][..SQUARE].iter_mut().enumerate() {
                        *out = from[c][e] * factor;
                    }
                }
            }
            done += SQUARE;
        }
        for c in 0..cols {
            let first = if c < done { width / SQUARE * SQUARE } else { 0 };
            for e in first..width {
                out[e * KEYS + c] = a.data[c * rows + e * apart] * factor;
            }
        }
    }
}

/// Running softmax of the queries of a tile.
struct Running<T> {
    largest: [T; QUERIES],
    total: [T; QUERIES],
    /// What earlier results are to be multiplied by.
    carry: [T; QUERIES],
}

multiversion! {
    /// Scores of a tile to `e^(score - largest)`, 0 for unseen ones.
    fn exponentials[T: Elementary](tile: Tile, s: &mut [T], running: &mut Running<T>) {
        for r in 0..tile.rows {
            let (seen, row) = (tile.seen(r), &mut s[r * KEYS..][..tile.reach(r)]);
            row[seen..].fill(T::neg_infinity());
            let mut tops = [T::neg_infinity(); LANES];
            for chunk in row.as_chunks::<LANES>().0 {
                for l in 0..LANES {
                    tops[l] = if chunk[l] > tops[l] { chunk[l] } else { tops[l] };
                }
            }
            let before = running.largest[r];
            let top = before.max(fold(tops, |a, b| if b > a { b } else { a }));
            if top == T::neg_infinity() && row.iter().all(|s| *s == top) {
                row.fill(T::zero());
                running.carry[r] = T::one();
                continue;
            }
            let mut sums = [T::zero(); LANES];
            for chunk in row.as_chunks_mut::<LANES>().0 {
                for l in 0..LANES {
                    chunk[l] = (chunk[l] - top).fast_exp();
                    sums[l] += chunk[l];
                }
            }
            running.carry[r] = (before - top).exp();
            running.total[r] = running.total[r] * running.carry[r] + fold(sums, |a, b| a + b);
            running.largest[r] = top;
        }
    }
}

multiversion! {
    /// Scores of a tile to probabilities, given the log-sums of its queries; 0 for unseen ones, whose gradients become 0, too.
    fn probabilities[T: Elementary](tile: Tile, s: &mut [T], gradients: &mut [T], sums: &[T]) {
        for r in 0..tile.rows {
            let (seen, reach) = (tile.seen(r), tile.reach(r));
            let row = &mut s[r * KEYS..][..reach];
            row[seen..].fill(T::neg_infinity());
            for chunk in row.as_chunks_mut::<LANES>().0 {
                for s in chunk {
                    *s = (*s - sums[r]).fast_exp();
                }
            }
            gradients[r * KEYS..][seen..reach].fill(T::zero());
        }
    }
}

multiversion! {
    /// Gradients of the probabilities `p` to those of the scores, times `factor`; `shared` is Σ p dp of each query.
    fn of_scores[T: Elementary](tile: Tile, p: &[T], gradients: &mut [T], shared: &[T], factor: T) {
        for r in 0..tile.rows {
            let reach = tile.reach(r);
            let (p, gradients) = (&p[r * KEYS..][..reach], &mut gradients[r * KEYS..][..reach]);
            for (p, g) in p.as_chunks::<LANES>().0.iter().zip(gradients.as_chunks_mut::<LANES>().0) {
                for l in 0..LANES {
                    g[l] = p[l] * (g[l] - shared[r]) * factor;
                }
            }
        }
    }
}

multiversion! {
    /// Dot products of the rows of two matrices.
    fn row_dots[T: Elementary](a: Matrix<'_, T>, b: Matrix<'_, T>, n: usize, out: &mut [T]) {
        for (r, out) in out.iter_mut().enumerate() {
            let (a, b) = (&a.data[r * a.rows as usize..][..n], &b.data[r * b.rows as usize..][..n]);
            let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
            let mut sums = [T::zero(); LANES];
            for (a, b) in a.iter().zip(b) {
                for l in 0..LANES {
                    sums[l] += a[l] * b[l];
                }
            }
            let rest = rest_a.iter().zip(rest_b).fold(T::zero(), |sum, (a, b)| sum + *a * *b);
            *out = fold(sums, |a, b| a + b) + rest;
        }
    }
}

impl<T: Elementary> Attention<'_, T> {
    /// The tiles of the queries from `i`.
    fn tiles(&self, i: usize) -> impl Iterator<Item = Tile> + use<T> {
        let ([queries, keys, ..], causal, past) = (self.size, self.causal, self.past);
        let rows = QUERIES.min(queries - i);
        let reach = if causal { keys.min(past + i + rows) } else { keys };
        (0..reach).step_by(KEYS).map(move |j| Tile { i, rows, j, cols: KEYS.min(reach - j), causal, past })
    }

    /// Scores of a tile. `keys` has room for those of the tile.
    fn scores(&self, tile: Tile, keys: &mut [T], s: &mut [T]) {
        let Tile { i, rows, j, cols, .. } = tile;
        transpose(cols, self.size[2], self.k.below(j), self.scale, keys);
        tile.multiply_into(self.size[2], self.q.below(i), keys, s);
        let Some(mask) = self.mask else { return };
        for (r, row) in s.chunks_mut(KEYS).take(rows).enumerate() {
            let from = ((i + r) as isize * mask.rows + j as isize * mask.cols) as usize;
            let row = &mut row[..tile.seen(r)];
            row.iter_mut().enumerate().for_each(|(c, s)| *s += mask.data[from + c * mask.cols as usize]);
        }
    }

    /// Results of the queries from `first` into `out`, rows `width` apart and zero at first, and `ln Σ e^score` of each query
    /// into `sums`, infinite where no key is seen: the result is 0 there.
    pub fn forward(&self, first: usize, out: &mut [T], width: usize, sums: &mut [T], space: &mut Workspace<T>) {
        let of_values = self.size[3];
        let Workspace { scores: s, keys, .. } = space;
        let mut running = Running { largest: [T::neg_infinity(); QUERIES], total: [T::zero(); QUERIES], carry: [T::zero(); QUERIES] };
        for tile in self.tiles(first) {
            self.scores(tile, keys, s);
            exponentials(tile, s, &mut running);
            for (r, row) in s.chunks_mut(KEYS).take(tile.rows).enumerate() {
                if running.carry[r] != T::one() && tile.j > 0 {
                    out[r * width..][..of_values].iter_mut().for_each(|o| *o = *o * running.carry[r]);
                }
                if let Some(dropped) = self.dropped {
                    dropped.apply(&mut row[..tile.seen(r)], first + r, tile.j);
                }
            }
            tile.add_product(of_values, s, self.v.below(tile.j), out, width);
        }
        for (r, sum) in sums.iter_mut().enumerate() {
            let (largest, total) = (running.largest[r], running.total[r]);
            let seen = total > T::zero() || total.is_nan();
            *sum = if seen { largest + total.ln() } else { T::infinity() };
            let share = if seen { total.recip() } else { T::zero() };
            out[r * width..][..of_values].iter_mut().for_each(|o| *o = *o * share);
        }
    }

    /// Adds the gradients to `targets`, and those of the scores to `scores` (queries, keys) if asked for. `out` and `dy` are
    /// forward's result and its gradient by rows, `sums` is what forward left there.
    pub fn backward(
        &self,
        [out, dy]: [Matrix<'_, T>; 2],
        sums: &[T],
        targets: &mut Targets<'_, T>,
        mut scores: Option<&mut [T]>,
        space: &mut Workspace<T>,
    ) {
        let [queries, keys, width, of_values] = self.size;
        let Targets { parts, places: [to_q, to_k, to_v] } = targets;
        let Workspace { scores: p, gradients: dp, keys: keys_t, values: values_t } = space;
        for first in (0..queries).step_by(QUERIES) {
            let rows = QUERIES.min(queries - first);
            // Σ_k p_k dp_k of each query is that of its result's elements.
            let mut shared = [T::zero(); QUERIES];
            row_dots(out.below(first), dy.below(first), of_values, &mut shared[..rows]);
            let (upstream, sums) = (dy.below(first), &sums[first..first + rows]);
            for tile in self.tiles(first) {
                let Tile { j, cols, .. } = tile;
                self.scores(tile, keys_t, p);
                transpose(cols, of_values, self.v.below(j), T::one(), values_t);
                tile.multiply_into(of_values, upstream, values_t, dp);
                probabilities(tile, p, dp, sums);
                let each_row = |of: &mut [T], work: &mut dyn FnMut(usize, &mut [T])| {
                    of.chunks_mut(KEYS).take(rows).enumerate().for_each(|(r, row)| work(r, &mut row[..tile.seen(r)]));
                };
                if let Some(dropped) = self.dropped {
                    each_row(dp, &mut |r, row| dropped.apply(row, first + r, j));
                }
                match &mut scores {
                    None => of_scores(tile, p, dp, &shared, self.scale),
                    Some(scores) => {
                        of_scores(tile, p, dp, &shared, T::one());
                        each_row(dp, &mut |r, row| scores[(first + r) * keys + j..][..row.len()].copy_from_slice(row));
                        dp.iter_mut().for_each(|d| *d = *d * self.scale);
                    }
                }
                if let Some(dropped) = self.dropped {
                    each_row(p, &mut |r, row| dropped.apply(row, first + r, j));
                }
                let (part, at, apart) = *to_v;
                tile.add_transposed_product(of_values, p, upstream, &mut parts[part][at + j * apart..], apart);
                let (part, at, apart) = *to_q;
                tile.add_product(width, dp, self.k.below(j), &mut parts[part][at + first * apart..], apart);
                let (part, at, apart) = *to_k;
                tile.add_transposed_product(width, dp, self.q.below(first), &mut parts[part][at + j * apart..], apart);
            }
        }
    }
}
