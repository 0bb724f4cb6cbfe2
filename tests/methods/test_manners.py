"""The manners of a drop-in for torch.optim: what torch's users and libraries rely on."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.distributed as dist
from cases import (
    CASES,
    apart,
    compared,
    copies,
    every_executor,
    executors,
    give,
    gradients,
    has,
    laid_out,
    layouts,
    lr,
    methods,
    unless,
)
from pairs import Pair, distances, feed
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import descend
from descend.errors import UsageError
from descend.methods import TABLE


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


native = pytest.mark.parametrize("name", [name for name in compared if CASES[name].native])
"""The methods that torch has too."""


def descended(name, method, parameters, steps, seed=1):
    for _, found in zip(range(steps), gradients(parameters, seed), strict=False):
        feed(CASES[name], parameters, found)
        method.step()


def fits(name, model):
    """A network's parameters, as far as the method takes them."""
    takes = TABLE[name].takes
    return [p for p in model.parameters() if takes is None or takes(p)]


def saved(state):
    """Through a file and back, as a careful person reads it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def same(parameters, others):
    return all(torch.equal(p, q) for p, q in zip(parameters, others, strict=True))


# Gradients --------------------------------------------------------------------------------------
@every_executor
def test_gradients_stay_untouched(name, variant, executor):
    parameters = laid_out(name)
    method = TABLE[name](parameters, executor=executor, **{**lr(name), **variant})
    for _, found in zip(range(3), gradients(parameters), strict=False):
        feed(CASES[name], parameters, found)
        given = [p.grad for p in parameters]
        before = [g.detach().clone() for g in given]
        method.step()
        assert all(p.grad is g for p, g in zip(parameters, given, strict=True))
        assert same([g.detach() for g in given], before)
        kept = {x.data_ptr() for own in method.state.values() for x in own.values() if torch.is_tensor(x)}
        assert not kept & {g.data_ptr() for g in given if g.numel()}


@methods
def test_zero_grad(name):
    parameters = laid_out(name)
    method = TABLE[name](parameters)
    give(parameters, next(gradients(parameters)))
    method.zero_grad(set_to_none=False)
    assert all(not p.grad.any() for p in parameters)
    method.zero_grad()
    assert all(p.grad is None for p in parameters)


@methods
def test_without_any_gradient_nothing_happens(name):
    parameters = laid_out(name)
    before = copies(parameters)
    method = TABLE[name](parameters)
    method.step()
    assert same(parameters, before)
    assert not method.state


# Hyperparameters --------------------------------------------------------------------------------
@native
def test_hyperparameters_are_torchs(name):
    ours = TABLE[name](laid_out(name), **lr(name)).param_groups[0]
    torchs = CASES[name].reference(laid_out(name), **lr(name)).param_groups[0]
    forms = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}
    theirs = {k: v for k, v in torchs.items() if k not in forms | {"params"}}
    assert theirs == {k: v for k, v in ours.items() if k in theirs}


@methods
@pytest.mark.parametrize("schedule", ["lambda", "cosine", "one-cycle"])
def test_schedulers(name, schedule):
    if not has(name, "lr"):
        pytest.skip("it has no learning rate that a schedule could change")
    unless(name, "schedulers")
    case = CASES[name]
    cycled = schedule == "one-cycle" and case.cyclic is not None
    pair = Pair(name, laid_out(name))
    make = {
        "lambda": lambda method: LambdaLR(method, lambda step: 0.9**step),
        "cosine": lambda method: CosineAnnealingLR(method, 15),
        "one-cycle": lambda method: OneCycleLR(
            method, max_lr=10 * case.lr, total_steps=16, cycle_momentum=cycled
        ),
    }[schedule]
    mine = make(pair.mine)
    theirs = make(pair.sure.optimizers[0]) if case.native else None
    changing = ["lr", case.cyclic] if cycled else ["lr"]
    for _, found in zip(range(15), gradients(pair.parameters), strict=False):
        ours = pair.mine.param_groups[0]
        if not case.native:
            pair.sure.update(**{k: ours[k] for k in changing})
        pair.step(found)
        mine.step()
        if theirs is not None:
            theirs.step()
            torchs = pair.sure.optimizers[0].param_groups[0]
            assert [ours[k] for k in changing] == [torchs[k] for k in changing]
    pair.agree()


@methods
@pytest.mark.parametrize("kind", [torch.tensor, np.float32])
def test_a_learning_rate_of_another_type(name, kind):
    if not has(name, "lr"):
        pytest.skip("it has no learning rate")
    parameters = laid_out(name)
    others = copies(parameters)
    mine, sure = TABLE[name](parameters, lr=kind(0.25)), TABLE[name](others, lr=0.25)
    descended(name, mine, parameters, 1)
    descended(name, sure, others, 1)
    assert same(parameters, others)
    mine.param_groups[0]["lr"], sure.param_groups[0]["lr"] = kind(0.5), 0.5
    descended(name, mine, parameters, 1)
    descended(name, sure, others, 1)
    assert same(parameters, others)


@methods
@executors
def test_the_programs_follow_the_hyperparameters(name, executor):
    """A decay or a momentum that is switched on or off on the way is another path through the rule."""
    parameters = laid_out(name)
    others = copies(parameters)
    mine = TABLE[name](parameters, executor=executor, **lr(name))
    sure = TABLE[name](others, executor="reference", **lr(name))
    off = {"weight_decay": 0.0} if has(name, "weight_decay") else {}
    on = {"weight_decay": 0.5} if has(name, "weight_decay") else {}
    for changes in (on, {"maximize": True}, off, {"maximize": False}):
        for method, tensors in ((mine, parameters), (sure, others)):
            method.param_groups[0].update(changes)
            descended(name, method, tensors, 2)
        assert max(distances(parameters, others)) <= CASES[name].double


@methods
def test_groups_and_names(name):
    first, second = ([(n, p) for n, p in network()[i].named_parameters()] for i in (0, 2))
    takes = TABLE[name].takes or (lambda p: True)
    first, second = ([(n, p) for n, p in x if takes(p)] for x in (first, second))
    usual = TABLE[name].defaults.get("eps")
    eps = (0.5,) * len(usual) if isinstance(usual, tuple) else 0.5
    method = TABLE[name]([{"params": first, "eps": eps}])
    method.add_param_group({"params": second, "maximize": True})
    assert [g.get("eps") for g in method.param_groups] == [eps, usual]
    assert [g["maximize"] for g in method.param_groups] == [False, True]
    saved = method.state_dict()["param_groups"]
    assert [g["param_names"] for g in saved] == [[n for n, _ in first], [n for n, _ in second]]
    descended(name, method, [p for _, p in first + second], 1)


def test_positional_hyperparameters_are_in_torchs_order():
    group = descend.SGD(layouts(), 0.1, 0.9, 0.0, 0.2, True).param_groups[0]
    assert [group[k] for k in ("lr", "momentum", "weight_decay", "nesterov")] == [0.1, 0.9, 0.2, True]
    group = descend.Adam(layouts(), 0.1, (0.5, 0.6), 1e-3, 0.2, True).param_groups[0]
    assert [group[k] for k in ("lr", "betas", "eps", "weight_decay")] == [0.1, (0.5, 0.6), 1e-3, 0.2]
    assert group["amsgrad"]


# State ------------------------------------------------------------------------------------------
@every_executor
def test_resuming_in_the_middle_changes_no_bit(name, variant, executor):
    def start(parameters):
        return TABLE[name](parameters, executor=executor, **{**lr(name), **variant})

    parameters = laid_out(name)
    method = start(parameters)
    descended(name, method, parameters, 5)
    middle, state = copies(parameters), saved(method.state_dict())
    descended(name, method, parameters, 5, seed=2)
    resumed = start(middle)
    resumed.load_state_dict(state)
    descended(name, resumed, middle, 5, seed=2)
    assert same(parameters, middle)


@pytest.mark.parametrize(
    ("name", "variant"), [(n, v) for n in compared if CASES[n].native for v in CASES[n].variants]
)
def test_continuing_from_torchs_own_state(name, variant):
    parameters = laid_out(name)
    sure = CASES[name].reference(parameters, **CASES[name].theirs({**lr(name), **variant}))
    descended(name, sure, parameters, 10)
    others = copies(parameters)
    mine = TABLE[name](others)
    mine.load_state_dict(saved(sure.state_dict()))
    descended(name, sure, parameters, 10, seed=2)
    descended(name, mine, others, 10, seed=2)
    assert max(distances(others, parameters)) <= CASES[name].double


def test_continuing_from_torchs_state_of_complex_parameters():
    gradient = torch.tensor([1 + 2j, 3 - 1j], dtype=torch.complex128)
    p = nn.Parameter(gradient.clone())
    p.grad = gradient * (1 - 1j)
    sure = torch.optim.Adam([p], lr=0.01)
    sure.step()
    other = nn.Parameter(p.detach().clone())
    other.grad = p.grad.clone()
    mine = descend.Adam([other], lr=0.01)
    mine.load_state_dict(saved(sure.state_dict()))
    for _ in range(3):
        sure.step()
        mine.step()
    assert apart(torch.view_as_real(other.detach()), torch.view_as_real(p.detach())) <= 1e-12


@methods
def test_state_keeps_its_dtype(name):
    parameters = laid_out(name, torch.bfloat16)
    method = TABLE[name](parameters, **lr(name))
    descended(name, method, parameters, 2)
    state = method.state_dict()
    for own in state["state"].values():
        own.update({k: v.float() for k, v in own.items() if torch.is_tensor(v)})
    other = TABLE[name](copies(parameters), **lr(name))
    other.load_state_dict(saved(state))
    for (p, own), kept in zip(other.state.items(), state["state"].values(), strict=True):
        assert p.dtype == torch.bfloat16
        for key, value in kept.items():
            if torch.is_tensor(value):
                assert own[key].dtype == torch.float32
                assert torch.equal(own[key], value)
                assert own[key].data_ptr() != value.data_ptr() or not value.numel()


@methods
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_go_on_alone(name, copied):
    parameters = laid_out(name)
    method = TABLE[name](parameters, executor="reference", **lr(name))
    descended(name, method, parameters, 3)
    other = copied(method)
    assert other.executor == "reference"
    others = other.param_groups[0]["params"]
    assert same(parameters, others)
    descended(name, method, parameters, 3, seed=2)
    assert not same(parameters, others)
    descended(name, other, others, 3, seed=2)
    assert same(parameters, others)


def test_a_subclass_is_the_same_method():
    class Mine(descend.Adam):
        """Adam with another learning rate."""

        lr: float = 0.5

    parameters = layouts()
    others = copies(parameters)
    mine, sure = Mine(parameters, maximize=True), descend.Adam(others, lr=0.5, maximize=True)
    descended("adam", mine, parameters, 3)
    descended("adam", sure, others, 3)
    assert same(parameters, others)
    assert mine.param_groups[0]["betas"] == (0.9, 0.999)


# Around the step --------------------------------------------------------------------------------
@methods
def test_hooks_of_all_optimizers_fire(name):
    """Those of one optimizer are in ``test_generic.py``."""
    parameters = laid_out(name)
    method, seen = TABLE[name](parameters), []
    handles = [
        register_optimizer_step_pre_hook(lambda *_: seen.append("before")),
        register_optimizer_step_post_hook(lambda *_: seen.append("after")),
    ]
    descended(name, method, parameters, 1)
    for handle in handles:
        handle.remove()
    assert seen == ["before", "after"]


@methods
def test_gradient_scaler(name):
    """A step that overflows is left out, whole."""
    unless(name, "scaler")
    model, other = network(), network()
    tensors, others = fits(name, model), fits(name, other)
    mine = TABLE[name](tensors, **lr(name))
    sure = TABLE[name](others, executor="reference", **lr(name))
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    for factor in (1.0, 1.0, float("inf"), 1.0):
        for net, method in ((model, mine), (other, sure)):
            net.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = net(x).float().square().mean() * factor
            if method is mine:
                scaler.scale(loss).backward()
                scaler.step(mine)
                scaler.update()
            elif factor == 1.0:
                loss.backward()
                sure.step()
    assert scaler.get_scale() == 2.0**3
    assert max(distances(tensors, others)) < 1e-5


@methods
def test_compiled_model(name):
    unless(name, "compiled")
    model = network()
    method = TABLE[name](fits(name, model), **lr(name))
    compiled = torch.compile(model, backend="eager")
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    losses = []
    for _ in range(10):
        model.zero_grad()
        loss = compiled(x).square().mean()
        loss.backward()
        method.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.fixture
def process_group(tmp_path):
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason="torch was built without distributed")
@pytest.mark.parametrize("way", ["replicated", "sharded"])
def test_distributed(way, process_group):
    model, alone = network(), network()
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    if way == "replicated":
        wrapped = nn.parallel.DistributedDataParallel(model)
    else:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        wrapped = fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    nets = ((wrapped, {}), (alone, {}))
    for net, _ in nets:
        method = descend.AdamW(net.parameters(), lr=0.1)
        for _ in range(3):
            method.zero_grad()
            net(x).square().mean().backward()
            method.step()
    for p, q in zip(wrapped.parameters(), alone.parameters(), strict=True):
        p = p.full_tensor() if hasattr(p, "full_tensor") else p
        assert torch.allclose(p, q, rtol=1e-6, atol=1e-7)


def test_the_compiler_is_not_imported():
    """torch.optim imports it on the first call, which costs two seconds before the first step."""
    script = (
        "import sys, torch\n"
        "from descend.methods import TABLE\n"
        "for cls in TABLE.values():\n"
        "    w = torch.nn.Parameter(torch.ones(4, 3))\n"
        "    method = cls([w])\n"
        "    method.add_param_group({'params': [torch.nn.Parameter(torch.ones(2, 3))]})\n"
        "    (w * w).sum().backward(create_graph=getattr(method, 'needs_graph', False))\n"
        "    method.step()\n"
        "    method.zero_grad()\n"
        "    method.load_state_dict(method.state_dict())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


# Errors -----------------------------------------------------------------------------------------
@methods
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lr": -1.0}, "lr at least 0"),
        ({"lr": float("nan")}, "lr at least 0"),
        ({"lr": "fast"}, "lr at least 0"),
        ({"lr": True}, "lr at least 0"),
        ({"weight_decay": -0.1}, "weight_decay at least 0"),
        ({"learning_rate": 0.1}, "a hyperparameter of"),
        ({"weight_decya": 0.1}, "did you mean weight_decay"),
        ({"executor": "forech"}, "did you mean foreach"),
        ({"differentiable": True}, "differentiable=False"),
    ],
)
def test_wrong_hyperparameters(name, given, expected):
    if not has(name, key := next(iter(given))) and key in ("lr", "weight_decay"):
        expected = "a hyperparameter of"
    if "weight_decya" in given and not has(name, "weight_decay"):
        expected = "a hyperparameter of"
    with pytest.raises(UsageError, match=expected):
        TABLE[name](laid_out(name), **given)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sgd", {"momentum": 1.0}),
        ("sgd", {"momentum": -0.1}),
        ("sgd", {"momentum": 0.9, "dampening": 1.5}),
        ("sgd", {"nesterov": True}),
        ("nesterov", {"dampening": 0.1}),
        ("adam", {"betas": (0.9, 1.0)}),
        ("adam", {"betas": 0.9}),
        ("adamw", {"betas": (0.9, 0.99, 0.999)}),
        ("adamw", {"eps": -1e-8}),
    ],
)
def test_out_of_range(name, given):
    with pytest.raises(UsageError):
        TABLE[name](layouts(), **given)


@methods
def test_a_refused_group_is_not_added(name):
    wrong = {"lr": -1.0} if has(name, "lr") else {"maximise": True}
    method = TABLE[name](laid_out(name))
    with pytest.raises(UsageError):
        method.add_param_group({"params": [nn.Parameter(torch.ones(2, 3))], **wrong})
    assert len(method.param_groups) == 1


def test_too_many_positional():
    with pytest.raises(UsageError, match="at most"):
        descend.SGD(layouts(), *range(20))


def test_sparse_gradients_are_refused_before_anything_moves():
    embedding = nn.Embedding(5, 2, sparse=True)
    dense = nn.Parameter(torch.ones(2))
    method = descend.Adam([{"params": [dense]}, {"params": embedding.parameters()}])
    (embedding(torch.tensor([1])).sum() + dense.sum()).backward()
    with pytest.raises(UsageError, match="sparse"):
        method.step()
    assert torch.equal(dense, torch.ones(2))
    assert not method.state


def test_unknown_method():
    with pytest.raises(UsageError, match="did you mean adam"):
        descend.optimizer("adamv", network())


def test_a_model_without_trainable_parameters():
    with pytest.raises(UsageError, match="trainable"):
        descend.optimizer("adam", network().requires_grad_(False))


def test_by_name_takes_a_module_with_its_names():
    method = descend.optimizer("Adam-W", network(), lr=0.5)
    assert type(method) is descend.AdamW
    assert method.param_groups[0]["param_names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_step_that_the_host_counts_is_not_captured(monkeypatch):
    """A graph would replay the host's numbers of one step for ever; nothing has moved or been counted."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    model = network()
    opt = descend.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    with pytest.raises(UsageError, match="after each replay"):
        opt.step()
    assert not opt.state


def test_capturable_is_for_cuda_devices():
    p = nn.Parameter(torch.ones(2))
    opt = descend.AdamW([p], capturable=True)
    p.grad = torch.ones(2)
    with pytest.raises(UsageError, match="leave capturable out"):
        opt.step()
    assert torch.equal(p, torch.ones(2))
