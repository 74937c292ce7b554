"""How much of torch's databases has run, and how much must: a gate that skipped half of them would pass in silence otherwise."""

import collections

RAN: collections.Counter[str] = collections.Counter()

# What a run of `make test-peers` compares. More is welcome, after which the number here goes up.
LEAST = {
    "operations": 330,
    "calls of operations": 36_037,
    "modules": 93,
    "cases of modules": 3_340,
    "optimisers": 9,
    "runs of optimisers": 448,
    "schedules": 15,
    "courses of schedules": 802,
}


def assert_enough(*kinds):
    assert {kind: RAN[kind] for kind in kinds if RAN[kind] < LEAST[kind]} == {}, "less was compared than before"
