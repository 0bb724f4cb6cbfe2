"""What a rule is compiled to, and laws that hold for every method whichever executor runs it."""

import itertools
import threading
from time import sleep

import pytest
import torch
from cases import CASES, apart, copies, executors, gradients, laid_out, lr, methods, shares, unless
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import feed

from descend.methods import TABLE
from descend.methods.equations import total, where
from descend.methods.executors import foreach
from descend.methods.method import EXECUTORS
from descend.methods.rule import Batch, elementwise, one_a_tensor, rule


def program(name, step=2, p=None, **changes):
    """The portable program of a parameter, by default of the first in the tests."""
    cls = TABLE[name]
    form = cls.rule.form(laid_out(name)[0] if p is None else p) if cls.rule.form else None
    return foreach.program(cls.rule, {**cls.defaults, **changes}, step, form)


def calls(name, **changes):
    return program(name, **changes).source.partition("def step(")[2].count("torch.")


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.passes and name in TABLE])
def test_no_more_calls_than_by_hand(name):
    assert calls(name) <= CASES[name].passes


def test_adamw_by_another_path():
    assert calls("adamw", amsgrad=True) <= 9
    assert calls("adamw", weight_decay=0.0) <= 7
    assert calls("adamw", maximize=True) <= 9


@methods
def test_few_programs(name):
    """The step count and the values of hyperparameters make no new program; zeros, flags and branches do."""
    for p in laid_out(name):
        changes = [{"lr": 0.1 * step} if "lr" in TABLE[name].defaults else {} for step in range(1, 51)]
        found = {id(program(name, step, p, **h)) for step, h in enumerate(changes, 1)}
        assert len(found) <= CASES[name].programs


# Laws -------------------------------------------------------------------------------------------
def descended(name, parameters, found, groups=None):
    decay = {"weight_decay": 0.1} if "weight_decay" in TABLE[name].defaults else {}
    method = TABLE[name](groups or parameters, **lr(name), **decay)
    for g in found:
        feed(CASES[name], parameters, g)
        method.step()
    return parameters


def same(name, parameters, others):
    """Equal bit for bit, or to rounding where sums over all parameters come in another order."""
    if shares(name):
        return max(map(apart, parameters, others)) <= 1e-9
    return all(map(torch.equal, parameters, others))


@methods
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_permuting_parameters_permutes_results(name, data):
    unless(name, "permutation")
    parameters = laid_out(name)
    order = data.draw(st.permutations(range(len(parameters))))
    found = [g for _, g in zip(range(4), gradients(parameters), strict=False)]
    permuted = [copies(parameters)[i] for i in order]
    descended(name, parameters, found)
    descended(name, permuted, [[g[i] for i in order] for g in found])
    assert same(name, [parameters[i] for i in order], permuted)


@methods
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_splitting_into_groups_changes_nothing(name, data):
    parameters = laid_out(name)
    cuts = data.draw(st.sets(st.integers(1, len(parameters) - 1)))
    found = [g for _, g in zip(range(4), gradients(parameters), strict=False)]
    others = copies(parameters)
    edges = [0, *sorted(cuts), len(others)]
    groups = [{"params": others[a:b]} for a, b in itertools.pairwise(edges)]
    descended(name, parameters, found)
    descended(name, others, found, groups)
    assert same(name, parameters, others)


@methods
@settings(max_examples=6, deadline=None, derandomize=True)
@given(stop=st.integers(0, 5), executor=st.sampled_from(list(EXECUTORS)))
def test_resuming_at_any_step(name, stop, executor):
    parameters = laid_out(name, torch.float32)
    found = [g for _, g in zip(range(6), gradients(parameters), strict=False)]
    method = TABLE[name](parameters, executor=executor, **lr(name))
    others, other = None, None
    for step, g in enumerate(found):
        if step == stop:
            others = copies(parameters)
            other = TABLE[name](others, executor=executor, **lr(name))
            other.load_state_dict(method.state_dict())
        for tensors, m in ((parameters, method), (others, other)):
            if tensors is not None:
                feed(CASES[name], tensors, g)
                m.step()
    if others is not None:
        assert all(map(torch.equal, parameters, others))


# Totals -----------------------------------------------------------------------------------------
runs = pytest.mark.parametrize("run", EXECUTORS.values(), ids=list(EXECUTORS))


def batch(values, step=1, g=1.0, **kept):
    w = [torch.tensor([float(x)], dtype=torch.float64) for x in values]
    lists = {name: [torch.zeros_like(x) for x in w] for name in kept}
    return Batch(
        w, [torch.full_like(x, g) for x in w], lists, [step] * len(w), {"lr": 0.1, "flag": step == 1}
    )


@runs
def test_a_total_is_over_all_groups(run):
    @rule()
    def mean_free(w, g, s, h):
        return w - total(w) / total(w * 0.0 + 1.0)

    groups = [batch([1, 2]), batch([3, 6], step=2)]
    run(mean_free, groups)
    assert [float(x) for b in groups for x in b.w] == [-2, -1, 0, 3]


@runs
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


@runs
def test_totals_of_threads_stay_apart(run):
    @rule()
    def slow(w, g, s, h):
        found = total(w)
        sleep(0.001)  # lets the other thread in
        return w + found + total(g)

    groups = [[batch([i, i])] for i in range(4)]

    def work(mine):
        for _ in range(5):
            run(slow, mine)

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
    EXECUTORS[executor](equations, [found])
    assert [float(x) for x in found.w] == [3, 4]


@executors
def test_what_is_not_assigned_stays(executor):
    @rule(a=elementwise, b=elementwise)
    def equations(w, g, s, h):
        s.a = s.b * 2 + g
        return w - s.b

    found = batch([1], a=1, b=1)
    found.kept["b"][0].fill_(5)
    EXECUTORS[executor](equations, [found])
    assert [float(found.kept["a"][0]), float(found.kept["b"][0]), float(found.w[0])] == [11, 5, -4]


def test_apart_measures():
    assert apart(torch.tensor([1.0, 100.0]), torch.tensor([2.0, 100.0])) == pytest.approx(0.01)
