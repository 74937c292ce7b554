//! Update rules of dense tensors, with torch's formulas.

use crate::dtype::Float;
use crate::isa::multiversion;
use crate::kernel::update::correction;
use crate::parallel;

/// How a dense tensor is updated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DenseRule {
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the previous velocity.
        momentum: f64,
        /// Share of the gradient that does not enter the velocity.
        dampening: f64,
        /// Look ahead along the velocity.
        nesterov: bool,
    },
    /// Adam (Kingma, Ba 2015), or AdamW (Loshchilov, Hutter 2019) with decoupled weight decay.
    Adam {
        /// Decays of the moments.
        betas: (f64, f64),
        /// Added to the root of the second moment.
        eps: f64,
        /// Weight decay shrinks the tensor instead of joining the gradient.
        decoupled: bool,
        /// The largest second moment so far stands for the second moment (Reddi, Kale, Kumar 2018).
        amsgrad: bool,
    },
    /// RMSprop (Hinton 2012).
    RmsProp {
        /// Decay of the second moment.
        alpha: f64,
        /// Added to the root of the second moment.
        eps: f64,
        /// Share of the previous velocity.
        momentum: f64,
        /// Subtract the squared mean from the second moment.
        centered: bool,
    },
    /// Adagrad (Duchi, Hazan, Singer 2011).
    Adagrad {
        /// Decay of the rate.
        lr_decay: f64,
        /// Added to the root of the sum of squares.
        eps: f64,
        /// First value of the sum of squares.
        initial: f64,
    },
    /// Lion (Chen et al. 2023).
    Lion {
        /// Shares of the momentum in the step and in its update.
        betas: (f64, f64),
    },
    /// Adadelta (Zeiler 2012).
    Adadelta {
        /// Decay of both sums of squares.
        rho: f64,
        /// Added to the sums before their roots are taken.
        eps: f64,
    },
    /// Adamax (Kingma, Ba 2015).
    Adamax {
        /// Decays of the first moment and of the largest gradient.
        betas: (f64, f64),
        /// Added to the magnitude of a gradient.
        eps: f64,
    },
    /// NAdam (Dozat 2016).
    NAdam {
        /// Decays of the moments.
        betas: (f64, f64),
        /// Added to the root of the second moment.
        eps: f64,
        /// How fast the momentum rises from half of its decay to all of it.
        momentum_decay: f64,
        /// Weight decay shrinks the tensor instead of joining the gradient.
        decoupled: bool,
    },
    /// RAdam (Liu et al. 2020).
    RAdam {
        /// Decays of the moments.
        betas: (f64, f64),
        /// Added to the root of the second moment.
        eps: f64,
        /// Weight decay shrinks the tensor instead of joining the gradient.
        decoupled: bool,
    },
}

/// Name of NAdam's product of momenta: one float32 number, where the other arrays of a state are like the tensor.
pub(super) const MOMENTA: &str = "mu_product";

impl DenseRule {
    /// Names of the arrays of its state.
    pub fn state_names(self) -> &'static [&'static str] {
        match self {
            DenseRule::Sgd { momentum: 0.0, .. } => &[],
            DenseRule::Sgd { .. } => &["momentum_buffer"],
            DenseRule::Adam { amsgrad: true, .. } => &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
            DenseRule::Adam { .. } => &["exp_avg", "exp_avg_sq"],
            DenseRule::RmsProp { .. } => &["square_avg", "momentum_buffer", "grad_avg"],
            DenseRule::Adagrad { .. } => &["sum"],
            DenseRule::Lion { .. } => &["exp_avg"],
            DenseRule::Adadelta { .. } => &["square_avg", "acc_delta"],
            DenseRule::Adamax { .. } => &["exp_avg", "exp_inf"],
            DenseRule::NAdam { .. } => &["exp_avg", "exp_avg_sq", MOMENTA],
            DenseRule::RAdam { .. } => &["exp_avg", "exp_avg_sq"],
        }
    }

    /// NAdam's momentum in a step; 0 for other rules.
    pub(super) fn momentum(self, step: u64) -> f64 {
        match self {
            DenseRule::NAdam { betas, momentum_decay, .. } => betas.0 * (1.0 - 0.5 * 0.96_f64.powf(step as f64 * momentum_decay)),
            _ => 0.0,
        }
    }
}

