"""Addresses of many tensors, seen by machine code: as Python tells them, whatever happens to the tensors."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import test_fused
import torch
from cases import apart
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fused import EVENTS
from torch import nn

import descend
from descend.methods.executors import addresses, glance
from descend.methods.executors.addresses import Addresses
from descend.methods.executors.cpu import plan

WAYS = ["machine code", "Python"]
SHAPES = [(4, 4), (5, 2), (6,), ()]


@pytest.fixture
def for_all(monkeypatch):
    """Have machine code look at any number of tensors."""
    monkeypatch.setattr(plan, "MANY", 1)


def made(way, dtype=torch.float32):
    """Return parameters with gradients, their state, and what looks at them."""
    w = [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in SHAPES]
    for p in w:
        p.grad = torch.randn_like(p)
    state = {"w": w, "m": [torch.zeros_like(p) for p in w], "v": [torch.zeros_like(p) for p in w]}
    places = state | {"g": [p.grad for p in w]}
    found = Addresses(places, (), 1 if way == "machine code" else 1000)
    assert found.looks == (way == "machine code")
    assert found.look([p.grad for p in w])
    found.tell()
    return w, state, found


def test_torch_has_all_that_is_needed():
    assert glance.works() or sys.platform == "win32"


def narrower(x):
    return x.float() if x.dtype == torch.float64 else x.half()


QUIET = {
    "nothing": lambda w, state: None,
    "other numbers": lambda w, state: [x.add_(1) for x in state["m"]],
    "gradient written": lambda w, state: w[0].grad.mul_(2),
}
MOVES = {
    "parameter": lambda w, state: setattr(w[1], "data", w[1].data.clone()),
    "state": lambda w, state: setattr(state["v"][2], "data", state["v"][2].data.clone()),
    "gradient": lambda w, state: setattr(w[3], "grad", torch.ones(())),
    "inside": lambda w, state: torch.utils.swap_tensors(state["m"][1], state["m"][1] + 1),
    "memory": lambda w, state: state["m"][0].set_(torch.ones_like(w[0].data)),
    "grown": lambda w, state: state["m"][0].untyped_storage().resize_(1 << 20),
}
CHANGES = {
    "no gradient": lambda w, state: setattr(w[2], "grad", None),
    "sparse": lambda w, state: setattr(w[0], "grad", torch.ones(4, 4).to_sparse()),
    "gradient's order": lambda w, state: setattr(w[1], "grad", torch.ones(2, 5).t()),
    "gradient's size": lambda w, state: w[0].grad.resize_(5),
    "gradient's format": lambda w, state: setattr(w[0].grad, "data", torch.ones(4, 4).double()),
    "narrower state": lambda w, state: setattr(state["m"][0], "data", narrower(state["m"][0])),
    "smaller state": lambda w, state: setattr(state["m"][0], "data", torch.zeros(3)),
    "transposed": lambda w, state: setattr(w[0], "data", w[0].data.t()),
    "device": lambda w, state: torch.utils.swap_tensors(state["m"][1], torch.ones(5, 2, device="meta")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", [*QUIET, *MOVES, *CHANGES])
def test_what_happens_to_a_tensor_is_seen(way, what):
    w, state, found = made(way)
    ({**QUIET, **MOVES, **CHANGES}[what])(w, state)
    seen = found.look([p.grad for p in w])
    if what in CHANGES:
        assert seen is None
        return
    assert seen is (what in MOVES)
    told = found.tell()
    for name, at in told.items():
        values = [p.grad for p in w] if name == "g" else state[name]
        assert list(at) == [x.data_ptr() for x in values]
    assert set(told) == {"g"} if what == "gradient" else not seen or set(told) == {"g", "w", "m", "v"}
    assert found.look([p.grad for p in w]) is False


def test_memory_that_was_given_back_is_not_written_to():
    w, _, found = made("machine code")
    w[0].untyped_storage().resize_(0)
    assert found.look(None) is None


@settings(max_examples=50, deadline=None)
@given(moves=st.lists(st.tuples(st.sampled_from(["w", "m", "v", "g"]), st.integers(0, 3)), max_size=8))
def test_any_moves_are_followed(moves):
    w, state, found = made("machine code")
    kept = []
    for name, i in moves:
        if name == "g":
            kept.append(w[i].grad)
            w[i].grad = torch.ones_like(w[i])
        else:
            kept.append(state[name][i].data)
            state[name][i].data = state[name][i].data.clone()
        assert found.look(None)
        known = found.tell()
        assert list(known["g"]) == [p.grad.data_ptr() for p in w]
        assert name == "g" or list(known[name]) == [x.data_ptr() for x in state[name]]
        assert found.look(None) is False


def test_gradients_are_not_kept_alive():
    w, _, found = made("machine code")
    alive = [weakref.ref(p.grad) for p in w]
    for p in w:
        p.grad = None
    gc.collect()
    assert not any(x() is not None for x in alive)
    assert found.look(None) is None


# Methods ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", ["adamw", "lamb", "prodigy"])
def test_a_step_like_the_last_one_notices_what_changed(event, name, for_all):
    test_fused.test_a_step_like_the_last_one_notices_what_changed(event, name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", [MOVES, CHANGES])
def test_a_method_goes_on_from_where_its_state_is(change, way, monkeypatch):
    """Kernels must not write where state was, nor read it as what it is no more."""
    monkeypatch.setattr(plan, "MANY", 1 if way == "machine code" else 1000)
    for what in ("state", "inside", "memory") if change is MOVES else ("narrower state", "transposed"):
        found = []
        for executor in ("fused", "reference"):
            torch.manual_seed(0)
            w = [nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in SHAPES]
            method = descend.AdamW(w, lr=0.1, executor=executor)
            for p in w:
                p.grad = torch.empty_like(p)
            for step in range(6):
                for p in w:
                    p.grad.copy_(torch.randn(p.shape, dtype=p.dtype))
                if step == 4:
                    state = {n: [method.state[p][n] for p in w] for n in ("m", "v")}
                    change[what](w, state)
                method.step()
                if executor == "fused" and step == 3:
                    assert all(held.looks == (way == "machine code") for held in method._held.values())
            found.append(w)
        assert max(apart(p, q) for p, q in zip(*found, strict=True)) <= (1e-13 if change is MOVES else 1e-6)


def test_the_step_is_the_same_either_way(monkeypatch):
    found = []
    for many in (1, 1000):
        monkeypatch.setattr(plan, "MANY", many)
        torch.manual_seed(0)
        w = [nn.Parameter(torch.randn(shape)) for shape in SHAPES * 3]
        method = descend.AdamW([{"params": w[:5]}, {"params": w[5:], "lr": 0.1}])
        for step in range(6):
            for i, p in enumerate(w):
                p.grad = None if step > 2 and i == 7 else torch.randn(p.shape)
            method.step()
            assert step in (0, 3) or all(held.looks == (many == 1) for held in method._held.values())
        found.append((w, method.state_dict()["state"]))
    for a, b in zip(*(w for w, _ in found), strict=True):
        assert torch.equal(a, b)
    for i, own in found[0][1].items():
        for name, x in own.items():
            assert torch.equal(torch.as_tensor(x), torch.as_tensor(found[1][1][i][name]))


def test_without_it_python_is_asked(monkeypatch):
    monkeypatch.setattr(glance, "works", lambda: False)
    monkeypatch.setattr(plan, "MANY", 1)
    p = nn.Parameter(torch.ones(3))
    method = descend.SGD([p], lr=0.1)
    for _ in range(3):
        p.grad = torch.ones(3)
        method.step()
    (held,) = method._held.values()
    assert not held.looks and isinstance(held.plans[0][1].addresses._seen, addresses._Asked)
    assert torch.allclose(p, torch.full((3,), 0.7))


ON_CUDA = """
from dataclasses import replace

