//! Every rule of the crate, on one screen. A test walks this table and fails for a rule without a gradient check.

use std::borrow::Cow;

use super::rule::{Rule, Saves};

macro_rules! rules {
    ($($id:ident: $name:literal, $arity:expr, $saves:expr;)*) => {
        $(
            #[doc = concat!("Rule of `", $name, "`.")]
            pub static $id: Rule = Rule { name: Cow::Borrowed($name), arity: $arity, saves: $saves };
        )*
        /// All rules.
        pub static RULES: &[&Rule] = &[$(&$id),*];
    };
}

const NOTHING: Saves = Saves::NOTHING;
const INPUTS: Saves = Saves::INPUTS;

rules! {
    ADD: "add", (2, 2), NOTHING;
    MUL: "mul", (2, 2), INPUTS;
}