/// Rates of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DenseRates {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether to ascend the gradient instead of descending it.
    pub maximize: bool,
}

/// The step that is taken.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// Its number, from 1.
    pub step: u64,
    /// NAdam's product of the momenta of all steps up to this one.
    pub momenta: f64,
}

/// Elements of one parallel piece.
const PIECE: usize = 1 << 14;

/// The rule on arrays of one length, in parallel pieces; `state` are the arrays it has, else empty.
pub(super) fn run<T: Float>(rule: DenseRule, rates: DenseRates, at: At, p: &mut [T], g: &[T], state: [&mut [T]; 3]) {
    let [a, b, c] = state;
    parallel::for_each_pieces([p, a, b, c], PIECE, |i, [p, a, b, c]| {
        update(rule, rates, at, p, &g[i * PIECE..][..p.len()], [a, b, c]);
    });
}

/// The factor of RAdam's step: none while the second moment is known from too few steps.
fn rectification(beta: f64, step: u64) -> Option<f64> {
    let most = 2.0 / (1.0 - beta) - 1.0;
    let decayed = 1.0 - correction(beta, step);
    let terms = most - 2.0 * step as f64 * decayed / correction(beta, step);
    (terms > 5.0).then(|| ((terms - 4.0) * (terms - 2.0) * most / ((most - 4.0) * (most - 2.0) * terms)).sqrt())
}

/// One number by Adam, given the second moment that divides the step.
#[inline(always)]
fn adam<T: Float>(p: T, first: T, second: T, [shrink, rate, root, eps]: [T; 4]) -> T {
    p * shrink - rate * first / (second.sqrt() / root + eps)
}

