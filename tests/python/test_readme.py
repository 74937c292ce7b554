import doctest
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


MODULES = [rbe.creation, rbe.autograd, rbe.graph, rbe.nn.packed, rbe.optim.hybrid]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
