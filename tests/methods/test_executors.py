"""What a rule is compiled to, and laws that hold for every method whichever executor runs it."""

import itertools
import threading
from time import sleep

import pytest
import torch
from cases import LR, apart, copies, executors, give, gradients, layouts, methods
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.methods import TABLE
from descend.methods.equations import total, where
from descend.methods.executors import foreach, reference
from descend.methods.rule import Batch, elementwise, one_a_tensor, rule

CALLS = {"sgd": 1, "momentum": 3, "nesterov": 4, "adam": 7, "adamw": 8}
"""Passes over memory, at the defaults: as few as by hand."""


def calls(name, **changes):
    source = foreach.program(TABLE[name].rule, {**TABLE[name].defaults, **changes}, 2).source
    return source.partition("def step(")[2].count("torch.")


@methods
def test_no_more_calls_than_by_hand(name):
    assert calls(name) <= CALLS.get(name, 100)


def test_adamw_by_another_path():
    assert calls("adamw", amsgrad=True) <= 9
    assert calls("adamw", weight_decay=0.0) <= 7
    assert calls("adamw", maximize=True) <= 9


@methods
def test_few_programs(name):
    """The step count and the values of hyperparameters make no new program; zeros and flags do."""
    programs = {
        id(foreach.program(TABLE[name].rule, {**TABLE[name].defaults, "lr": 0.1 * step}, step))
        for step in range(1, 50)
    }
    assert len(programs) == 1


# Laws -------------------------------------------------------------------------------------------
def descended(name, parameters, found, groups=None):
    method = TABLE[name](groups or parameters, lr=LR, weight_decay=0.1)
    for g in found:
        give(parameters, g)
        method.step()
    return parameters


@methods
@settings(max_examples=15, deadline=None, derandomize=True)
@given(order=st.permutations(range(5)))
def test_permuting_parameters_permutes_results(name, order):
    parameters = layouts(torch.float32)
    found = [g for _, g in zip(range(5), gradients(parameters), strict=False)]
    permuted = [copies(parameters)[i] for i in order]
    descended(name, parameters, found)
    descended(name, permuted, [[g[i] for i in order] for g in found])
    assert all(torch.equal(parameters[i], p) for i, p in zip(order, permuted, strict=True))


@methods
@settings(max_examples=15, deadline=None, derandomize=True)
@given(cuts=st.sets(st.integers(1, 4)))
def test_splitting_into_groups_changes_nothing(name, cuts):
    parameters = layouts(torch.float32)
    found = [g for _, g in zip(range(5), gradients(parameters), strict=False)]
    others = copies(parameters)
    edges = [0, *sorted(cuts), len(others)]
    groups = [{"params": others[a:b]} for a, b in itertools.pairwise(edges)]
    descended(name, parameters, found)
    descended(name, others, found, groups)
    assert all(map(torch.equal, parameters, others))


@methods
@settings(max_examples=15, deadline=None, derandomize=True)
@given(stop=st.integers(0, 8), executor=st.sampled_from(["foreach", "reference"]))
def test_resuming_at_any_step(name, stop, executor):
    parameters = layouts(torch.float32)
    found = [g for _, g in zip(range(8), gradients(parameters), strict=False)]
    method = TABLE[name](parameters, lr=LR, executor=executor)
    others, other = None, None
    for step, g in enumerate(found):
        if step == stop:
            others = copies(parameters)
            other = TABLE[name](others, lr=LR, executor=executor)
            other.load_state_dict(method.state_dict())
        for tensors, m in ((parameters, method), (others, other)):
            if tensors is not None:
                give(tensors, g)
                m.step()
    if others is not None:
        assert all(map(torch.equal, parameters, others))


# Totals -----------------------------------------------------------------------------------------
def batch(values, step=1, g=1.0, **kept):
    w = [torch.tensor([float(x)], dtype=torch.float64) for x in values]
    lists = {name: [torch.zeros_like(x) for x in w] for name in kept}
    return Batch(
        w, [torch.full_like(x, g) for x in w], lists, [step] * len(w), {"lr": 0.1, "flag": step == 1}
    )


@pytest.mark.parametrize("run", [foreach.run, reference.run])
def test_a_total_is_over_all_groups(run):
    @rule()
    def mean_free(w, g, s, h):
        return w - total(w) / total(w * 0.0 + 1.0)

    groups = [batch([1, 2]), batch([3, 6], step=2)]
    run(mean_free, groups)
    assert [float(x) for b in groups for x in b.w] == [-2, -1, 0, 3]


@pytest.mark.parametrize("run", [foreach.run, reference.run])
def test_programs_meet_at_the_same_totals(run):
    """One branch needs the first total and another does not, or has two that are equal: all count them."""

    @rule()
    def equations(w, g, s, h):
        first = total(where(s.step == 1, g, w))
        second = total(g)
        return w + (first if h.flag else 0.0) + second

    groups = [batch([1, 2], step=1, g=10.0), batch([100, 200], step=2, g=1000.0)]
    run(equations, groups)
    # First: 10 + 10 + 100 + 200; second: 10 + 10 + 1000 + 1000.
    assert [float(x) for b in groups for x in b.w] == [1 + 320 + 2020, 2 + 320 + 2020, 100 + 2020, 200 + 2020]


def test_totals_of_threads_stay_apart():
    @rule()
    def slow(w, g, s, h):
        found = total(w)
        sleep(0.001)  # lets the other thread in
        return w + found + total(g)

    groups = [[batch([i, i])] for i in range(4)]

    def work(mine):
        for _ in range(5):
            reference.run(slow, mine)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, (mine,) in enumerate(groups):
        expected = float(i)
        for _ in range(5):
            expected += 2 * expected + 2
        assert [float(x) for x in mine.w] == [expected, expected]


# Names ------------------------------------------------------------------------------------------
@executors
def test_any_name_may_be_kept(executor):
    """Also those of the program's own variables."""

    @rule(c=elementwise, t0=elementwise, c0=one_a_tensor, aside=elementwise, x=elementwise)
    def equations(w, g, s, h):
        s.c, s.t0, s.aside = s.t0 + g, s.c + 1, s.x + s.c0
        s.c0 = s.c0 + h.lr
        return w + s.c + s.t0 + s.aside

    found = batch([1, 2], c=1, t0=1, c0=1, aside=1, x=1)
    found.kept["c0"] = [torch.zeros((), dtype=torch.float64) for _ in found.w]
    run = {"foreach": foreach.run, "reference": reference.run}[executor]
    run(equations, [found])
    assert [float(x) for x in found.w] == [3, 4]


@executors
def test_what_is_not_assigned_stays(executor):
    @rule(a=elementwise, b=elementwise)
    def equations(w, g, s, h):
        s.a = s.b * 2 + g
        return w - s.b

    found = batch([1], a=1, b=1)
    found.kept["b"][0].fill_(5)
    {"foreach": foreach.run, "reference": reference.run}[executor](equations, [found])
    assert [float(found.kept["a"][0]), float(found.kept["b"][0]), float(found.w[0])] == [11, 5, -4]


def test_apart_measures():
    assert apart(torch.tensor([1.0, 100.0]), torch.tensor([2.0, 100.0])) == pytest.approx(0.01)
