//! Objects of another language that the tape holds, shown to that language's garbage collector.
//!
//! Hooks and user-defined operations are functions of Python, say, and may hold the very tensor whose tape holds them. Nobody but
//! a collector of cycles frees those, and it has to be told what a tensor holds.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use super::node::{Node, Parent};
use super::slot::GradSlot;
use super::tensor::RBETensor;

/// An object of another language. Each has one owner on the tape.
pub type Held = Arc<dyn Any + Send + Sync>;

/// References that are followed from one tensor, at most: a collector asks often.
const FOLLOWED: usize = 1 << 14;

/// What a rule holds besides numbers.
pub enum Holding<'a> {
    /// An object of another language.
    Object(&'a Held),
    /// A tensor.
    Tensor(&'a RBETensor),
}

/// Something on the tape with several holders, by its address.
enum Shared<'a> {
    Tensor(&'a RBETensor),
    Node(&'a Arc<Node>),
}

/// Follows references on the tape to what nothing but the tensor it began with can reach.
struct Search<'a> {
    seen: HashMap<usize, usize>, // references found to what has further ones
    stack: Vec<Shared<'a>>,
    left: usize,
}

impl<'a> Search<'a> {
    /// Notes a reference; what has no others is searched in turn.
    fn reach(&mut self, shared: Shared<'a>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let (address, holders) = match &shared {
            Shared::Tensor(t) => (t.address(), t.holders()),
            Shared::Node(node) => (Arc::as_ptr(node) as usize, Arc::strong_count(node)),
        };
        if holders > 1 {
            let seen = self.seen.entry(address).or_insert(0);
            *seen += 1;
            if *seen < holders {
                return;
            }
        }
        self.stack.push(shared);
    }
}

/// Calls `visit` with every object that is held by `tensor`, or by what lies behind it on the tape, and that is given up when
/// this handle of `tensor` is: what others can reach is left out. The same objects come for the same tape.
pub fn each_held(tensor: &RBETensor, visit: &mut dyn FnMut(&Held)) {
    let mut search = Search { seen: HashMap::new(), stack: Vec::new(), left: FOLLOWED };
    search.reach(Shared::Tensor(tensor));
    while let Some(at) = search.stack.pop() {
        match at {
            Shared::Tensor(t) => t.each_reference(&mut |reference| match reference {
                Reference::Slot(slot) => slot.each_held(visit),
                Reference::Node(node) => search.reach(Shared::Node(node)),
                Reference::Tensor(other) => search.reach(Shared::Tensor(other)),
            }),
            Shared::Node(node) => {
                node.ports.iter().filter_map(|port| port.slot.made()).for_each(|slot| slot.each_held(visit));
                node.rule.holdings(&mut |holding| match holding {
                    Holding::Object(held) => visit(held),
                    Holding::Tensor(t) => search.reach(Shared::Tensor(t)),
                });
                for parent in &node.parents {
                    match parent {
                        Parent::Constant => {}
                        Parent::Leaf(leaf) => search.reach(Shared::Tensor(leaf)),
                        Parent::Node(edge) => search.reach(Shared::Node(&edge.node)),
                    }
                }
            }
        }
    }
}

/// What a tensor holds.
pub(super) enum Reference<'a> {
    Slot(&'a GradSlot),
    Node(&'a Arc<Node>),
    Tensor(&'a RBETensor),
}