import torch

import descend
from descend.methods.executors.cuda import compiled, plan
from descend.methods.executors.engines import ENGINES

kernel = lambda f: compiled.Kernel(f.parameters, lambda *_: None)
compiled.load = lambda functions, _: {f.name: kernel(f) for f in functions}
ENGINES["cpu"] = replace(ENGINES["cuda"], available=lambda: True)
for many in (1, 1000):
    plan.MANY = many
    w = [torch.nn.Parameter(torch.randn(n)) for n in (3, 8, 5)]
    method = descend.Prodigy(w)
    kept = []

    def step():
        method.step()
        (held,) = method._held.values()
        used = held.plans[0][1]
        assert used.looks == (many == 1)
        rows = used.code.machine.rows
        for name, row in rows.items():
            values = [p.grad for p in w] if name == "g" else w if name == "w" else None
            if name in used.for_all:
                assert used.layout.columns[row, 0] == method.param_groups[0][name].data_ptr(), name
                continue
            values = values or [method.state[p][name] for p in w]
            assert used.layout.columns[row].tolist() == [x.data_ptr() for x in values], name
        assert (used.layout.table.numpy() == used.layout.columns).all()
        return used

    for p in w:
        p.grad = torch.ones_like(p)
    method.step()
    first = step()
    kept += [w[1].data, w[2].grad]
    w[1].data, w[2].grad = w[1].data.clone(), torch.ones_like(w[2])
    assert step() is first
    for own in method.state.values():
        for x in own.values():
            if isinstance(x, torch.Tensor):
                kept.append(x.data)
                x.data = x.data.clone()
    assert step() is first
    for name in first.for_all:
        x = method.param_groups[0][name]
        kept.append(x.data)
        x.data = x.data.clone()
    assert step() is first
print("well")
"""


def test_a_cuda_device_is_told_where_everything_is():
    """In a process of its own, for its kernels do nothing."""
    root = str(Path(descend.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", ON_CUDA]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout == "well\n", found.stderr
