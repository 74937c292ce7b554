//! One time step of a recurrent layer after its products: gates, and their gradients, sample by sample.

use super::elementary::{Elementary, logistic_in_place, tanh_in_place};
use crate::isa::multiversion;
use crate::memory;
use crate::parallel;

/// What a step computes from `x = W_ih x_t + b_ih` and `a = W_hh h + b_hh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// `h' = tanh(x + a)`.
    Tanh,
    /// `h' = max(x + a, 0)`.
    Relu,
    /// Gates i, f, g, o: `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(c')` (Hochreiter, Schmidhuber 1997; Gers et al. 2000).
    Lstm,
    /// Gates r, z, n: `n = tanh(x_n + σ(r) a_n)`, `h' = (1 - σ(z)) n + σ(z) h` (Cho et al. 2014, as in torch).
    Gru,
}

impl Cell {
    /// Gates: rows of the weights over the width of the state.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// Numbers kept for backward, over the width of the state: i, f, g, o, or r, z, n and a_n.
    pub const fn kept(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 0,
            Cell::Lstm | Cell::Gru => 4,
        }
    }
}

/// What a forward step reads and writes; samples lie one after another.
pub struct Forward<'a, T> {
    /// Products of the inputs (n, gates · width).
    pub x: &'a [T],
    /// Products of the state (n, gates · width).
    pub a: &'a [T],
    /// Receives what backward reads (n, kept · width).
    pub kept: &'a mut [T],
    /// The state (n, width), replaced.
    pub h: &'a mut [T],
    /// The cells of an LSTM (n, width), replaced; else empty.
    pub c: &'a mut [T],
}

/// What a backward step reads and writes.
pub struct Backward<'a, T> {
    /// What forward kept (n, kept · width).
    pub kept: &'a [T],
    /// The state before the step (n, width).
    pub before: &'a [T],
    /// The state after it (n, width).
    pub after: &'a [T],
    /// Cells before and after it (n, width); empty but for an LSTM.
    pub cells: [&'a [T]; 2],
    /// Gradient of the state after the step (n, width); replaced by that part of the one before that needs no product.
    pub dh: &'a mut [T],
    /// Gradient of the cells after the step (n, width), replaced by that before; empty but for an LSTM.
    pub dc: &'a mut [T],
    /// Receives the gradient of the products of the inputs (n, gates · width).
    pub dx: &'a mut [T],
    /// Receives that of the products of the state where it differs, in a GRU; else empty.
    pub da: &'a mut [T],
}

/// Numbers below which a step runs on one thread.
const WORTH_SHARING: usize = 1 << 15;
/// Samples of a piece.
const PIECE: usize = 16;

/// Runs `task` on every item, on this thread if there is little to do.
fn each<I: Send>(items: &mut [I], numbers: usize, task: impl Fn(&mut I) + Sync + Send) {
    if numbers < WORTH_SHARING {
        items.iter_mut().for_each(task);
    } else {
        parallel::for_each_mut(items, |_, item| task(item));
    }
}

/// Pieces of samples of `width` numbers each; endlessly many empty ones if there are none.
fn pieces<T>(data: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    data.chunks((PIECE * width).max(1)).chain(std::iter::repeat_n(&[][..], if data.is_empty() { usize::MAX } else { 0 }))
}

fn pieces_mut<T>(data: &mut [T], width: usize) -> impl Iterator<Item = &mut [T]> {
    let empty = if data.is_empty() { usize::MAX } else { 0 };
    data.chunks_mut((PIECE * width).max(1)).chain((0..empty).map(|_| &mut [][..]))
}

