"""Steps that a CUDA graph replays; where there is no device, a stand-in for graphs does."""

import copy
import io

import pytest
import torch
from cases import apart, copies, gradients, laid_out, lr, methods
from graphs import Graph
from interpreted import READY, as_on_cuda
from test_cuda import BOUND
from torch import nn

import descend
from descend.errors import UsageError
from descend.methods import TABLE

pytestmark = pytest.mark.skipif(not READY, reason="Triton was imported before")

PERIODIC = {"galore", "soap", "shampoo", "psgdkron"}
"""Methods whose equations are others every so many steps."""
DIFFERENTIATING = {"adahessian", "sophia"}
WARM = 7
"""Steps before the capture; RAdam's equations are others until its sixth."""


@pytest.fixture(autouse=True)
def device():
    with as_on_cuda():
        yield


def parameters(name, dtype=torch.float32):
    return [nn.Parameter(p.detach().contiguous()) for p in laid_out(name, dtype)]


def fill(ps, gs):
    """Put numbers into gradients that stay where they are, as in a graph."""
    for p, g in zip(ps, gs, strict=True):
        if p.grad is None:
            p.grad = torch.zeros_like(p)
        p.grad.copy_(g)


def elsewhere(ps):
    """Have gradients in other memory, as a graph has its own."""
    for p in ps:
        p.grad = torch.full_like(p, 7) if p.grad is None else p.grad.clone()


def numbers(method):
    """Return parameters and what is kept, but for step counts."""
    found = [p.detach() for group in method.param_groups for p in group["params"]]
    for own in method.state.values():
        found += [x for name, x in own.items() if isinstance(x, torch.Tensor) and name != "step"]
    return found + [
        x for g in method.param_groups for n, x in g.items() if isinstance(x, torch.Tensor) and n != "lr"
    ]


def replayed(name, dtype=torch.float32, steps=4, warm=WARM, **given):
    """Return the numbers after steps in a graph, those without, and the graph."""
    found = []
    for capturable in (True, False):
        ps = copies(parameters(name, dtype))
        method = TABLE[name](ps, **{**lr(name), **given}, capturable=capturable)
        graph = None
        for k, (_, g) in enumerate(zip(range(warm + steps), gradients(ps), strict=False)):
            if k == warm:
                elsewhere(ps)
            fill(ps, g)
            if capturable and k == warm:
                graph = Graph()
                with graph.captured():
                    method.step()
            if graph is not None:
                graph.replay()
            else:
                method.step()
        found.append((method, graph))
    (method, graph), (sure, _) = found
    counts = [int(own["step"]) for own in method.state.values()]
    assert counts == [own["step"] for own in sure.state.values()] == [warm + steps] * len(counts)
    return numbers(method), numbers(sure), graph


@methods
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_replays_are_steps(name, dtype):
    if name in DIFFERENTIATING:
        with pytest.raises(UsageError, match="differentiates"):
            TABLE[name](parameters(name), capturable=True)
        return
    if name in PERIODIC:
        with pytest.raises(UsageError, match="others at step"):
            replayed(name, dtype)
        return
    mine, sure, graph = replayed(name, dtype)
    assert graph.launches
    for x, y in zip(mine, sure, strict=True):
        assert apart(x, y) <= BOUND[dtype]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("adamw", {"clip_norm": 0.1}),
        ("prodigy", {"clip_norm": 0.1}),
        ("muon", {"clip_norm": 0.1, "average": 0.9}),
        ("lion", {"average": 0.99, "average_warmup": True}),
        ("sgd", {"cautious": True, "clip_value": 0.05}),
        ("adamw", {"state_format": "8-bit"}),
        ("lamb", {"state_format": "bfloat16", "rounding_seed": 3}),
    ],
    ids=str,
)
def test_modifiers_and_number_formats(name, given):
    """What is rounded by chance has the very bits that the host's count gives."""
    mine, sure, _ = replayed(name, **given)
    for x, y in zip(mine, sure, strict=True):
        assert (
            torch.equal(x, y) if "state_format" in given and x.dtype != torch.float32 else apart(x, y) < 1e-5
        )


def test_parameters_by_chance_are_the_same_bits():
    found = []
    for capturable in (True, False):
        p = nn.Parameter(torch.linspace(-2, 2, 4096).reshape(64, 64).to(torch.bfloat16))
        opt = descend.AdamW(
            [p], lr=0.1, state_format="8-bit", parameter_format="bfloat16+8", capturable=capturable
        )
        fill([p], [torch.cos(torch.arange(4096.0)).reshape(64, 64).to(torch.bfloat16)])
        opt.step()
        graph = Graph()
        if capturable:
            with graph.captured():
                opt.step()
        for _ in range(3):
            graph.replay() if capturable else opt.step()
        found.append([p.detach(), *(opt.state[p][x] for x in ("m", "v", "m:exponents", "w:correction"))])
    assert all(map(torch.equal, *found))


