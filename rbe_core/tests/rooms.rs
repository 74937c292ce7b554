//! The rooms of the core, folders and files below `src`, use only rooms below them; files of the lower rooms form no circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms, from the lowest up: each may use those before it (design/overview.md has a sentence on each).
const ORDER: &[&str] = &[
    "error",
    "dtype",
    "disk",
    "isa",
    "memory",
    "parallel",
    "random",
    "packed",
    "kernel",
    "array",
    "gradient",
    "tape",
    "op",
    "gradcheck",
    "optim",
    "io",
    "nn",
];
/// Rooms whose files form no circles.
const ACYCLIC: &[&str] = &["isa", "memory", "parallel", "random", "packed", "kernel", "optim"];

type Names = Vec<String>;

/// The sources by module path, without comments and unit tests; `lib.rs` has the empty path.
struct Sources(BTreeMap<Names, String>);

fn names(path: &str) -> Names {
    path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn without_comments_and_tests(text: &str) -> String {
    let code = text.find("#[cfg(test)]\nmod tests").map_or(text, |at| &text[..at]);
    code.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

impl Sources {
    fn read() -> Sources {
        let mut sources = Sources(BTreeMap::new());
        sources.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[]);
        sources
    }

    fn read_folder(&mut self, folder: &Path, module: &[String]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let mut inner = module.to_vec();
            if path.is_dir() {
                inner.push(name);
                self.read_folder(&path, &inner);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                if name != "mod" && name != "lib" {
                    inner.push(name);
                }
                self.0.insert(inner, without_comments_and_tests(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }

    fn has_children(&self, module: &[String]) -> bool {
        self.0.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }

    /// The file that defines what a path names: re-exports of modules with children are followed.
    fn file(&self, path: &[String], follow: usize) -> Option<Names> {
        let known = (0..=path.len()).rev().find(|n| self.0.contains_key(&path[..*n]))?;
        let (module, rest) = path.split_at(known);
        let (Some(name), true, true) = (rest.first(), self.has_children(module), follow > 0) else { return Some(module.to_vec()) };
        let exported = uses(&self.0[module], module).into_iter().find(|used| used.last() == Some(name) && used.starts_with(module));
        match exported.filter(|used| used.as_slice() != path) {
            Some(used) => self.file(&used, follow - 1),
            None if module.is_empty() => self.defines_macro(name),
            None => Some(module.to_vec()),
        }
    }

    /// The file of an exported macro, which lies at the root of the crate.
    fn defines_macro(&self, name: &str) -> Option<Names> {
        let definition = format!("macro_rules! {name} ");
        self.0.iter().find(|(_, text)| text.contains(&definition)).map(|(module, _)| module.clone())
    }

    /// Files that a file uses.
    fn used_by(&self, module: &[String]) -> BTreeSet<Names> {
        let files = uses(&self.0[module], module).into_iter().filter_map(|path| self.file(&path, 3));
        files.filter(|file| file != module && !file.is_empty()).collect()
    }
}

/// Absolute paths that the text of a module names, in `use` lines and elsewhere.
fn uses(text: &str, module: &[String]) -> Vec<Names> {
    let mut out = Vec::new();
    let parent = || module[..module.len().saturating_sub(1)].to_vec();
    for (key, base) in [("crate::", Vec::new()), ("super::", parent()), ("self::", module.to_vec())] {
        for (at, _) in text.match_indices(key) {
            if !text[..at].ends_with(|c| is_name(c) || c == ':') {
                expand(&text[at + key.len()..], &base, &mut out);
            }
        }
    }
    for line in text.split("\npub ").skip(1).filter_map(|rest| rest.strip_prefix("use ").or(rest.strip_prefix("(crate) use "))) {
        expand(line, module, &mut out); // a re-export from a child
    }
    out
}

/// The paths of one tree of a `use`, or of one path in an expression.
fn expand(text: &str, base: &[String], out: &mut Vec<Names>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut start) = (0, 0);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    expand(&group[start..i], base, out);
                    start = i + 1;
                    if c == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let mut path = base.to_vec();
    if end > 0 && &text[..end] != "self" {
        path.push(text[..end].to_owned());
    }
    match text[end..].strip_prefix("::") {
        Some(rest) if end > 0 && (rest.starts_with(is_name) || rest.starts_with('{')) => expand(rest, &path, out),
        _ if end > 0 => out.push(path),
        _ => {}
    }
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let sources = Sources::read();
    let mut upward: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let level = |room: &str| ORDER.iter().position(|other| *other == room).unwrap_or_else(|| panic!("{room} has no place in the order"));
    for module in sources.0.keys().filter(|module| !module.is_empty()) {
        for used in sources.used_by(module) {
            if level(&used[0]) > level(&module[0]) {
                upward.entry((module[0].clone(), used[0].clone())).or_default().push(module.join("::"));
            }
        }
    }
    assert!(upward.is_empty(), "a room uses one above it: {upward:#?}");
}

#[test]
fn files_of_the_lower_rooms_form_no_circles() {
    let sources = Sources::read();
    // A module with children only gathers them.
    let files = || sources.0.keys().filter(|m| m.first().is_some_and(|room| ACYCLIC.contains(&room.as_str())) && !sources.has_children(m));
    let mut left: BTreeMap<&Names, BTreeSet<Names>> = files().map(|file| (file, sources.used_by(file))).collect();
    loop {
        let free: Vec<&Names> = left.iter().filter(|(_, used)| !used.iter().any(|u| left.contains_key(u))).map(|(file, _)| *file).collect();
        if free.is_empty() {
            break;
        }
        free.into_iter().for_each(|file| drop(left.remove(file)));
    }
    let show = |(file, used): (&&Names, &BTreeSet<Names>)| {
        let within: Vec<_> = used.iter().filter(|u| left.contains_key(u)).map(|u| u.join("::")).collect();
        format!("{} -> {}", file.join("::"), within.join(", "))
    };
    assert!(left.is_empty(), "in circles, or using one:\n{}", left.iter().map(show).collect::<Vec<_>>().join("\n"));
}

#[test]
fn paths_are_taken_apart() {
    let text = "use crate::kernel::{dense::gemm, packed::{self, Dx}};\nlet a = crate::disk::exp(1);\nuse super::charge::Row;\npub use tiles::{Tile, load as read};";
    let mut found: Vec<_> = uses(text, &names("kernel::update")).into_iter().map(|path| path.join("::")).collect();
    found.sort();
    let want = ["disk::exp", "kernel::charge::Row", "kernel::dense::gemm", "kernel::packed", "kernel::packed::Dx"];
    assert_eq!(found, [&want[..], &["kernel::update::tiles::Tile", "kernel::update::tiles::load"]].concat());
}