/// A forward step of states of `width` numbers.
pub fn forward<T: Elementary>(cell: Cell, width: usize, step: Forward<'_, T>) {
    let (gates, kept) = (cell.gates() * width, cell.kept() * width);
    let numbers = step.x.len();
    if step.h.is_empty() {
        return; // no sample
    }
    let items = pieces_mut(step.h, width)
        .zip(pieces_mut(step.c, width))
        .zip(pieces_mut(step.kept, kept))
        .zip(pieces(step.x, gates).zip(pieces(step.a, gates)))
        .map(|(((h, c), kept), (x, a))| Forward { x, a, kept, h, c });
    let mut items = memory::collect(items);
    each(&mut items, numbers, |step| forward_piece(cell, width, step));
}

multiversion! {
    /// [`forward`] of the samples of a piece.
    fn forward_piece[T: Elementary](cell: Cell, width: usize, s: &mut Forward<'_, T>) {
        let (gates, kept) = (cell.gates() * width, cell.kept() * width);
        for n in 0..s.h.len() / width {
            let (x, a) = (&s.x[n * gates..][..gates], &s.a[n * gates..][..gates]);
            let h = &mut s.h[n * width..][..width];
            let kept = &mut s.kept[n * kept..][..kept];
            match cell {
                Cell::Tanh => {
                    h.iter_mut().zip(x.iter().zip(a)).for_each(|(h, (x, a))| *h = *x + *a);
                    tanh_in_place(h);
                }
                Cell::Relu => h.iter_mut().zip(x.iter().zip(a)).for_each(|(h, (x, a))| {
                    let sum = *x + *a;
                    *h = if sum < T::zero() { T::zero() } else { sum };
                }),
                Cell::Lstm => {
                    kept.iter_mut().zip(x.iter().zip(a)).for_each(|(k, (x, a))| *k = *x + *a);
                    logistic_in_place(&mut kept[..2 * width]);
                    tanh_in_place(&mut kept[2 * width..3 * width]);
                    logistic_in_place(&mut kept[3 * width..]);
                    let c = &mut s.c[n * width..][..width];
                    let (i, f, g) = (&kept[..width], &kept[width..][..width], &kept[2 * width..][..width]);
                    for k in 0..width {
                        c[k] = f[k] * c[k] + i[k] * g[k];
                    }
                    h.copy_from_slice(c);
                    tanh_in_place(h);
                    h.iter_mut().zip(&kept[3 * width..]).for_each(|(h, o)| *h = *h * *o);
                }
                Cell::Gru => {
                    let (rz, rest) = kept.split_at_mut(2 * width);
                    let (new, own) = rest.split_at_mut(width);
                    rz.iter_mut().zip(x.iter().zip(a)).for_each(|(k, (x, a))| *k = *x + *a);
                    logistic_in_place(rz);
                    own.copy_from_slice(&a[2 * width..]);
                    let (r, z, x) = (&rz[..width], &rz[width..][..width], &x[2 * width..][..width]);
                    let (new, own) = (&mut new[..width], &own[..width]);
                    for k in 0..width {
                        new[k] = x[k] + r[k] * own[k];
                    }
                    tanh_in_place(new);
                    for k in 0..width {
                        h[k] = new[k] + z[k] * (h[k] - new[k]);
                    }
                }
            }
        }
    }
}

/// A backward step of states of `width` numbers.
pub fn backward<T: Elementary>(cell: Cell, width: usize, step: Backward<'_, T>) {
    let (gates, kept) = (cell.gates() * width, cell.kept() * width);
    let numbers = step.dx.len();
    if step.dh.is_empty() {
        return;
    }
    let reads = pieces(step.kept, kept).zip(pieces(step.before, width)).zip(pieces(step.after, width));
    let cells = pieces(step.cells[0], width).zip(pieces(step.cells[1], width));
    let items = pieces_mut(step.dh, width)
        .zip(pieces_mut(step.dc, width))
        .zip(pieces_mut(step.dx, gates).zip(pieces_mut(step.da, gates)))
        .zip(reads.zip(cells))
        .map(|(((dh, dc), (dx, da)), (((kept, before), after), (c0, c1)))| Backward {
            kept,
            before,
            after,
            cells: [c0, c1],
            dh,
            dc,
            dx,
            da,
        });
    let mut items = memory::collect(items);
    each(&mut items, numbers, |step| backward_piece(cell, width, step));
}

