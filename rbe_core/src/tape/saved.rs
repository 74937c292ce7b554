//! What a node keeps of its operation for backward: inputs and outputs, some of them rounded to int8.

use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use super::rule::Saves;
use super::tensor::RBETensor;
use super::value::Value;
use crate::array::{Array, Dims, Storage};
use crate::dtype::DType;
use crate::gradient::{quantised, restored};

/// Bytes up to which an array is kept as it is: there is little to gain.
const LITTLE: usize = 1 << 18;

/// Values that backward reads again, each with its version at the time.
#[derive(Clone)]
pub(super) struct Saved {
    pub(super) inputs: SmallVec<[Option<(Value, u64)>; 3]>, // empty where none is saved
    pub(super) outputs: SmallVec<[Option<(Array, u64)>; 1]>,
    pub(super) kept: Vec<Array>,
    rounded: Vec<Rounded>,
}

/// An input or output by its number.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Input(usize),
    Output(usize),
}

/// A saved array of which only its rounded values are kept.
#[derive(Clone)]
struct Rounded {
    place: Place,
    integers: Integers,
    shape: Dims,
    storage: Weak<Storage>, // of the array, which others may hold and change
    version: u64,
}

/// An array (rows, columns) in int8, as `gradient::quantised` makes it.
#[derive(Clone)]
pub(super) struct Integers {
    pub(super) values: Array,
    pub(super) scales: Array,
}

impl Saved {
    /// What `saves` names of an operation's inputs and outputs, and its by-products `kept`.
    pub(super) fn new(saves: Saves, inputs: &[&RBETensor], outputs: SmallVec<[Option<(Array, u64)>; 1]>, kept: Vec<Array>) -> Saved {
        let saved_input = |(i, t): (usize, &&RBETensor)| saves.has_input(i).then(|| (t.value().clone(), t.value().version()));
        let inputs = if saves.has_inputs() { inputs.iter().enumerate().map(saved_input).collect() } else { SmallVec::new() };
        Saved { inputs, outputs, kept, rounded: Vec::new() }
    }

    /// A saved value that was changed in place since: where it stands, its version when it was saved, and its version now.
    pub(super) fn changed(&self) -> Option<(Place, u64, u64)> {
        let inputs = self.inputs.iter().enumerate().filter_map(|(i, saved)| {
            let (value, version) = saved.as_ref()?;
            Some((Place::Input(i), *version, value.version()))
        });
        let outputs = self.outputs.iter().enumerate().filter_map(|(k, saved)| {
            let (array, version) = saved.as_ref()?;
            Some((Place::Output(k), *version, array.version()))
        });
        let now = |r: &Rounded| r.storage.upgrade().map_or(r.version, |storage| storage.version());
        let rounded = self.rounded.iter().map(|r| (r.place, r.version, now(r)));
        inputs.chain(outputs).chain(rounded).find(|(_, version, now)| version != now)
    }

    /// The saved f32 arrays of some size among those that `saves` names, unchanged since, with their versions.
    pub(super) fn large(&self, saves: Saves) -> Vec<(Place, Array, u64)> {
        let inputs = self.inputs.iter().enumerate().filter_map(|(i, saved)| match saved {
            Some((Value::Dense(array), version)) if saves.has_input(i) => Some((Place::Input(i), array.clone(), *version)),
            _ => None,
        });
        let outputs = self.outputs.iter().enumerate().filter_map(|(k, saved)| {
            let (array, version) = saved.as_ref().filter(|_| saves.has_output(k))?;
            Some((Place::Output(k), array.clone(), *version))
        });
        let is_large = |a: &Array| a.dtype() == DType::F32 && a.nbytes() > LITTLE && a.ndim() > 0;
        inputs.chain(outputs).filter(|(_, a, version)| is_large(a) && a.version() == *version).collect()
    }

    /// Keeps `integers` instead of `array`, which is saved at `place`.
    pub(super) fn keep_rounded(&mut self, place: Place, array: &Array, version: u64, integers: Integers) {
        let saved = match place {
            Place::Input(i) => self.inputs.get_mut(i).and_then(Option::take).map(drop),
            Place::Output(k) => self.outputs.get_mut(k).and_then(Option::take).map(drop),
        };
        if saved.is_some() {
            let (shape, storage) = (Dims::from_slice(array.shape()), Arc::downgrade(array.storage()));
            self.rounded.push(Rounded { place, integers, shape, storage, version });
        }
    }

    /// Whether some values are kept rounded.
    pub(super) fn has_rounded(&self) -> bool {
        !self.rounded.is_empty()
    }

    /// Puts the numbers that rounded values stand for in their places.
    pub(super) fn restore(&mut self) {
        for Rounded { place, integers, shape, version, .. } in std::mem::take(&mut self.rounded) {
            let array = restored(&integers.values, &integers.scales, &shape);
            match place {
                Place::Input(i) => self.inputs[i] = Some((Value::Dense(array), version)),
                Place::Output(k) => self.outputs[k] = Some((array, version)),
            }
        }
    }
}

impl Integers {
    /// `array`, whose last axis is the columns, rounded.
    fn of(array: &Array) -> Option<Integers> {
        let columns = array.shape().last().copied().filter(|n| *n > 0)?;
        let (values, scales) = quantised(&array.reshape_to(&[array.numel() / columns, columns]).ok()?);
        Some(Integers { values, scales })
    }
}

impl RBETensor {
    /// Says that a product reads this tensor, whose array is `array`, as `values` and `scales`, its rounding to int8. The operation that
    /// gave it then keeps in int8 what its gradients need roughly ([`Saves::roughly`]).
    pub(crate) fn note_rounding(&self, values: &Array, scales: &Array) {
        let (Some(edge), Value::Dense(own)) = (self.edge(), self.value()) else { return };
        let node = edge.node();
        let rough = node.rule.saves().rough();
        if rough == Saves::NOTHING || edge.output() != 0 {
            return;
        }
        let large = node.with_saved(|saved| saved.large(rough));
        for (place, array, version) in large.into_iter().flatten() {
            let same = matches!(place, Place::Output(0)) && array.same_storage(own) && array.shape() == own.shape();
            let integers = if same { Some(Integers { values: values.clone(), scales: scales.clone() }) } else { Integers::of(&array) };
            if let Some(integers) = integers {
                node.with_saved(|saved| saved.keep_rounded(place, &array, version, integers));
            }
        }
    }
}