def captured_network(name="adamw", **given):
    """Return a network's parameters with gradients, a method that has stepped, and a graph of its step."""
    torch.manual_seed(0)
    ps = [nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(7))]
    opt = TABLE[name](ps, capturable=True, **given)
    fill(ps, [torch.ones_like(p) for p in ps])
    opt.step()
    elsewhere(ps)
    graph = Graph()
    with graph.captured():
        opt.step()
    return ps, opt, graph


def test_totals_over_several_groups_and_dtypes():
    found = []
    for capturable in (True, False):
        ps = [
            nn.Parameter(torch.linspace(-1, 1, n).to(dtype))
            for n, dtype in ((9, torch.float64), (6, torch.float32))
        ]
        groups = [{"params": [ps[0]], "lr": 1.0}, {"params": [ps[1]], "lr": 0.5}]
        opt = descend.Prodigy(groups, capturable=capturable)
        fill(ps, [torch.cos(p.detach()) for p in ps])
        opt.step()
        graph = Graph()
        if capturable:
            with graph.captured():
                opt.step()
        for _ in range(4):
            graph.replay() if capturable else opt.step()
        found.append(numbers(opt))
    assert max(map(apart, *found)) < 1e-6


def test_only_gradients_addresses_are_sent_in_a_replay():
    """The rest is on the device already; rows of what is made on the way are put back."""
    assert captured_network(lr=0.1)[2].pokes == 1
    assert captured_network("lamb", lr=0.1)[2].pokes == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_rate_on_the_device_is_read_in_every_replay(dtype):
    """Torch's schedules fill it in place; a rate that is a number stays what it was."""
    rate = torch.tensor(0.1, dtype=dtype)
    ps, opt, graph = captured_network(lr=rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)
    qs = [nn.Parameter(p.detach().clone()) for p in ps]
    fill(qs, [p.grad for p in ps])
    sure = torch.optim.AdamW(qs, lr=0.1, weight_decay=0.1, foreach=False)
    sure.load_state_dict(
        {
            "state": {
                i: {
                    "step": torch.tensor(1.0, device="cpu"),
                    "exp_avg": opt.state[p]["m"].clone(),
                    "exp_avg_sq": opt.state[p]["v"].clone(),
                }
                for i, p in enumerate(ps)
            },
            "param_groups": sure.state_dict()["param_groups"],
        }
    )
    for k in range(3):
        graph.replay()
        sure.param_groups[0]["lr"] = 0.1 * 0.5**k
        sure.step()
        schedule.step()
        assert opt.param_groups[0]["lr"] is rate
        assert max(map(apart, ps, qs)) < 1e-6


def test_betas_on_the_device():
    beta = torch.tensor(0.9)
    ps, opt, graph = captured_network(lr=0.1, betas=(beta, 0.999))
    before = opt.state[ps[0]]["m"].clone()
    beta.fill_(0.0)
    graph.replay()
    assert not torch.equal(before, ps[0].grad) and torch.equal(opt.state[ps[0]]["m"], ps[0].grad)


def test_replays_and_steps_take_turns():
    """Counts lie where both find them."""
    ps, opt, graph = captured_network(lr=0.1)
    qs = [nn.Parameter(p.detach().clone()) for p in ps]
    sure = descend.AdamW(qs, lr=0.1, executor="reference")
    fill(qs, [p.grad for p in ps])
    sure.load_state_dict(copy.deepcopy(opt.state_dict()))
    for who in "rrsrssr":
        graph.replay() if who == "r" else opt.step()
        sure.step()
        assert max(map(apart, ps, qs)) < 1e-6
    assert [int(opt.state[p]["step"]) for p in ps] == [8, 8]


def test_two_graphs_of_one_method():
    """One for the steps in which an expert is used, one for the others."""
    ps, opt, both = captured_network(lr=0.1)
    opt.step()  # prepares another graph
    unused, ps[1].grad = ps[1].grad, None
    opt.step()
    alone = Graph()
    with alone.captured():
        opt.step()
    qs = [nn.Parameter(p.detach().clone()) for p in ps]
    sure = descend.AdamW(qs, lr=0.1, executor="reference")
    sure.load_state_dict(copy.deepcopy(opt.state_dict()))
    for k in range(6):
        (both if k % 3 else alone).replay()
        fill(qs, [torch.ones_like(p) for p in ps])
        qs[1].grad = torch.ones_like(ps[1]) if k % 3 else None
        sure.step()
        assert max(map(apart, ps, qs)) < 1e-6
    assert [int(opt.state[p]["step"]) for p in ps] == [9, 6]
    assert unused is not None


