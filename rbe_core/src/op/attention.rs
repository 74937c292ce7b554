//! Scaled dot-product attention, which never holds more than a tile of the scores.

use super::apply::apply;
use super::matmul::Batch;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense, multiply_adds};
use super::table;
use crate::array::{Array, Dims, broadcast_shapes, map};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::kernel::dense::attention::{Attention, Dropped, QUERIES, Targets, Workspace};
use crate::kernel::dense::elementary::Elementary;
use crate::kernel::dense::matrix::Matrix;
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

const OP: &str = "scaled_dot_product_attention";
/// Multiplications below which handing over to other threads costs more than it saves.
const WORTH_SHARING: usize = 1 << 19;

/// Attributes of attention.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttentionOptions {
    /// Whether query i sees keys 0 to i only.
    pub causal: bool,
    /// Factor of the products, `1 / sqrt(width)` by default.
    pub scale: Option<f64>,
    /// Share of probabilities dropped.
    pub dropout: f64,
}

/// Options of a recorded call, with what its dropout is drawn from.
#[derive(Clone, Copy)]
pub(super) struct Call {
    options: AttentionOptions,
    seed: u32,
}

impl Call {
    /// A call without dropout.
    pub(super) fn plain(options: AttentionOptions) -> Call {
        Call { options, seed: 0 }
    }

    /// Runs `work` with a call of its own. If that fails no random numbers have been taken.
    fn with(options: AttentionOptions, work: impl FnOnce(Call) -> Result<RBETensor>) -> Result<RBETensor> {
        if !(0.0..=1.0).contains(&options.dropout) {
            return Err(RbeError::value(OP, "dropout_p in [0, 1]", options.dropout));
        }
        if options.dropout == 0.0 {
            return work(Call::plain(options));
        }
        let (stream, mut seed) = (crate::random::stream(), [0]);
        stream.words(&mut seed);
        work(Call { options, seed: seed[0] as u32 }).inspect_err(|_| crate::random::take_back(stream))
    }
}

/// Inputs: q (…, L, E), k (…, S, E), v (…, S, F), optional mask that broadcasts to (…, L, S). Result (…, L, F).
struct Separate(Call);

/// Inputs: queries, keys and values of all heads side by side, (…, L, 3 · heads · E), optional mask that broadcasts to
/// (…, heads, L, L). Result (…, L, heads · E).
struct Joined {
    call: Call,
    heads: usize,
}

/// Matrices of queries, keys and values. Results of `heads` of them lie side by side in the rows of one group.
pub(super) struct Problem {
    q: Batch,
    k: Batch,
    v: Batch,
    mask: Option<Batch>,
    size: [usize; 4],
    heads: usize,
    groups: usize,
    past: usize, // keys before that of the first query
    call: Call,
}

/// The mask as numbers to add: 0 and minus infinity for a bool one.
fn additive(mask: &Array, dtype: DType) -> Result<Array> {
    match mask.dtype() {
        DType::Bool => {
            dispatch_float!(OP, dtype, T => Ok(map(mask, |m: u8| if m != 0 { T::of(0.0) } else { T::of(f64::NEG_INFINITY) })))
        }
        DType::I64 | DType::U8 => Err(RbeError::dtype(OP, "attn_mask of bool, float32 or float64", mask.dtype())),
        _ => Ok(mask.cast(dtype)),
    }
}

impl Problem {
    /// Of arrays (…, heads, rows, width) of one float type.
    pub(super) fn new(q: &Array, k: &Array, v: &Array, mask: Option<&Array>, heads: usize, call: Call) -> Result<Problem> {
        let sizes = |a: &Array| if let [.., rows, width] = *a.shape() { Some((rows, width)) } else { None };
        let (Some((l, e)), Some((s, e_k)), Some((s_v, f))) = (sizes(q), sizes(k), sizes(v)) else {
            return Err(RbeError::shape(OP, "query, key and value of two or more axes", shapes(q, k, v)));
        };
        if e != e_k || s != s_v || e == 0 {
            return Err(RbeError::shape(OP, "query (…, L, E), key (…, S, E) and value (…, S, F)", shapes(q, k, v)));
        }
        let lead = |a: &Array| Dims::from_slice(&a.shape()[..a.ndim() - 2]);
        let batch = broadcast_shapes(OP, &broadcast_shapes(OP, &lead(q), &lead(k))?, &lead(v))?;
        let mask = match mask {
            None => None,
            Some(mask) => {
                let whole: Dims = batch.iter().copied().chain([l, s]).collect();
                if broadcast_shapes(OP, mask.shape(), &whole)? != whole {
                    return Err(RbeError::shape(OP, format!("attn_mask that broadcasts to {whole:?}"), format!("{:?}", mask.shape())));
                }
                let mask = additive(mask, q.dtype())?.broadcast_to(&whole)?;
                Some(Batch::new(&mask, &batch)?)
            }
        };
        let matrices: usize = batch.iter().product();
        let (q, k, v) = (Batch::new(q, &batch)?, Batch::new(k, &batch)?, Batch::new(v, &batch)?);
        Ok(Problem { q, k, v, mask, size: [l, s, e, f], heads, groups: matrices / heads.max(1), past: 0, call })
    }

