"""Rules for the text of the whole tree: words, length of files, arguments of Rust functions.

Every list of exceptions names what is left; an exception that is no longer needed fails, too.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (".py", ".rs", ".pyi")
TEXT = (*SOURCE, ".md", ".toml", ".sh", ".yml", ".dict")
MOST_LINES, MOST_ARGUMENTS = 400, 6


def tracked():
    """Return the text files of the tree, by their paths below the root."""
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a git checkout")
    files = [Path(name) for name in found.stdout.splitlines() if name.endswith(TEXT) or Path(name).name == "Makefile"]
    return {str(path): (ROOT / path).read_text(encoding="utf-8") for path in files if (ROOT / path).exists()}


# Pattern, what to write instead, and a pattern of the files that it applies to.
WORDS = [
    (r"whole numbers?\b", "integer", ""),
    (r"past the caches?\b", "non-temporal store", ""),
    (r"\basks?[ _]ahead\b|\bforesee", "prefetch", ""),
    (r"\bwalk(s|ed|ing)?[ _]back\b", "backward pass", ""),
    (r"trial program", "micro-benchmark", ""),
    (r"\blook-ups?\b", "lookup", ""),
    (r"\btold_by\b", "inferred from", ""),
    (r"\bpatience\b", "spin time", r"\.rs$"),
    (r"\bshel(f|ves)\b", "free list", r"\.rs$"),
    (r"\bboard\b|\bhelpers?\b", "job queue, worker", r"rbe_core/src/parallel/|design/"),
    (r"\b[Ww]hat [^.;]{1,50} (is|are) (that|those) of\b", "subject, verb, noun", ""),
    (r', "(another|something else|others)"\)', "the type, shape or value that was given", r"^(rbe_core/src|rbe_py)/.*\.(rs|py)$"),
]  # fmt: skip


def test_texts_use_the_words_of_the_field():
    found = []
    for path, text in tracked().items():
        if path == "tests/python/test_house.py":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, instead, where in WORDS:
                if re.search(where, path) and re.search(pattern, line):
                    found.append(f"{path}:{number}: write {instead}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


LONG = {
    "rbe_py/python/rbe/_functions.py": "one entry for every function",
    "rbe_py/python/rbe/_rbe.pyi": "one entry for every name of the binding",
    "rbe_py/python/rbe/_tensor.py": "the tensor class in one file",
    "rbe_py/python/rbe/nn/module.py": "the whole Module in one file",
}


def test_no_source_file_is_longer_than_400_lines():
    lengths = {path: text.count("\n") for path, text in tracked().items() if path.endswith(SOURCE)}
    long = {path for path, length in lengths.items() if length > MOST_LINES}
    assert long - set(LONG) == set(), "cut by concept"
    assert set(LONG) - long == set(), "no exception is needed any more"


def balanced(text, start):
    """Return the position after the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "([{<":
            depth += 1
        elif text[at] in ")]}" or (text[at] == ">" and text[at - 1] not in "-="):
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def arguments(text):
    """Yield name and number of positional arguments of the functions in a Rust source, macros left out."""
    text = re.sub(r"//[^\n]*", "", text)
    for match in re.finditer(r"\bfn\s+(\w+)\s*(?=[<(])", text):
        start = match.end()
        if text[start] == "<":
            start = balanced(text, start)
        if text[start : start + 1] != "(":
            continue
        inside = text[start + 1 : balanced(text, start) - 1]
        if "$" in inside or re.match(r"\s*\w+\s+in\s", inside):  # a macro, or strategies of proptest
            continue
        parts, depth = [""], 0
        for at, letter in enumerate(inside):
            depth += (letter in "([{<") - (letter in ")]}" or (letter == ">" and inside[at - 1] not in "-="))
            if letter == "," and depth == 0:
                parts.append("")
            else:
                parts[-1] += letter
        named = [part.strip() for part in parts if part.strip()]
        yield match[1], len([part for part in named if not re.match(r"(&\s*('\w+\s+)?)?(mut\s+)?self\b|_?py: Python\b", part)])


MANY_ARGUMENTS = {
    "rbe_py/src/ops.rs::batch_norm": "torch's signature",
    "rbe_py/src/sequence.rs::attention": "torch's signature",
    "rbe_py/src/sequence.rs::recurrent": "one for each input",
    "rbe_py/src/window.rs::avg_pool": "torch's signature",
    "rbe_py/src/window.rs::conv": "torch's signature",
    "rbe_py/src/window.rs::conv_transpose": "torch's signature",
}


def test_rust_functions_have_at_most_six_positional_arguments():
    found = {}
    for path, text in tracked().items():
        if path.endswith(".rs"):
            found |= {f"{path}::{name}": n for name, n in arguments(text) if n > MOST_ARGUMENTS}
    assert set(found) - set(MANY_ARGUMENTS) == set(), "group arguments in a struct"
    assert set(MANY_ARGUMENTS) - set(found) == set(), "no exception is needed any more"


def test_every_allowance_of_many_arguments_has_a_reason():
    for path, text in tracked().items():
        if path.endswith(".rs"):
            for line in text.splitlines():
                if "allow(clippy::too_many_arguments" in line:
                    assert re.search(r"//\s*\w+|reason\s*=", line), f"{path}: {line.strip()}"


def test_arguments_of_functions_are_counted():
    source = """
        fn two<F: Fn(usize) -> usize>(&self, a: &[f32], f: F) {}
        pub fn three(py: Python<'_>, a: (usize, usize), b: HashMap<u8, u8>, // a comment, with commas
            c: [u8; 4]) -> Option<u8> {}
        fn none(self) {}
    """
    assert list(arguments(source)) == [("two", 2), ("three", 3), ("none", 0)]
