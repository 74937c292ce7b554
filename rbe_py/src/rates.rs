//! Rates of optimisers, read from the fields of the data classes in `rbe/optim/_rates.py`.

use pyo3::prelude::*;
use rbe_core::RbeError;
use rbe_core::kernel::update::Precision;
use rbe_core::optim::{DenseRates, DenseRule, Rates};

use crate::error::{OrRaise, raise};

/// The fields of `T`, with an error of the package where one is missing or has another type.
fn fields<'py, T: pyo3::conversion::FromPyObjectOwned<'py>>(rates: &Bound<'py, PyAny>) -> PyResult<T> {
    rates
        .extract()
        .map_err(|e: <T as FromPyObject<'_, 'py>>::Error| raise(RbeError::dtype("optimizer", "rates in fields of their types", e.into())))
}

#[derive(FromPyObject)]
struct HybridFields {
    lr: f64,
    lr_lo: f64,
    lr_hi: f64,
    betas: (f64, f64),
    weight_decay: f64,
    interaction: f64,
    evidence: String,
}

/// Rates of a group of the hybrid optimiser.
pub fn hybrid(rates: &Bound<'_, PyAny>) -> PyResult<Rates> {
    let HybridFields { lr, lr_lo, lr_hi, betas, weight_decay, interaction, evidence } = fields(rates)?;
    Ok(Rates { lr, lr_lo, lr_hi, betas, weight_decay, interaction, evidence: Precision::named(&evidence).or_raise()? })
}

#[derive(FromPyObject)]
struct DenseFields {
    lr: f64,
    weight_decay: f64,
    maximize: bool,
}

#[derive(FromPyObject)]
struct SgdFields {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
}

#[derive(FromPyObject)]
struct AdamFields {
    betas: (f64, f64),
    eps: f64,
    decoupled_weight_decay: bool,
    amsgrad: bool,
}

#[derive(FromPyObject)]
struct RmsPropFields {
    alpha: f64,
    eps: f64,
    momentum: f64,
    centered: bool,
}

#[derive(FromPyObject)]
struct AdagradFields {
    lr_decay: f64,
    eps: f64,
    initial_accumulator_value: f64,
}

#[derive(FromPyObject)]
struct LionFields {
    betas: (f64, f64),
}

/// A kind of optimiser of dense tensors.
#[derive(Clone, Copy)]
pub enum Kind {
    Sgd,
    Adam,
    RmsProp,
    Adagrad,
    Lion,
}

impl Kind {
    /// The kind of that name.
    pub fn named(name: &str) -> PyResult<Kind> {
        match name {
            "sgd" => Ok(Kind::Sgd),
            "adam" => Ok(Kind::Adam),
            "rmsprop" => Ok(Kind::RmsProp),
            "adagrad" => Ok(Kind::Adagrad),
            "lion" => Ok(Kind::Lion),
            other => Err(raise(RbeError::value("optimizer", "sgd, adam, rmsprop, adagrad or lion", other))),
        }
    }

    /// Rule and rates of a group.
    pub fn read(self, rates: &Bound<'_, PyAny>) -> PyResult<(DenseRule, DenseRates)> {
        let rule = match self {
            Kind::Sgd => {
                let SgdFields { momentum, dampening, nesterov } = fields(rates)?;
                DenseRule::Sgd { momentum, dampening, nesterov }
            }
            Kind::Adam => {
                let AdamFields { betas, eps, decoupled_weight_decay: decoupled, amsgrad } = fields(rates)?;
                DenseRule::Adam { betas, eps, decoupled, amsgrad }
            }
            Kind::RmsProp => {
                let RmsPropFields { alpha, eps, momentum, centered } = fields(rates)?;
                DenseRule::RmsProp { alpha, eps, momentum, centered }
            }
            Kind::Adagrad => {
                let AdagradFields { lr_decay, eps, initial_accumulator_value: initial } = fields(rates)?;
                DenseRule::Adagrad { lr_decay, eps, initial }
            }
            Kind::Lion => DenseRule::Lion { betas: fields::<LionFields>(rates)?.betas },
        };
        let DenseFields { lr, weight_decay, maximize } = fields(rates)?;
        Ok((rule, DenseRates { lr, weight_decay, maximize }))
    }
}