def test_gradients_of_a_scaled_loss():
    """An infinite gradient: nothing moves, and no step is counted, in the replay itself."""
    ps = [nn.Parameter(torch.randn(5, 3))]
    opt = descend.AdamW(ps, lr=0.1, capturable=True)
    fill(ps, [torch.full((5, 3), 8.0)])
    opt.grad_scale, opt.found_inf = torch.tensor(8.0), torch.tensor(0.0)
    opt.step()
    graph = Graph()
    with graph.captured():
        opt.step()
    graph.replay()
    q = nn.Parameter(ps[0].detach().clone())
    opt.found_inf.fill_(1.0)
    graph.replay()
    assert torch.equal(q, ps[0]) and int(opt.state[ps[0]]["step"]) == 2
    assert torch.allclose(opt.state[ps[0]]["m"], torch.full((5, 3), 1 - 0.9**2))
    opt.found_inf.fill_(0.0)
    graph.replay()
    assert int(opt.state[ps[0]]["step"]) == 3 and not torch.equal(q, ps[0])


def test_a_saved_state_goes_on_anywhere():
    ps, opt, graph = captured_network(lr=0.1)
    graph.replay()
    file = io.BytesIO()
    torch.save(opt.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    for given in ({}, {"capturable": True}):
        qs = [nn.Parameter(p.detach().clone()) for p in ps]
        other = descend.AdamW(qs, lr=0.1, **given)
        other.load_state_dict(copy.deepcopy(saved))
        fill(qs, [p.grad for p in ps])
        other.step()
        assert [int(other.state[q]["step"]) for q in qs] == [3, 3]
    graph.replay()
    assert max(map(apart, ps, qs)) == 0
    twin = copy.deepcopy(opt)
    assert twin._graphs is not None and not twin._graphs.kept


@pytest.mark.parametrize("name", ["adamw", "prodigy"])
def test_a_loaded_state_is_where_the_graph_looks_for_it(name):
    ps, opt, graph = captured_network(name, lr=torch.tensor(0.1))
    saved, before = copy.deepcopy(opt.state_dict()), [p.detach().clone() for p in ps]
    found = []
    for _ in range(2):
        for _ in range(3):
            graph.replay()
        found.append([p.detach().clone() for p in ps])
        with torch.no_grad():
            for p, value in zip(ps, before, strict=True):
                p.copy_(value)
        opt.load_state_dict(saved)
    assert all(map(torch.equal, *found))


def test_evaluation_between_replays():
    ps, opt, graph = captured_network("schedulefreeadamw", lr=0.1)
    graph.replay()
    before = ps[0].detach().clone()
    with opt.evaluation():
        assert not torch.equal(before, ps[0])
    assert torch.equal(before, ps[0])


# What cannot be -----------------------------------------------------------------------------------
def capture(opt):
    with Graph().captured():
        opt.step()


def stepped(steps=1, name="adamw", **given):
    ps = [nn.Parameter(torch.ones(3, 2))]
    opt = TABLE[name](ps, **given)
    fill(ps, [torch.ones(3, 2)])
    for _ in range(steps):
        opt.step()
    return opt


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: stepped(), "capturable=True"),
        (lambda: stepped(0, capturable=True), "outside of the graph first"),
        (lambda: stepped(2, "soap", capturable=True), "after each replay"),
        (lambda: stepped(2, "radam", capturable=True), "at step 6; capture after that step"),
        (lambda: stepped(2, accumulate=3, capturable=True), "accumulate"),
        (lambda: stepped(2, lookahead=5, capturable=True), "others at step"),
    ],
)
def test_what_cannot_be_captured(make, expected):
    opt = make()
    before = [p.detach().clone() for p in opt.param_groups[0]["params"]]
    with pytest.raises(UsageError, match=expected):
        capture(opt)
    assert all(map(torch.equal, before, opt.param_groups[0]["params"]))


def test_a_second_capture_needs_a_step_before():
    _, opt, _ = captured_network(lr=0.1)
    with pytest.raises(UsageError, match="once more outside"):
        capture(opt)


def test_other_executors_are_refused():
    with pytest.raises(UsageError, match="executor='fused'"):
        descend.AdamW([nn.Parameter(torch.ones(2))], executor="foreach", capturable=True)
