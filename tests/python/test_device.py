import pytest
import rbe


def test_there_is_one_device():
    cpu = rbe.device("cpu")
    assert rbe.zeros(1).device == cpu == "cpu" == rbe.device(cpu)
    assert {cpu: 1}["cpu"] == 1
    assert (cpu.type, cpu.index, str(cpu), repr(cpu)) == ("cpu", None, "cpu", "device(type='cpu')")
    assert (str(rbe.device("cpu:0")), rbe.device(rbe.device("cpu:0")).index) == ("cpu:0", 0)
    assert cpu not in ("cuda", 3, None)
    assert rbe.zeros(2, device=cpu).to(cpu).to("cpu:0").device == cpu


@pytest.mark.parametrize("name", ["cuda", "mps", "cpu:1", 0])
def test_others_are_refused(name):
    for call in (
        rbe.device,
        lambda n: rbe.zeros(1, device=n),
        lambda n: rbe.zeros(1).to(device=n),
        lambda n: rbe.nn.Linear(1, 1).to(device=n),
    ):
        with pytest.raises(rbe.DeviceError, match="expected cpu"):
            call(name)
