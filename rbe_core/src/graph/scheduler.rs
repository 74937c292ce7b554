//! The order of a backward pass: which nodes are reachable, level by level from the deepest.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::{Node, Parent};
use crate::error::Result;
use crate::tensor::RBETensor;

/// Reachable nodes by depth, and how many gradients each leaf will receive.
pub struct BackwardScheduler {
    pub(super) nodes: Vec<Arc<Node>>,           // deepest first, then oldest first
    pub(super) position: HashMap<u64, usize>,   // node id -> index in `nodes`
    pub(super) leaves: Vec<(RBETensor, usize)>, // in order of discovery, with the number of uses
    pub(super) leaf_position: HashMap<u64, usize>,
}

impl BackwardScheduler {
    /// Schedule of a walk back from `roots`, found without recursion.
    ///
    /// # Errors
    /// `Graph` if a node was freed by an earlier pass, or something it saved was changed in place.
    pub fn new(roots: &[&RBETensor]) -> Result<BackwardScheduler> {
        let mut schedule =
            BackwardScheduler { nodes: Vec::new(), position: HashMap::new(), leaves: Vec::new(), leaf_position: HashMap::new() };
        let mut stack: Vec<Parent> = roots.iter().map(|t| t.as_parent()).collect();
        while let Some(parent) = stack.pop() {
            match parent {
                Parent::Constant => {}
                Parent::Leaf(leaf) => {
                    let next = schedule.leaves.len();
                    let at = *schedule.leaf_position.entry(leaf.id()).or_insert(next);
                    if at == next {
                        schedule.leaves.push((leaf, 0));
                    }
                    schedule.leaves[at].1 += 1;
                }
                Parent::Node(node) => {
                    if schedule.position.insert(node.id, 0).is_none() {
                        node.check_saved()?;
                        stack.extend(node.parents.iter().rev().cloned());
                        schedule.nodes.push(node);
                    }
                }
            }
        }
        schedule.nodes.sort_unstable_by_key(|n| (std::cmp::Reverse(n.depth), n.id));
        for (i, node) in schedule.nodes.iter().enumerate() {
            schedule.position.insert(node.id, i);
        }
        Ok(schedule)
    }

    /// Number of levels: the length of the longest chain of operations.
    pub fn levels(&self) -> usize {
        self.nodes.chunk_by(|a, b| a.depth == b.depth).count()
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no operation is reachable.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
