//! One row panel in plain loops: the twin of the vector kernels, and what the interaction option runs on.

use super::bounds::Pace;
use super::charge::{FULL_CHARGE, PARTS, discharge};
use super::level_parameters::{EPS, LARGEST, LONGEST, Rows};
use super::panel::{RowPanel, Sums, WeightStep};
use crate::disk;
use crate::kernel::noise::byte;
use crate::memory;
use crate::packed::{BITS, TILE_ROWS, pull_back};

/// Updates a row panel whose `G`, over its units, is `g (rows of the panel, blocks * 64)`.
pub(super) fn update(step: &WeightStep<'_>, panel: &mut RowPanel<'_>, g: &[f32]) -> Sums {
    let (w, p) = (step.w, step.p);
    let (cols, blocks) = (w.cols(), w.blocks());
    let width = blocks * BITS;
    let mut sums = Sums { flips: 0, columns: memory::zeros(cols), points: 0.0 };
    let (m, v) = (panel.m.as_chunks_mut().0.as_chunks_mut().0, panel.v.as_chunks_mut().0);
    for (r, row) in g.chunks_exact(width).enumerate() {
        let n = panel.first + r;
        let unit = step.source.unit(n);
        let mut square = 0.0;
        for (k, g) in row[..cols].iter().enumerate() {
            let gg = f64::from(unit * g) * f64::from(unit * g);
            square += gg;
            sums.columns[k] += gg;
        }
        panel.row_moment[r] = step.bounds.follow(panel.row_moment[r], square / cols as f64);
        for j in 0..blocks {
            let block = n * blocks + j;
            let (tile, lane) = (&mut panel.tiles[r / TILE_ROWS * blocks + j], r % TILE_ROWS);
            let z = [tile.z0[lane], tile.z1[lane]];
            let used = BITS.min(cols - j * BITS);
            let (hi, g) = (tile.hi(lane), &row[j * BITS..j * BITS + used]);
            let charges = &mut panel.charges[r * width + j * BITS..][..used];
            let (row_scale, col_scale) = (step.row_scale[n], &step.col_scale[j * BITS..]);
            let charged = ChargedBlock { g, unit, hi, z, row_scale, col_scale, lr: p.lr_hi, block, stream: step.stream };
            let flipped = charged.update(charges);
            sums.flips += u64::from(flipped.count_ones());
            tile.set_hi(lane, hi ^ flipped);

            let mut gv = [0.0f32; 2];
            g.iter().enumerate().for_each(|(k, g)| gv[(hi >> k & 1) as usize] += unit * g);
            if p.interaction != 0.0 {
                // Σ I_k over the flipped bits moves G_k from one level's sum to the other's.
                for (k, g) in g.iter().enumerate().filter(|(k, _)| flipped >> k & 1 == 1) {
                    let from = (hi >> k & 1) as usize;
                    gv[from] -= p.interaction * unit * g;
                    gv[1 - from] += p.interaction * unit * g;
                }
            }
            let at = r / TILE_ROWS * blocks + j;
            let moments = (&mut m[at], &mut v[at], lane);
            let (next, added) = point(z, pull_back(z, w.scale(), gv).map(f64::from), moments, &step.pace);
            tile.z0[lane] = next[0];
            tile.z1[lane] = next[1];
            sums.points += added;
        }
    }
    sums
}

/// One block of a row, with what its charges need.
struct ChargedBlock<'a> {
    /// G over `unit`.
    g: &'a [f32],
    unit: f32,
    hi: u64,
    z: [f32; 2],
    row_scale: f32,
    col_scale: &'a [f32],
    /// Rate of the charges.
    lr: f32,
    /// Number of the block, and seed of the random numbers of the step.
    block: usize,
    stream: u32,
}

impl ChargedBlock<'_> {
    /// Updates the charges; the bits to flip.
    fn update(&self, charges: &mut [u8]) -> u64 {
        // Levels share the order of the coordinates; sign(v_{1-b} - v_b) = up for b = 0, -up for b = 1.
        let up = if self.z[1] > self.z[0] {
            1.0
        } else if self.z[1] < self.z[0] {
            -1.0
        } else {
            0.0
        };
        let rate = self.lr * FULL_CHARGE * PARTS * up * self.row_scale * self.unit;
        let mut flipped = 0;
        for (k, (g, c)) in self.g.iter().zip(charges.iter_mut()).enumerate() {
            let sign = if self.hi >> k & 1 == 1 { -1.0 } else { 1.0 };
            let (next, flips) = discharge(*c, rate * sign * g * self.col_scale[k], byte(self.block, k, self.stream));
            *c = next;
            flipped |= u64::from(flips) << k;
        }
        flipped
    }
}

/// One step of Riemannian Adam (Bécigneul, Ganea 2019) from `z` with Euclidean gradient `g` and the moments of a row of a tile; the
/// new point, and the square that was added to the second moment. As [`super::level_parameters::adam_step`] has it.
pub(super) fn point(z: [f32; 2], g: [f64; 2], (m, v, row): (&mut [Rows; 2], &mut Rows, usize), pace: &Pace) -> ([f32; 2], f64) {
    let [b1, b2] = pace.betas;
    let z = z.map(f64::from);
    let bounded = |v: f64, most: f64| v.max(-most).min(most);
    let r = disk::egrad_to_rgrad(z, g.map(|g| bounded(g, LARGEST.into())));
    let square = disk::inner(z, r, r) * pace.gain * pace.gain;
    let most = (pace.most[0] * f64::from(v[row])).max(pace.most[1]);
    let added = square.min(most);
    let gain = pace.gain * if square > most { (most / square).sqrt() } else { 1.0 };
    let moment: [f64; 2] = std::array::from_fn(|a| b1 * f64::from(m[a][row]) + (1.0 - b1) * (r[a] * gain));
    let second = (b2 * f64::from(v[row]) + (1.0 - b2) * added).min(f32::MAX.into());
    let rate = -pace.lr / pace.corrections[0] / ((second / pace.corrections[1]).sqrt() + EPS);
    let longest = f64::from(LONGEST) / disk::conformal_factor(z);
    let next = disk::project(disk::exp(z, moment.map(|m| bounded(m * rate, longest)))).map(|c| c as f32);
    let moved = disk::transport(z, next.map(f64::from), moment).map(|m| bounded(m, LARGEST.into()));
    (m[0][row], m[1][row], v[row]) = (moved[0] as f32, moved[1] as f32, second as f32);
    (next, added)
}