multiversion! {
/// The rule on one piece; the three states are the arrays it has, else empty.
fn update[T: Float](rule: DenseRule, rates: DenseRates, at: At, p: &mut [T], g: &[T], states: [&mut [T]; 3]) {
    let ([a, b, c], step) = (states, at.step);
    let n = p.len();
    // Of lengths that the compiler knows to be the same, elements are vectors.
    let g = &g[..n];
    let (lr, decay) = (T::of(rates.lr), T::of(rates.weight_decay));
    let (one, sign) = (T::one(), if rates.maximize { -T::one() } else { T::one() });
    // Without decay an infinite parameter is no NaN.
    let decayed = |g: T, p: T| if decay == T::zero() { sign * g } else { sign * g + decay * p };
    match rule {
        DenseRule::Sgd { momentum, dampening, nesterov } => {
            let (mu, keep) = (T::of(momentum), T::of(1.0 - dampening));
            for i in 0..n {
                let mut d = decayed(g[i], p[i]);
                if momentum != 0.0 {
                    a[i] = if step == 1 { d } else { mu * a[i] + keep * d };
                    d = if nesterov { d + mu * a[i] } else { a[i] };
                }
                p[i] = p[i] - lr * d;
            }
        }
        DenseRule::Adam { betas, eps, decoupled, amsgrad } => {
            let (b1, b2, eps) = (T::of(betas.0), T::of(betas.1), T::of(eps));
            let rate = T::of(rates.lr / correction(betas.0, step));
            let root = T::of(correction(betas.1, step).sqrt());
            let shrink = if decoupled { one - lr * decay } else { one };
            let (a, b) = (&mut a[..n], &mut b[..n]);
            for i in 0..n {
                let d = if decoupled { sign * g[i] } else { decayed(g[i], p[i]) };
                a[i] = a[i] + (d - a[i]) * (one - b1);
                b[i] = b2 * b[i] + (one - b2) * d * d;
                if !amsgrad {
                    p[i] = adam(p[i], a[i], b[i], [shrink, rate, root, eps]);
                }
            }
            if amsgrad {
                let c = &mut c[..n];
                for i in 0..n {
                    c[i] = c[i].max(b[i]);
                    p[i] = adam(p[i], a[i], c[i], [shrink, rate, root, eps]);
                }
            }
        }
        DenseRule::RmsProp { alpha, eps, momentum, centered } => {
            let (alpha, eps, mu) = (T::of(alpha), T::of(eps), T::of(momentum));
            for i in 0..n {
                let d = decayed(g[i], p[i]);
                a[i] = alpha * a[i] + (one - alpha) * d * d;
                let mut second = a[i];
                if centered {
                    c[i] = c[i] + (d - c[i]) * (one - alpha);
                    second = second - c[i] * c[i];
                }
                let d = d / (second.sqrt() + eps);
                if momentum > 0.0 {
                    b[i] = mu * b[i] + d;
                    p[i] = p[i] - lr * b[i];
                } else {
                    p[i] = p[i] - lr * d;
                }
            }
        }
        DenseRule::Adagrad { lr_decay, eps, .. } => {
            let (rate, eps) = (T::of(rates.lr / (1.0 + (step - 1) as f64 * lr_decay)), T::of(eps));
            for i in 0..n {
                let d = decayed(g[i], p[i]);
                a[i] += d * d;
                p[i] = p[i] - rate * d / (a[i].sqrt() + eps);
            }
        }
        DenseRule::Lion { betas } => {
            let (b1, b2) = (T::of(betas.0), T::of(betas.1));
            for i in 0..n {
                let g = sign * g[i];
                let direction = b1 * a[i] + (one - b1) * g;
                let step = if direction > T::zero() {
                    one
                } else if direction < T::zero() {
                    -one
                } else {
                    T::zero()
                };
                p[i] = p[i] * (one - lr * decay) - lr * step;
                a[i] = b2 * a[i] + (one - b2) * g;
            }
        }
        DenseRule::Adadelta { rho, eps } => {
            let (keep, share, eps) = (T::of(rho), T::of(1.0 - rho), T::of(eps));
            for i in 0..n {
                let d = decayed(g[i], p[i]);
                a[i] = keep * a[i] + share * d * d;
                let d = (b[i] + eps).sqrt() / (a[i] + eps).sqrt() * d;
                b[i] = keep * b[i] + share * d * d;
                p[i] = p[i] - lr * d;
            }
        }
        DenseRule::Adamax { betas, eps } => {
            let (b1, b2, eps) = (T::of(betas.0), T::of(betas.1), T::of(eps));
            let rate = T::of(rates.lr / correction(betas.0, step));
            for i in 0..n {
                let d = decayed(g[i], p[i]);
                a[i] = a[i] + (d - a[i]) * (one - b1);
                let (kept, new) = (b[i] * b2, d.abs() + eps);
                b[i] = if new > kept || new.is_nan() { new } else { kept };
                p[i] = p[i] - rate * a[i] / b[i];
            }
        }
        DenseRule::NAdam { betas, eps, decoupled, .. } => {
            let (b1, b2, eps, root) = (T::of(betas.0), T::of(betas.1), T::of(eps), T::of(correction(betas.1, step)));
            let (momentum, next) = (rule.momentum(step), rule.momentum(step + 1));
            let of_gradient = T::of(rates.lr * (1.0 - momentum) / (1.0 - at.momenta));
            let of_moment = T::of(rates.lr * next / (1.0 - at.momenta * next));
            for i in 0..n {
                let d = if decoupled { sign * g[i] } else { decayed(g[i], p[i]) };
                let kept = if decoupled { p[i] * (one - lr * decay) } else { p[i] };
                a[i] = a[i] + (d - a[i]) * (one - b1);
                b[i] = b2 * b[i] + (one - b2) * d * d;
                let scale = (b[i] / root).sqrt() + eps;
                p[i] = kept - of_gradient * d / scale - of_moment * a[i] / scale;
            }
        }
        DenseRule::RAdam { betas, eps, decoupled } => {
            let (b1, b2, eps) = (T::of(betas.0), T::of(betas.1), T::of(eps));
            let rate = rates.lr / correction(betas.0, step);
            let rectified = rectification(betas.1, step).map(|r| T::of(rate * r * correction(betas.1, step).sqrt()));
            for i in 0..n {
                let d = if decoupled { sign * g[i] } else { decayed(g[i], p[i]) };
                let kept = if decoupled { p[i] * (one - lr * decay) } else { p[i] };
                a[i] = a[i] + (d - a[i]) * (one - b1);
                b[i] = b2 * b[i] + (one - b2) * d * d;
                p[i] = kept - match rectified {
                    Some(rate) => rate * a[i] / (b[i].sqrt() + eps),
                    None => T::of(rate) * a[i],
                };
            }
        }
    }
}
}
