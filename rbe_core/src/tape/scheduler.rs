//! The order of a backward pass: which nodes are reachable, level by level from the deepest.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Node, Parent};
use super::tensor::RBETensor;
use crate::error::Result;
use crate::memory;

/// Reachable nodes by depth, and how many gradients each leaf will receive.
pub struct BackwardScheduler {
    pub(super) nodes: SmallVec<[Arc<Node>; 4]>,           // deepest first, then oldest first
    pub(super) leaves: SmallVec<[(RBETensor, usize); 4]>, // by number, with how many uses
}

/// A node that was reached.
struct Queued(Arc<Node>);

impl Queued {
    fn key(&self) -> (u32, Reverse<u64>) {
        (self.0.depth, Reverse(self.0.id))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Queued) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Queued) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Queued) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Stops where there was no memory for one more.
fn reserved(there_is: bool) {
    if !there_is {
        memory::refuse(None);
    }
}

impl BackwardScheduler {
    /// Schedule of a backward pass from `roots`, found without recursion.
    ///
    /// # Errors
    /// `Graph` if a node was freed by an earlier pass, or something it saved was changed in place.
    pub fn new(roots: &[&RBETensor]) -> Result<BackwardScheduler> {
        let schedule = BackwardScheduler::reach(roots);
        schedule.nodes.iter().try_for_each(|node| node.check_saved())?;
        Ok(schedule)
    }

    /// As [`BackwardScheduler::new`], whatever the nodes have saved.
    pub(super) fn reach(roots: &[&RBETensor]) -> BackwardScheduler {
        let mut schedule = BackwardScheduler { nodes: SmallVec::new(), leaves: SmallVec::new() };
        // Inputs are less deep than what is made of them: a node leaves the heap when all that lead to it have left it,
        // in its place in the schedule, and right after itself if it came by several ways.
        let mut waiting = BinaryHeap::new();
        let mut reach = |parent: &Parent, waiting: &mut BinaryHeap<Queued>| match parent {
            Parent::Constant => {}
            Parent::Leaf(leaf) => {
                reserved(schedule.leaves.try_reserve(1).is_ok());
                schedule.leaves.push((leaf.clone(), 1));
            }
            Parent::Node(edge) => {
                reserved(waiting.try_reserve(1).is_ok());
                waiting.push(Queued(edge.node.clone()));
            }
        };
        roots.iter().for_each(|root| reach(&root.as_parent(), &mut waiting));
        while let Some(Queued(node)) = waiting.pop() {
            if schedule.nodes.last().is_some_and(|last| last.id == node.id) {
                continue;
            }
            node.parents.iter().for_each(|parent| reach(parent, &mut waiting));
            reserved(schedule.nodes.try_reserve(1).is_ok());
            schedule.nodes.push(node);
        }
        schedule.leaves.sort_unstable_by_key(|(leaf, _)| leaf.id());
        schedule.leaves.dedup_by(|next, first| {
            let same = next.0.id() == first.0.id();
            first.1 += usize::from(same);
            same
        });
        schedule
    }

    /// The operations in the order in which backward runs them.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Place of a node among `nodes`, if it is reachable.
    pub(super) fn position(&self, node: &Node) -> Option<usize> {
        self.nodes.binary_search_by_key(&(Reverse(node.depth), node.id), |n| (Reverse(n.depth), n.id)).ok()
    }

    /// Place of a leaf among `leaves`, if it is reachable.
    pub(super) fn leaf_position(&self, leaf: &RBETensor) -> Option<usize> {
        self.leaves.binary_search_by_key(&leaf.id(), |(leaf, _)| leaf.id()).ok()
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
