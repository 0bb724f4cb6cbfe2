"""Any hyperparameters: every executor is the oracle, whatever they are and however they change."""

import pytest
import torch
from cases import copies, give, laid_out
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import agree

from descend.methods import TABLE
from descend.methods.method import EXECUTORS

STEPS = 6

unit = st.floats(0.0, 0.99)
eps = st.floats(1e-8, 1.0)  # without any, a quotient of two roundings may come out
ANY = {
    "lr": st.floats(1e-4, 1.0),
    "weight_decay": st.sampled_from([0.0, 0.01, 0.5]),
    "maximize": st.booleans(),
    "momentum": st.sampled_from([0.0, 0.3, 0.95]),
    "dampening": st.just(0.0),
    "nesterov": st.just(False),
    "betas": st.tuples(unit, st.floats(0.0, 0.9999)),
    "eps": eps,
    "amsgrad": st.booleans(),
    "alpha": st.floats(0.3, 1.0, exclude_max=True),
    "centered": st.booleans(),
    "rho": unit,
    "lr_decay": st.floats(0.0, 1.0),
    "initial_accumulator_value": st.floats(0.0, 1.0),
    "etas": st.tuples(st.floats(0.1, 0.9), st.floats(1.1, 3.0)),
    "step_sizes": st.tuples(st.floats(0.0, 0.1), st.floats(0.1, 10.0)),
    "momentum_decay": st.floats(0.0, 1.0),
    "decoupled_weight_decay": st.booleans(),
    "lambd": st.floats(0.0, 0.5),
    "t0": st.floats(0.0, 10.0),
    "trust_coefficient": st.floats(1e-3, 1.0),
}
MODULES = ("gradient", "averaged", "adam", "adam_variants", "adaptive", "sign", "layerwise")
NAMES = [name for name, cls in TABLE.items() if cls.__module__.rpartition(".")[2] in MODULES]


def drawn(data, name):
    return {key: data.draw(ANY[key], key) for key in TABLE[name].defaults}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_every_executor_is_the_oracle(name, data):
    """With hyperparameters that change in the middle, and a gradient that is missing now and then."""
    first, second = drawn(data, name), drawn(data, name)
    start = laid_out(name)
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32), "seed"))
    found = [[torch.randn(p.shape, generator=generator).double() for p in start] for _ in range(STEPS)]
    missing = data.draw(st.sets(st.integers(0, STEPS - 1)), "missing")
    ends = {}
    for executor in EXECUTORS:
        ends[executor] = parameters = copies(start)
        method = TABLE[name](parameters, executor=executor, **first)
        for step, g in enumerate(found):
            if step == STEPS // 2:
                method.param_groups[0].update(second)
            give(parameters, g)
            if step in missing:
                parameters[0].grad = None
            method.step()
    for executor, parameters in ends.items():
        agree(parameters, ends["reference"], 1e-11, start)
        assert all(p.isfinite().all() for p in parameters), executor
