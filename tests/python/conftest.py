import os
from pathlib import Path

import pytest
import rbe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _reproducible():
    rbe.manual_seed(0)
    yield
    rbe.set_num_threads(2)


@pytest.fixture
def data_dir() -> Path:
    """Folder with `mnist` and `tinyshakespeare`: RBE_DATA; without it the test is skipped, except in CI."""
    folder = os.environ.get("RBE_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("CI"):
        pytest.fail("CI runs with data: set RBE_DATA")
    pytest.skip("RBE_DATA names no folder with data")
