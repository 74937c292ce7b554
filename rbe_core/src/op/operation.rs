//! What the operations of a backward pass and the parts of an optimiser's step are, as one type.

use crate::tape::{BackwardScheduler, Node, Parent};

/// A recorded operation by its kind, or a part of a step of [`HybridOptimizer`](crate::HybridOptimizer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RBEOperation {
    /// A product of dense tensors.
    MatMul,
    /// A sum of two tensors.
    Add,
    /// An operation with a packed parameter: a product, a convolution, an embedding, an activation.
    PackedForward,
    /// Any other recorded operation, by its name.
    Other(String),
    /// The flips of a packed tensor's bits, in an optimiser's step.
    StateTransition,
    /// The movement of a packed tensor's points on the disk, in an optimiser's step.
    RiemannianUpdate,
    /// A step of the hybrid optimiser as a whole.
    HybridOptimize,
}

fn trains_packed(parent: &Parent) -> bool {
    matches!(parent, Parent::Leaf(leaf) if leaf.is_packed())
}

impl RBEOperation {
    /// The kind of a recorded operation.
    pub fn of(node: &Node) -> RBEOperation {
        match node.name() {
            "matmul" | "linear" => RBEOperation::MatMul,
            "add" => RBEOperation::Add,
            name if name.starts_with("packed_") || node.parents().iter().any(trains_packed) => RBEOperation::PackedForward,
            name => RBEOperation::Other(name.to_owned()),
        }
    }
}

impl BackwardScheduler {
    /// The operations in the order in which backward runs them.
    pub fn operations(&self) -> Vec<RBEOperation> {
        self.nodes().iter().map(|node| RBEOperation::of(node)).collect()
    }
}
