"""Settings of the process."""

import pytest
import rbe


def test_settings_are_read_and_set():
    before = rbe.config.get()
    with rbe.config.using(default_dtype=rbe.float64, num_threads=1, isa="scalar"):
        changed = {"default_dtype": rbe.float64, "num_threads": 1, "isa": "scalar", "simd": False}
        assert rbe.config.get() == before | changed
        assert rbe.ones(1).dtype is rbe.float64
        assert rbe.isa() == "scalar"
    assert rbe.config.get() == before
    with pytest.raises(ZeroDivisionError), rbe.config.using(num_threads=1):
        1 / 0  # noqa: B018
    assert rbe.config.get() == before


def test_simd_changes_kernels_and_not_results_beyond_rounding():
    rbe.manual_seed(0)
    layer, x = rbe.RBELinear(300, 70), rbe.randn(33, 300)
    with rbe.config.using(simd=True):
        fast = layer(x)
    with rbe.config.using(simd=False):
        plain = layer(x)
        assert rbe.isa() == "scalar"
    with rbe.config.using(simd=True):
        assert rbe.equal(layer(x), fast)
    rbe.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_threads": 0},
        {"isa": "mmx"},
        {"isa": "scalar", "simd": True},
        {"default_dtype": "int64"},
        {"default_dtype": "float8"},
    ],
)
def test_settings_that_make_no_sense(settings):
    before = rbe.config.get()
    with pytest.raises(rbe.RBEError):
        rbe.config.set(**{"num_threads": 3, **settings})
    assert rbe.config.get() == before


def test_the_environment(monkeypatch):
    monkeypatch.setenv("RBE_ISA", "scalar")
    monkeypatch.delenv("RBE_LOG", raising=False)
    found = rbe.config.environment()
    assert (found["RBE_ISA"], found["RBE_LOG"]) == ("scalar", None)
