"""Laws that hold for any modifiers together: executors agree, resuming changes nothing."""

from typing import Any

import pytest
import torch
from cases import EXECUTORS, apart, copies, give, gradients, layouts
from hypothesis import given, settings
from hypothesis import strategies as st
from modified import saved

import descend
from descend.methods import TABLE

DOSES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "accumulate": st.fixed_dictionaries({"accumulate": st.integers(1, 3)}),
    "clip_norm": st.fixed_dictionaries({"clip_norm": st.sampled_from([0.1, 1.0, 100.0])}),
    "clip_value": st.fixed_dictionaries({"clip_value": st.sampled_from([0.1, 0.5])}),
    "clip_adaptive": st.fixed_dictionaries({"clip_adaptive": st.sampled_from([0.01, 0.5])}),
    "mars": st.fixed_dictionaries({"mars": st.just(0.025)}, optional={"mars_beta": st.just(0.5)}),
    "cautious": st.fixed_dictionaries({"cautious": st.booleans()}),
    "decay": st.fixed_dictionaries({"decay": st.sampled_from(["decoupled", "coupled", "corrected", None])}),
    "lookahead": st.fixed_dictionaries({"lookahead": st.integers(1, 4)}),
    "average": st.fixed_dictionaries(
        {"average": st.sampled_from([0.5, 0.99, 1])},
        optional={"average_from": st.integers(1, 5), "average_warmup": st.booleans()},
    ),
}


@st.composite
def parts(draw):
    """Some modifiers, in some dose."""
    chosen = draw(st.lists(st.sampled_from(list(DOSES)), unique=True, max_size=5))
    return {k: v for name in chosen for k, v in draw(DOSES[name]).items()}


@st.composite
def runs(draw):
    """Two groups with their own modifiers, which change once; the calls before and after, and a method."""
    name = draw(st.sampled_from(["sgd", "adamw", "lion"]))
    return name, [draw(parts()) for _ in range(3)], [draw(st.integers(0, 5)) for _ in range(2)]


def descended(method, tensors, calls, seed):
    for call, found in zip(range(calls), gradients(tensors, seed), strict=False):
        give(tensors, found)
        if call % 2:  # an expert that is used every other time
            tensors[1].grad = None
        method.step()


def started(run, tensors, executor):
    name, (first, second, _), _ = run
    groups = [{"params": tensors[:3], **first}, {"params": tensors[3:], **second}]
    return TABLE[name](groups, lr=0.01, weight_decay=0.1, executor=executor)


def points(method, tensors):
    with method.evaluation():
        return [p.detach().clone() for p in tensors]


@settings(max_examples=40, deadline=None)
@given(runs())
@pytest.mark.parametrize("executor", [name for name in EXECUTORS if name != "reference"])
def test_executors_agree_and_any_state_can_be_resumed(executor, run):
    _, (_, _, changes), (before, after) = run
    sure_tensors, tensors = layouts(), layouts()
    sure, mine = started(run, sure_tensors, "reference"), started(run, tensors, executor)
    descended(sure, sure_tensors, before, 1)
    descended(mine, tensors, before, 1)
    others = copies(tensors)
    resumed = started(run, others, executor)
    resumed.load_state_dict(saved(mine.state_dict()))
    for method, own in ((sure, sure_tensors), (mine, tensors), (resumed, others)):
        method.param_groups[1].update(changes)
        descended(method, own, after, 2)
    assert all(map(torch.equal, tensors, others))
    assert all(map(torch.equal, points(mine, tensors), points(resumed, others)))
    for p, q in zip(tensors, sure_tensors, strict=True):
        assert apart(p, q) <= 1e-12
    for p, q in zip(points(mine, tensors), points(sure, sure_tensors), strict=True):
        assert apart(p, q) <= 1e-12


def test_the_table_is_complete():
    assert set(DOSES) | {"sam"} == set(descend.methods.modifiers.MODIFIERS)