    /// The same with `past` keys before that of the first query.
    pub(super) fn after(self, past: usize) -> Problem {
        Problem { past, ..self }
    }

    /// Shape of the batch.
    fn batch(&self) -> &[usize] {
        &self.q.array.shape()[..self.q.array.ndim() - 2]
    }

    /// Runs `task` on every item, on this thread if there is little to do.
    fn each<I: Send>(&self, items: &mut [I], task: impl Fn(usize, &mut I) + Sync + Send) {
        let [l, s, e, f] = self.size;
        if self.groups * self.heads * l * s * (e + f) < WORTH_SHARING {
            items.iter_mut().enumerate().for_each(|(i, item)| task(i, item));
        } else {
            parallel::for_each_mut(items, task);
        }
    }

    /// Calls `work` with what gives matrix `i`.
    fn with_matrices<T: Elementary, R>(&self, work: impl for<'a> FnOnce(&(dyn Fn(usize) -> Attention<'a, T> + Sync + 'a)) -> R) -> R {
        let (q, k, v) = (self.q.array.read_storage::<T>(), self.k.array.read_storage::<T>(), self.v.array.read_storage::<T>());
        let mask = self.mask.as_ref().map(|m| (m, m.array.read_storage::<T>()));
        let options = self.call.options;
        let scale = T::of(options.scale.unwrap_or(1.0 / (self.size[2] as f64).sqrt()));
        work(&|i| Attention {
            q: self.q.matrix(&q, i),
            k: self.k.matrix(&k, i),
            v: self.v.matrix(&v, i),
            mask: mask.as_ref().map(|(m, data)| m.matrix(data, i)),
            size: self.size,
            causal: options.causal,
            past: self.past,
            scale,
            dropped: (options.dropout > 0.0).then(|| Dropped { p: options.dropout, seed: self.call.seed }.of_matrix(i)),
        })
    }

    /// Result (groups, L, heads, F) and the log-sums of its scores (groups, L, heads).
    pub(super) fn forward<T: Elementary>(&self) -> (Array, Array) {
        let ([l, _, e, f], heads) = (self.size, self.heads);
        let (value, sums) = (Array::zeros(T::DTYPE, &[self.groups, l, heads, f]), Array::zeros(T::DTYPE, &[self.groups, l, heads]));
        self.with_matrices(|matrix| {
            let (mut out, mut sums) = (value.write::<T>(), sums.write::<T>());
            let mut items = memory::collect(pieces(&mut out, l, heads * f).zip(pieces(&mut sums, l, heads)));
            let tiles = l.div_ceil(QUERIES);
            self.each(&mut items, |i, (out, sums)| {
                let (group, first) = (i / tiles, i % tiles * QUERIES);
                let mut space = Workspace::forward(e);
                for head in 0..heads {
                    let mut own = [T::zero(); QUERIES];
                    let own = &mut own[..sums.len() / heads];
                    matrix(group * heads + head).forward(first, &mut out[head * f..], heads * f, own, &mut space);
                    sums.iter_mut().skip(head).step_by(heads).zip(own).for_each(|(to, sum)| *to = *sum);
                }
            });
        });
        (value, sums)
    }

