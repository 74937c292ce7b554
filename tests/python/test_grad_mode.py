"""Modes of recording as decorators: functions, generators, coroutines, asynchronous generators, methods and classes."""

import asyncio
import functools
import inspect

import pytest
import rbe

MODES = {
    "no_grad": (rbe.no_grad, False),
    "no_grad()": (rbe.no_grad(), False),
    "enable_grad": (rbe.enable_grad, True),
    "enable_grad()": (rbe.enable_grad(), True),
    "set_grad_enabled(False)": (lambda f: rbe.set_grad_enabled(False)(f), False),
    "set_grad_enabled(True)": (lambda f: rbe.set_grad_enabled(True)(f), True),
}


@pytest.fixture(params=[True, False], ids=["recording", "not recording"])
def outside(request):
    """The mode of the code around."""
    with rbe.enable_grad() if request.param else rbe.no_grad():
        yield request.param


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


def recorded():
    return (rbe.ones(1, requires_grad=True) * 2.0).requires_grad


def test_functions_and_methods(mode, outside):
    decorate, inside = mode

    class Named:
        @decorate
        def method(self, factor):
            """Say it."""
            return factor, recorded()

    assert rbe.is_grad_enabled() is outside
    assert Named().method(3) == (3, inside)
    assert decorate(functools.partial(Named().method, 4))() == (4, inside)
    assert (Named.method.__name__, Named.method.__doc__) == ("method", "Say it.")
    assert rbe.is_grad_enabled() is outside


def test_generators_run_in_the_mode_and_their_callers_do_not(mode, outside):
    decorate, inside = mode
    log = []

    @decorate
    def parts(start):
        got = yield start, recorded()
        log.append((got, recorded()))
        try:
            yield "wait"
        except ValueError:
            log.append(("thrown", recorded()))
        try:
            yield "again"
        finally:
            log.append(("closed", recorded()))

    assert inspect.isgeneratorfunction(parts)
    it = parts(7)
    for step in (lambda: next(it), lambda: it.send("sent"), lambda: it.throw(ValueError()), it.close):
        step()
        assert rbe.is_grad_enabled() is outside
        assert recorded() is outside
    assert log == [("sent", inside), ("thrown", inside), ("closed", inside)]
    assert next(parts(1)) == (1, inside)

    @decorate
    def result():
        yield 1
        return recorded()

    def delegate():
        return (yield from result())

    it = delegate()
    next(it)
    with pytest.raises(StopIteration) as end:
        next(it)
    assert end.value.value is inside


def test_a_generator_made_in_one_mode_and_run_in_another():
    @rbe.no_grad()
    def endless():
        while True:
            yield recorded()

    it = endless()
    with rbe.no_grad():
        assert next(it) is False
    assert next(it) is False
    with rbe.enable_grad():
        assert next(it) is False
        assert recorded()


def test_coroutines_and_asynchronous_generators(mode, outside):
    decorate, inside = mode
    log = []

    @decorate
    async def work(delay):
        before = recorded()
        await asyncio.sleep(delay)
        return before, recorded()

    @decorate
    async def stream():
        try:
            for _ in range(3):
                await asyncio.sleep(0)
                got = yield recorded()
                if got is not None:
                    log.append(got)
        finally:
            log.append(recorded())

    async def other():
        await asyncio.sleep(0.001)
        return recorded()

    async def main():
        first = await asyncio.gather(work(0.002), other(), work(0.0))
        second = [(value, recorded()) async for value in stream()]
        third = stream()
        assert await third.asend(None) is inside
        assert await third.asend("sent") is inside
        with pytest.raises(KeyError):
            await third.athrow(KeyError())
        fourth = stream()
        await fourth.__anext__()
        await fourth.aclose()
        return first, second

    assert inspect.iscoroutinefunction(work)
    assert inspect.isasyncgenfunction(stream)
    first, second = asyncio.run(main())
    assert first == [(inside, inside), outside, (inside, inside)]
    assert second == [(inside, outside)] * 3
    assert log == [inside, "sent", inside, inside]
    assert rbe.is_grad_enabled() is outside


def test_errors_leave_the_mode_as_it_was(outside):
    @rbe.no_grad()
    def plain():
        raise KeyError("inside")

    @rbe.no_grad()
    def parts():
        yield 1
        raise KeyError("inside")

    with pytest.raises(KeyError):
        plain()
    with pytest.raises(KeyError):
        list(parts())
    assert rbe.is_grad_enabled() is outside


def test_classes_are_made_in_the_mode_with_a_warning():
    class Plain:
        def __init__(self):
            self.made = rbe.is_grad_enabled()

        def method(self):
            return rbe.is_grad_enabled()

    with pytest.warns(FutureWarning, match="Plain"):
        decorated = rbe.no_grad()(Plain)
    assert decorated is Plain
    assert (Plain().made, Plain().method()) == (False, True)


def test_what_cannot_be_called_is_refused():
    for decorate in (rbe.no_grad(), rbe.no_grad, rbe.set_grad_enabled(True)):
        with pytest.raises(rbe.DTypeError, match="int"):
            decorate(3)
    assert rbe.is_grad_enabled()


def test_one_context_may_be_entered_again_and_nested():
    mode = rbe.no_grad()
    with mode:
        with rbe.enable_grad(), mode:
            assert not recorded()
        assert not recorded()
    assert recorded()
    with mode:
        assert not recorded()
