import doctest
import re
from pathlib import Path

import pytest
import rbe

ROOT = Path(__file__).resolve().parents[2]


def test_the_readme_prints_what_it_says():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("```python") == 1
    example = text.split("```python\n")[1].split("```")[0]
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(example, {}, "README.md", None, 0))
    assert runner.tries > 8
    assert runner.failures == 0


def test_the_targets_and_folders_named_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert targets
    assert {t for t in targets if not re.search(rf"^{t}:", makefile, re.MULTILINE)} == set()
    folders = set(re.findall(r"`([a-z_]+)/`", text))
    assert folders
    assert {f for f in folders if not (ROOT / f).is_dir()} == set()


MODULES = [rbe.creation, rbe.autograd, rbe.graph, rbe.nn.packed, rbe.optim.hybrid]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
