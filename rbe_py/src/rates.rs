//! Rates of optimisers, read from the fields of the data classes in `rbe/optim/_rates.py`.

use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use rbe_core::RbeError;
use rbe_core::kernel::update::Precision;
use rbe_core::optim::{DenseRates, DenseRule, Rates};

use crate::error::{OrRaise, raise};

/// One field, with an error of the package where it is missing or has another type.
fn field<'py, T: FromPyObjectOwned<'py>>(rates: &Bound<'py, PyAny>, name: &str) -> PyResult<T> {
    let read = rates.getattr(name).and_then(|value| value.extract().map_err(Into::into));
    read.map_err(|e| raise(RbeError::dtype("optimizer", "rates in fields of their types", format!("{name}: {e}"))))
}

/// A struct of the fields of the same names, or of the names given; others stand behind a semicolon.
macro_rules! read {
    ($rates:ident => $($kind:ident)::+ { $($field:ident $(from $name:literal)?),* $(; $($other:tt)*)? }) => {
        $($kind)::+ { $($field: field($rates, read!(@name $field $($name)?))?),* $(, $($other)*)? }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}

/// Rates of a group of the hybrid optimiser.
pub fn hybrid(rates: &Bound<'_, PyAny>) -> PyResult<Rates> {
    let evidence = Precision::named(&field::<String>(rates, "evidence")?).or_raise()?;
    Ok(read!(rates => Rates { lr, lr_lo, lr_hi, betas, weight_decay, interaction; evidence }))
}

/// A kind of optimiser of dense tensors.
#[derive(Clone, Copy)]
pub enum Kind {
    Sgd,
    Adam,
    RmsProp,
    Adagrad,
    Lion,
    Adadelta,
    Adamax,
    NAdam,
    RAdam,
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
            "adadelta" => Ok(Kind::Adadelta),
            "adamax" => Ok(Kind::Adamax),
            "nadam" => Ok(Kind::NAdam),
            "radam" => Ok(Kind::RAdam),
            other => Err(raise(RbeError::value("optimizer", "the name of a rule of dense tensors", other))),
        }
    }

    /// Rule and rates of a group.
    pub fn read(self, rates: &Bound<'_, PyAny>) -> PyResult<(DenseRule, DenseRates)> {
        let rule = match self {
            Kind::Sgd => read!(rates => DenseRule::Sgd { momentum, dampening, nesterov }),
            Kind::Adam => read!(rates => DenseRule::Adam { betas, eps, decoupled from "decoupled_weight_decay", amsgrad }),
            Kind::RmsProp => read!(rates => DenseRule::RmsProp { alpha, eps, momentum, centered }),
            Kind::Adagrad => read!(rates => DenseRule::Adagrad { lr_decay, eps, initial from "initial_accumulator_value" }),
            Kind::Lion => read!(rates => DenseRule::Lion { betas }),
            Kind::Adadelta => read!(rates => DenseRule::Adadelta { rho, eps }),
            Kind::Adamax => read!(rates => DenseRule::Adamax { betas, eps }),
            Kind::NAdam => read!(rates => DenseRule::NAdam { betas, eps, momentum_decay, decoupled from "decoupled_weight_decay" }),
            Kind::RAdam => read!(rates => DenseRule::RAdam { betas, eps, decoupled from "decoupled_weight_decay" }),
        };
        Ok((rule, read!(rates => DenseRates { lr, weight_decay, maximize })))
    }
}
