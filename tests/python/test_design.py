"""Pages of design/ and the READMEs: their links, the files they name, and the tables that programs print."""

import importlib.util
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "design").glob("*.md")])
FOLDERS = ("rbe_core", "rbe_py", "tests", "benches", "fuzz", "design", ".ci")
FILES = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
FILES |= {path.name for path in ROOT.iterdir() if path.is_file()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        to = (page.parent / name).resolve() if name else page
        assert to.exists(), f"{page.name}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.*)$", to.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in anchors, f"{page.name}: {target}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    for name in re.findall(r"`([\w./-]+\.(?:rs|py|json|md))\b[^`]*`", page.read_text(encoding="utf-8")):
        assert any(path == name or path.endswith("/" + name) for path in FILES), f"{page.name} names {name}"


@pytest.mark.parametrize("page", ["results.md", "layers.md", "threads.md", "format.md"])
def test_tables_of_measurements_name_machine_isa_commit_and_threads(page):
    lines = (ROOT / "design" / page).read_text(encoding="utf-8").splitlines()
    heads = [line for line, below in itertools.pairwise(lines) if re.match(r"\|[\s:|-]+\|$", below)]
    measured = [head for head in heads if not head.startswith("| name |")]
    assert measured
    for head in measured:
        assert head.startswith("| machine | ISA | commit | threads |"), head


def test_the_layers_page_is_what_the_benchmarks_printed():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benches" / "python" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    printed = tables.markdown(sorted((ROOT / "benches" / "results").glob("*.json")), ["768x3072", "3072x768"])
    page = (ROOT / "design" / "layers.md").read_text(encoding="utf-8")
    assert page[page.index("### ") :].strip() == printed.strip()


def test_the_glossary_is_sorted_and_has_every_term_once():
    text = (ROOT / "design" / "glossary.md").read_text(encoding="utf-8")
    terms = [line.split("|")[1].strip().lower() for line in text.splitlines() if line.startswith("| ")][1:]
    assert terms == sorted(set(terms), key=lambda term: re.sub(r"[`(]", "", term))