    /// Fills the parts of `targets` of every group, and the gradients of the scores (groups, heads, L, S).
    fn backward<T: Elementary>(
        &self,
        cx: &Cx<'_>,
        parts: &[&Array],
        places: [(usize, usize, usize); 3],
        scores: Option<&Array>,
    ) -> Result<()> {
        let ([l, s, e, f], heads) = (self.size, self.heads);
        let (dy, out, sums) = (cx.dy().contiguous(), cx.output()?, cx.kept(0)?);
        let (dy, out, sums) = (dy.read::<T>(), out.read::<T>(), sums.read::<T>());
        let mut parts: Vec<_> = parts.iter().map(|a| (a.write::<T>(), a.numel() / self.groups.max(1))).collect();
        let mut scores = scores.map(|a| a.write::<T>());
        let mut items: Vec<Group<'_, T>> = memory::collect((0..self.groups).map(|_| (memory::with_capacity(parts.len()), None)));
        for (part, len) in &mut parts {
            items.iter_mut().zip(part.chunks_mut((*len).max(1))).for_each(|(item, piece)| item.0.push(piece));
        }
        if let Some(scores) = &mut scores {
            items.iter_mut().zip(scores.chunks_mut((heads * l * s).max(1))).for_each(|(item, piece)| item.1 = Some(piece));
        }
        if l == 0 || s == 0 || f == 0 {
            return Ok(()); // every gradient is empty or zero
        }
        self.with_matrices(|matrix| {
            self.each(&mut items, |group, (parts, scores)| {
                let mut targets = Targets { parts: std::mem::take(parts), places };
                let mut space = Workspace::backward(e, f);
                for head in 0..heads {
                    let from = (group * l * heads + head) * f;
                    let rows = |a| Matrix { data: a, rows: (heads * f) as isize, cols: 1 };
                    let sums = memory::collect(sums[group * l * heads..][..l * heads].iter().skip(head).step_by(heads).copied());
                    let scores = scores.as_mut().map(|s_| &mut s_[head * l * s..][..l * s]);
                    let of_head = [rows(&out[from..]), rows(&dy[from..])];
                    matrix(group * heads + head).backward(of_head, &sums, &mut targets, scores, &mut space);
                    targets.places.iter_mut().zip([self.size[2], self.size[2], f]).for_each(|(place, width)| place.1 += width);
                }
            });
        });
        Ok(())
    }

    /// Zeros for the gradients of the scores, in the shape of the whole mask, where input `i` wants its gradient.
    fn zero_scores(&self, cx: &Cx<'_>, i: usize) -> Option<Array> {
        let shape: Dims = self.batch().iter().copied().chain([self.size[0], self.size[1]]).collect();
        cx.needs(i).then(|| Array::zeros(cx.dy().dtype(), &shape))
    }
}

/// What one group's gradients are written to: its piece of every part, and of the gradients of the scores.
type Group<'a, T> = (Vec<&'a mut [T]>, Option<&'a mut [T]>);

fn shapes(q: &Array, k: &Array, v: &Array) -> String {
    format!("{:?}, {:?} and {:?}", q.shape(), k.shape(), v.shape())
}

/// Rows of `width` elements, `rows` to a group, cut into tiles of queries that do not cross groups.
fn pieces<T: Send>(data: &mut [T], rows: usize, width: usize) -> impl Iterator<Item = &mut [T]> {
    data.chunks_mut((rows * width).max(1)).flat_map(move |group| group.chunks_mut((QUERIES * width).max(1)))
}

impl Separate {
    fn problem(&self, q: &Array, k: &Array, v: &Array, mask: Option<&Array>, dtype: DType) -> Result<Problem> {
        Problem::new(&q.cast(dtype), &k.cast(dtype), &v.cast(dtype), mask, 1, self.0)
    }
}