multiversion! {
    /// [`backward`] of the samples of a piece.
    fn backward_piece[T: Elementary](cell: Cell, width: usize, s: &mut Backward<'_, T>) {
        let (gates, kept) = (cell.gates() * width, cell.kept() * width);
        let one = T::one();
        for n in 0..s.dh.len() / width {
            let row = n * width..(n + 1) * width;
            let (dh, dx) = (&mut s.dh[row.clone()], &mut s.dx[n * gates..][..gates]);
            let kept = &s.kept[n * kept..][..kept];
            match cell {
                Cell::Tanh | Cell::Relu => {
                    for ((d, dh), y) in dx.iter_mut().zip(dh).zip(&s.after[row]) {
                        let slope = match cell {
                            Cell::Tanh => one - *y * *y,
                            _ => {
                                if *y > T::zero() {
                                    one
                                } else {
                                    T::zero()
                                }
                            }
                        };
                        *d = *dh * slope;
                        *dh = T::zero();
                    }
                }
                Cell::Lstm => {
                    let (i, f) = (&kept[..width], &kept[width..][..width]);
                    let (g, o) = (&kept[2 * width..][..width], &kept[3 * width..][..width]);
                    let dh = &mut dh[..width];
                    let (before, after, dc) = (&s.cells[0][row.clone()], &s.cells[1][row.clone()], &mut s.dc[row]);
                    let (di, rest) = dx.split_at_mut(width);
                    let (df, rest) = rest.split_at_mut(width);
                    let (dg, d_o) = rest.split_at_mut(width);
                    let (before, dc, d_o) = (&before[..width], &mut dc[..width], &mut d_o[..width]);
                    d_o.copy_from_slice(after);
                    tanh_in_place(d_o);
                    // A loop for each result: the compiler vectorises no loop that writes to six slices.
                    for k in 0..width {
                        dc[k] += dh[k] * o[k] * (one - d_o[k] * d_o[k]);
                    }
                    for k in 0..width {
                        d_o[k] = dh[k] * d_o[k] * o[k] * (one - o[k]);
                    }
                    for k in 0..width {
                        di[k] = dc[k] * g[k] * i[k] * (one - i[k]);
                    }
                    for k in 0..width {
                        df[k] = dc[k] * before[k] * f[k] * (one - f[k]);
                    }
                    for k in 0..width {
                        dg[k] = dc[k] * i[k] * (one - g[k] * g[k]);
                    }
                    for k in 0..width {
                        dc[k] = dc[k] * f[k];
                    }
                    dh.fill(T::zero());
                }
                Cell::Gru => {
                    let (r, z) = (&kept[..width], &kept[width..][..width]);
                    let (new, own) = (&kept[2 * width..][..width], &kept[3 * width..][..width]);
                    let (before, dh, da) = (&s.before[row][..width], &mut dh[..width], &mut s.da[n * gates..][..gates]);
                    let (dr, rest) = dx.split_at_mut(width);
                    let (dz, d_new) = rest.split_at_mut(width);
                    let (d_new, d_own) = (&mut d_new[..width], &mut da[2 * width..][..width]);
                    for k in 0..width {
                        d_new[k] = dh[k] * (one - z[k]) * (one - new[k] * new[k]);
                    }
                    for k in 0..width {
                        dr[k] = d_new[k] * own[k] * r[k] * (one - r[k]);
                    }
                    for k in 0..width {
                        dz[k] = dh[k] * (before[k] - new[k]) * z[k] * (one - z[k]);
                    }
                    for k in 0..width {
                        d_own[k] = d_new[k] * r[k];
                    }
                    for k in 0..width {
                        dh[k] = dh[k] * z[k];
                    }
                    da[..2 * width].copy_from_slice(&dx[..2 * width]);
                }
            }
        }
    }
}
