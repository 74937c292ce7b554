"""Cycles of references through the tape: hooks, user-defined operations and checkpoints that hold their own tensors."""

import rbe
from rbe import nn


class Probe:
    """Something that a cycle holds, and that tells when it is gone."""


def leaf():
    return rbe.ones(3, requires_grad=True)


class Owner:
    """An object that keeps tensors whose tape holds its methods."""

    def __init__(self, probe):
        self.probe = probe

    def method(self, *args):
        return args[0] * 2.0 if args and isinstance(args[0], rbe.RBETensor) else None


def hook_on_a_leaf(probe):
    x = leaf()
    x.register_hook(lambda g, x=x: probe and None)


def hook_on_a_leaf_that_was_used(probe):
    x = leaf()
    x.register_hook(lambda g: None)
    (x * 2.0).sum().backward()


def hook_whose_handle_is_kept(probe):
    owner = Owner(probe)
    owner.x = leaf()
    owner.handle = owner.x.register_hook(owner.method)


def hook_on_a_result(probe):
    h = leaf() * 2.0
    h.register_hook(lambda g, h=h: probe and None)


def hook_on_a_result_that_holds_the_loss(probe):
    h = leaf() * 2.0
    kept = []
    h.register_hook(lambda g: None)
    kept.append((h * 3.0).sum())
    del h


def hook_through_a_diamond(probe):
    h = leaf() * 2.0
    kept = []
    h.register_hook(lambda g: None)
    a, b = h * 3.0, h * 4.0
    kept.append((a + b * a).sum())


def hook_of_a_parameter(probe):
    module = nn.Linear(3, 2)
    module.probe = probe
    module.weight.register_hook(lambda g: module and None)
    module(rbe.ones(3)).sum().backward()


def hook_of_a_packed_parameter(probe):
    module = nn.RBELinear(64, 2)
    module.probe = probe
    module.weight.register_hook(lambda g: module and None)
    module(rbe.ones(64)).sum().backward()


def hooks_of_a_module(probe):
    module = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    module.probe = probe
    module.register_full_backward_hook(lambda m, gi, go: module and None)
    module.register_forward_hook(lambda m, args, y: setattr(module, "last", y))
    module(leaf()).sum()


class Keeps(rbe.autograd.Function):
    """An operation whose context is kept by a probe's owner."""

    @staticmethod
    def forward(ctx, x, owner):
        ctx.save_for_backward(x)
        owner.ctx = ctx
        return x * 2.0

    @staticmethod
    def backward(ctx, dy):
        return dy * 2.0, None


def context_that_holds_its_result(probe):
    owner = Owner(probe)
    y = Keeps.apply(leaf(), owner)
    owner.ctx.y, owner.ctx.owner = y, owner


def context_that_holds_its_result_after_backward(probe):
    owner = Owner(probe)
    y = Keeps.apply(leaf(), owner)
    owner.ctx.y, owner.ctx.owner = y, owner
    y.sum().backward()


def several_results(probe):
    class Two(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            Two.ctx = ctx
            return x * 1.0, x * 2.0

        @staticmethod
        def backward(ctx, a, b):
            return a + b

    a, b = Two.apply(leaf())
    Two.ctx.a, Two.ctx.probe = a + b, probe


def registered_operation(probe):
    kept = []
    operation = rbe.register_operation("kept", lambda x: x * 2.0, lambda dy, y, x: (probe, kept) and dy * 2.0)
    kept.append(operation(leaf()) * 3.0)


def checkpoint_of_a_method(probe):
    owner = Owner(probe)
    owner.y = rbe.autograd.checkpoint(owner.method, leaf())


def checkpoint_with_parameters(probe):
    owner = Owner(probe)
    owner.x = leaf()
    owner.y = rbe.autograd.checkpoint(lambda v: owner.method(v) * owner.x, leaf()).sum()


def graph_of_methods(probe):
    for strategy in ({"strategy": "every", "every": 2}, {"strategy": "adaptive", "budget_bytes": 1}):
        owner = Owner(probe)
        graph = rbe.ComputationGraph()
        for _ in range(5):
            graph.register_operation("double", owner.method)
        owner.y = graph.enable_checkpointing(**strategy).execute(leaf())


def scripted_method(probe):
    owner = Owner(probe)
    owner.f = rbe.jit.script(owner.method)
    owner.y = owner.f(leaf())


CYCLES = [
    hook_on_a_leaf, hook_on_a_leaf_that_was_used, hook_whose_handle_is_kept, hook_on_a_result, hook_on_a_result_that_holds_the_loss,
    hook_through_a_diamond, hook_of_a_parameter, hook_of_a_packed_parameter, hooks_of_a_module, context_that_holds_its_result,
    context_that_holds_its_result_after_backward, several_results, registered_operation, checkpoint_of_a_method,
    checkpoint_with_parameters, graph_of_methods, scripted_method,
]  # fmt: skip