impl Op for Separate {
    fn rule(&self) -> &Rule {
        &table::ATTENTION
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        let keys = x.shape(1).iter().rev().nth(1).map_or(1, |n| *n as u64);
        x.all_elements().saturating_add(multiply_adds(x.elements(0).saturating_mul(2 * keys)))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (q, k, v) = (x.array(0)?, x.array(1)?, x.array(2)?);
        let dtype = q.dtype().promote(k.dtype()).promote(v.dtype());
        let problem = self.problem(q, k, v, x.optional(3)?, dtype)?;
        let shape: Dims = problem.batch().iter().copied().chain([problem.size[0], problem.size[3]]).collect();
        dispatch_float!(OP, dtype, T => {
            let (value, sums) = problem.forward::<T>();
            Ok(Output::keeping(value.reshape_to(&shape)?, [sums]))
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mask = if cx.arity() > 3 { Some(cx.input(3)?) } else { None };
        let problem = self.problem(cx.input(0)?, cx.input(1)?, cx.input(2)?, mask, cx.dy().dtype())?;
        let [l, s, e, f] = problem.size;
        let zeros = |rows: usize, width: usize| {
            let shape: Dims = problem.batch().iter().copied().chain([rows, width]).collect();
            Array::zeros(cx.dy().dtype(), &shape)
        };
        let (dq, dk, dv, scores) = (zeros(l, e), zeros(s, e), zeros(s, f), problem.zero_scores(cx, 3));
        let places = [(0, 0, e), (1, 0, e), (2, 0, f)];
        dispatch_float!(OP, cx.dy().dtype(), T => problem.backward::<T>(cx, &[&dq, &dk, &dv], places, scores.as_ref()))?;
        let mut grads: Grads = [dq, dk, dv].into_iter().map(dense).collect();
        if cx.arity() > 3 {
            grads.push(scores.and_then(dense));
        }
        Ok(grads)
    }
}

/// Queries, keys and values (…, heads, L, E) of `x (…, L, 3 · heads · E)`.
pub(super) fn parts_of_heads(op: &'static str, x: &Array, heads: usize) -> Result<[Array; 3]> {
    let wrong = || RbeError::shape(op, format!("(…, L, width divisible by 3 · {heads} heads)"), format!("{:?}", x.shape()));
    let [lead @ .., l, width] = x.shape() else { return Err(wrong()) };
    if heads == 0 || *width == 0 || !width.is_multiple_of(3 * heads) {
        return Err(wrong());
    }
    let split: Dims = lead.iter().copied().chain([*l, 3, heads, width / 3 / heads]).collect();
    let split = x.reshape_to(&split)?;
    let part = |i: usize| split.select(lead.len() + 1, i)?.transpose(-2, -3);
    Ok([part(0)?, part(1)?, part(2)?])
}

impl Joined {
    fn problem(&self, x: &Array, mask: Option<&Array>) -> Result<Problem> {
        let [q, k, v] = parts_of_heads(OP, x, self.heads)?;
        Problem::new(&q, &k, &v, mask, self.heads, self.call)
    }
}

impl Op for Joined {
    fn rule(&self) -> &Rule {
        &table::SELF_ATTENTION
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        let length = x.shape(0).iter().rev().nth(1).map_or(1, |n| *n as u64);
        x.all_elements().saturating_add(multiply_adds(x.elements(0).saturating_mul(length)))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let problem = self.problem(a, x.optional(1)?)?;
        let mut shape = Dims::from_slice(a.shape());
        shape[a.ndim() - 1] /= 3;
        dispatch_float!(OP, a.dtype(), T => {
            let (value, sums) = problem.forward::<T>();
            Ok(Output::keeping(value.reshape_to(&shape)?, [sums]))
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mask = if cx.arity() > 1 { Some(cx.input(1)?) } else { None };
        let problem = self.problem(cx.input(0)?, mask)?;
        let (dx, scores) = (Array::zeros(cx.dy().dtype(), cx.shape(0)), problem.zero_scores(cx, 1));
        let across = problem.size[3] * self.heads;
        let places = [(0, 0, 3 * across), (0, across, 3 * across), (0, 2 * across, 3 * across)];
        dispatch_float!(OP, cx.dy().dtype(), T => problem.backward::<T>(cx, &[&dx], places, scores.as_ref()))?;
        let mut grads: Grads = [dense(dx)].into_iter().collect();
        if cx.arity() > 1 {
            grads.push(scores.and_then(dense));
        }
        Ok(grads)
    }
}

impl RBETensor {
    /// `softmax(scale · q kᵀ + mask) v` for queries (…, L, E), keys (…, S, E) and values (…, S, F): (…, L, F). The mask
    /// broadcasts to (…, L, S); a bool one tells which keys a query sees. A query that sees none gives 0.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit; `DType` for an integer mask; `Value` for a dropout outside `[0, 1]`.
    pub fn attention(&self, key: &RBETensor, value: &RBETensor, mask: Option<&RBETensor>, options: AttentionOptions) -> Result<RBETensor> {
        Call::with(options, |call| match mask {
            Some(mask) => apply(Separate(call), &[self, key, value, mask]),
            None => apply(Separate(call), &[self, key, value]),
        })
    }

    /// Attention of every head of a sequence to itself: queries, keys and values of all heads lie side by side in the last
    /// axis, (…, L, 3 · heads · E) to (…, L, heads · E). The mask broadcasts to (…, heads, L, L).
    ///
    /// # Errors
    /// As [`RBETensor::attention`].
    pub fn self_attention(&self, heads: usize, mask: Option<&RBETensor>, options: AttentionOptions) -> Result<RBETensor> {
        Call::with(options, |call| match mask {
            Some(mask) => apply(Joined { call, heads }, &[self, mask]),
            None => apply(Joined { call, heads }, &[self]),
        })
    }
}
