"""Watching changes nothing, survives what people do around a loop, and keeps to its budget."""

import copy
import gc
import sys
import weakref
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import descend
from descend.errors import UsageError
from descend.watching import resting
from descend.watching.clearing import Clearing
from descend.watching.graph import source
from descend.watching.optimizers import Optimizers
from descend.watching.resting import Rest
from descend.watching.script import watched
from descend.watching.watcher import Watcher


def network(dropout=0.0):
    torch.manual_seed(0)
    parts = [nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3)]
    return nn.Sequential(*parts)


def data(n=96):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=g)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()


def plain(model, optimizer, steps=30):
    x, y = data()
    for k in range(steps):
        at = slice(16 * (k % 6), 16 * (k % 6) + 16)
        optimizer.zero_grad()
        F.cross_entropy(model(x[at]), y[at]).backward()
        optimizer.step()


def accumulating(model, optimizer, steps=30):
    x, y = data()
    for k in range(steps):
        F.cross_entropy(model(x[k : k + 32]), y[k : k + 32]).backward()
        if k % 3 == 2:
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)


def with_a_closure(model, optimizer, steps=8):
    x, y = data()

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


def with_a_loader(model, optimizer, steps=30):
    loader = DataLoader(TensorDataset(*data()), batch_size=16, shuffle=True)
    for _ in range(steps // 6):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.CrossEntropyLoss()(model(x), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                (model(x).argmax(1) == y).float().mean()


def in_narrow_numbers(model, optimizer, steps=30):
    x, y = data()
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


LOOPS = [plain, accumulating, with_a_closure, with_a_loader, in_narrow_numbers]
OPTIMIZERS = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9),
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=1e-2),
    "descend": lambda ps: descend.Lion(ps, lr=1e-3),
    "lbfgs": lambda ps: torch.optim.LBFGS(ps, lr=0.1, max_iter=3),
}


PAIRS = [(f, name) for f in LOOPS for name in OPTIMIZERS if name != "lbfgs" or f is with_a_closure]
"""LBFGS wants a closure."""


@pytest.mark.parametrize(("loop", "name"), PAIRS, ids=lambda x: getattr(x, "__name__", x))
def test_everything_is_the_same_bits_with_and_without(loop, name):
    found = []
    for watching in (False, True):
        model = network(dropout=0.3)
        optimizer = OPTIMIZERS[name](model.parameters())
        torch.manual_seed(3)
        if watching:
            watcher = Watcher(budget=1.0)
            watcher.start()
        loop(model, optimizer)
        if watching:
            seen = watcher.stop()
            assert seen.steps and seen.windows
        state = [v for own in optimizer.state.values() for v in own.values() if isinstance(v, torch.Tensor)]
        found.append([*model.state_dict().values(), *state, torch.get_rng_state()])
        assert model.training or loop is with_a_loader
    assert all(map(torch.equal, *found))


def test_nothing_is_left_behind():
    """Hooks, modes and patched functions are gone, and neither model nor optimizer is kept alive."""

    def patched():
        switches = torch.no_grad.__enter__, torch.inference_mode.__enter__, nn.Module.train, torch.compile
        return *switches, torch.autograd.backward, DataLoader.__iter__, nn.Module.load_state_dict

    before = patched()
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with descend.watch(model, optimizer) as watch:
        plain(model, optimizer, 5)
    assert before == patched() and "__reduce_ex__" not in vars(nn.Module)
    assert not model._forward_pre_hooks and not torch.overrides._get_current_function_mode_stack()
    steps = watch.steps
    plain(model, optimizer, 3)
    assert watch.steps == steps == 5
    gone = [torch.nn.modules.module._global_forward_hooks, torch.nn.modules.module._global_forward_pre_hooks]
    assert not any(map(len, gone))


def test_it_ends_well_when_the_loop_does_not():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), descend.watch(model, optimizer) as watch:
        plain(model, optimizer, 4)
        1 / 0  # noqa: B018
    assert watch.steps == 4 and "ZeroDivisionError" in watch.seen.ended
    assert torch.autograd.backward.__module__ == "torch.autograd"


def test_what_is_seen_of_a_step():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    watcher = Watcher(budget=1.0)
    watcher.start()
    plain(model, optimizer, 1)
    seen = watcher.stop()
    (window,) = seen.windows
    moved = {m.name: m for m in window.moved}
    assert moved.keys() == before.keys()
    for name, p in model.named_parameters():
        assert moved[name].weight == pytest.approx(float(before[name].norm()), rel=1e-5)
        assert moved[name].update == pytest.approx(float((p - before[name]).norm()), rel=1e-3, abs=1e-9)
        assert moved[name].gradient == pytest.approx(moved[name].update / 0.1, rel=1e-3, abs=1e-7)
    assert [c.kind for c in window.layers] == ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    assert [c.follows for c in window.layers] == ["", "0", "1", "2", "3"]
    (criterion,) = window.criteria
    assert (criterion.name, criterion.classes, criterion.prediction) == ("cross_entropy", 3, (16, 3))
    assert seen.losses[0][1] == pytest.approx(criterion.value)
    assert window.backwards[0].sign == 1
    assert seen.roots[0].mode_matters == ["1"]  # a dropout of 0 makes no difference


def test_a_sample_tells_the_norm_of_the_whole():
    p = nn.Parameter(torch.randn(300, 400))
    optimizer = torch.optim.SGD([p], lr=0.5)
    watcher = Watcher(budget=1.0)
    watcher.start()
    p.square().sum().backward()
    gradient = float(p.grad.norm())
    optimizer.step()
    (moved,) = watcher.stop().windows[0].moved
    assert moved.gradient == pytest.approx(gradient, rel=0.05)


def test_losses_are_known_of_every_step_that_is_not_too_short_to_be_seen(monkeypatch):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    monkeypatch.setattr(resting, "OF_HOOKS", 1e9)
    with descend.watch(budget=0.001) as watch:
        plain(model, optimizer, 200)
    assert len(watch.seen.losses) == 200 and len(watch.seen.windows) < 100


@pytest.mark.parametrize(("of_losses", "fewest"), [(0.0, 24 + 176 // 8), (1e9, 199)])
def test_short_steps_are_counted_and_otherwise_left_alone(monkeypatch, of_losses, fewest):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    monkeypatch.setattr(resting, "OF_HOOKS", 0.0)
    monkeypatch.setattr(resting, "OF_LOSSES", of_losses)
    before = torch.autograd.backward, torch.no_grad.__enter__, dict(model._forward_pre_hooks)
    with descend.watch(budget=0.001) as watch:
        plain(model, optimizer, 150)
        model.eval()
        with torch.no_grad():
            model(torch.randn(7, 6))
        model.train()
        plain(model, optimizer, 50)
    assert (torch.autograd.backward, torch.no_grad.__enter__, dict(model._forward_pre_hooks)) == before
    seen = watch.seen
    assert seen.steps == seen.optimizers[0].steps == 200 and seen.accumulates == pytest.approx(1, abs=0.1)
    assert fewest <= len(seen.losses) <= fewest + 30
    assert [e.step for e in seen.evaluations] == [150] and seen.evaluations[0].examples == 7


def test_what_steps_while_short_steps_are_left_alone_is_still_known(monkeypatch):
    """A second optimizer, a new one in the place of the old, and gradients of several losses, by keyword."""
    model, other = network(), network()
    kept = torch.optim.SGD(model.parameters(), lr=0.05)
    monkeypatch.setattr(resting, "OF_HOOKS", 0.0)
    x, y = data()
    with descend.watch(budget=0.001) as watch:
        plain(model, kept, 150)
        for k in range(100):
            for net in (model, other):
                net.zero_grad()
            losses = [F.cross_entropy(net(x), y) for net in (model, other)]
            torch.autograd.backward(tensors=losses)
            kept.step()
            if k % 50 == 0:
                fresh = torch.optim.Adam(other.parameters())
            fresh.param_groups[0]["lr"] = 0.01 / (k + 1)
            fresh.step()
    seen = watch.seen
    assert [o.steps for o in seen.optimizers] == [250, 50, 50] and seen.steps == 350
    assert not seen.not_measured
    assert seen.optimizers[2].settings[-1][1][0]["lr"] == pytest.approx(1e-4)


def test_evaluations_are_told_from_training():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with descend.watch(budget=1.0) as watch:
        with_a_loader(model, optimizer)
    seen = watch.seen
    assert len(seen.evaluations) == 5 and all(e.calls == 6 and e.training == 0 for e in seen.evaluations)
    assert all(0 <= e.accuracy <= 1 for e in seen.evaluations[:-1])
    assert seen.loaders[0].shuffled and seen.loaders[0].iterators == 10 and seen.loaders[0].batches == 6
    assert seen.samples is not None and seen.samples.classes == 3


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_is_watched_as_far_as_it_can_be():
    model = torch.compile(network(), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with descend.watch(budget=1.0) as watch:
        plain(model, optimizer, 6)
    assert watch.steps == 6 and any("compiled" in x for x in watch.seen.not_measured)


def test_two_optimizers_and_a_detached_part():
    """A GAN's loop: windows belong to whichever optimizer steps, and no gradient is called stale."""
    torch.manual_seed(0)
    g, d = nn.Linear(3, 4), nn.Linear(4, 1)
    og, od = torch.optim.Adam(g.parameters()), torch.optim.Adam(d.parameters())
    with descend.watch(budget=1.0) as watch:
        for _ in range(12):
            real, z = torch.randn(8, 4), torch.randn(8, 3)
            od.zero_grad()
            (F.softplus(-d(real)).mean() + F.softplus(d(g(z).detach())).mean()).backward()
            od.step()
            og.zero_grad()
            F.softplus(-d(g(z))).mean().backward()
            og.step()
    assert {w.optimizer for w in watch.seen.windows} == {0, 1}
    assert all(w.stale == 0 for w in watch.seen.windows)


def test_the_budget_is_kept_by_thinning():
    model = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(64, 64), torch.randint(0, 3, (64,))
    with descend.watch(budget=0.03) as watch:
        for _ in range(600):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    seen = watch.seen
    allowed = 0.03 * seen.seconds + watch._watcher.budget.GRACE
    worst = max(w.seconds for w in seen.windows)
    assert seen.spent <= allowed + 2 * worst + 0.05  # what was begun in the budget may end beyond it
    assert 0 < len(seen.windows) < 600


def test_memory_that_is_kept_is_little():
    model = nn.Sequential(nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(256, 1000), torch.randint(0, 10, (256,))
    with descend.watch(budget=1.0) as watch:
        for _ in range(20):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    gc.collect()
    kept = [watch.seen.samples.x, watch.seen.samples.y]
    kept += [p.first for p in watch.seen.parameters.values() if p.first is not None]
    assert sum(t.numel() * t.element_size() for t in kept) < 4 << 20


def test_a_copy_of_the_model_is_asked_never_the_model():
    """What the model makes of its inputs is asked at the end, and neither statistics nor generators move."""
    model = network(dropout=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    watcher = Watcher(budget=1.0)
    watcher.start()
    plain(model, optimizer, 3)
    before, generator = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    seen = watcher.stop()
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert torch.equal(generator, torch.get_rng_state()) and model.training
    assert seen.roots[0].features == 6 and seen.roots[0].ignores == []


# Scripts ------------------------------------------------------------------------------------------
SCRIPT = """
import sys
import torch
torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
        optimizer.step()
    {ending}
"""


def test_a_script_runs_as_it_is(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(SCRIPT.format(ending="print('done')"))
    arguments = sys.argv[:]
    seen = watched(file, ["25"])
    assert (seen.steps, seen.ended) == (25, "finished") and sys.argv == arguments


def test_it_ends_after_so_many_steps(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(SCRIPT.format(ending=""))
    assert watched(file, ["1000"], steps=7).steps == 7


@pytest.mark.parametrize(
    ("ending", "told"), [("raise ValueError('no')", "ValueError: no"), ("sys.exit(3)", "SystemExit(3)")]
)
def test_how_a_script_ended(tmp_path, ending, told):
    file = tmp_path / "train.py"
    file.write_text(SCRIPT.format(ending=ending))
    seen = watched(file, ["5"])
    assert (seen.steps, seen.ended) == (5, told)


def test_there_must_be_a_script():
    with pytest.raises(UsageError, match="a Python file"):
        watched(Path("nowhere.py"), [])


def epochs(model, evaluate, steps=24):
    """Train for a while, and evaluate after every sixth step; return what was seen."""
    torch.manual_seed(1)
    x, y = data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with descend.watch(budget=1.0) as watch:
        for k in range(steps):
            optimizer.zero_grad()
            out = model(x[:32])
            F.cross_entropy(out["scores"] if isinstance(out, dict) else out, y[:32]).backward()
            optimizer.step()
            if k % 6 == 5:
                evaluate(model, x, y)
    return watch.seen


def test_what_is_told_without_gradients_may_be_compared_outside():
    def evaluate(model, x, y):
        model.eval()
        with torch.no_grad():
            out = model(x)
        F.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()
        model.train()

    seen = epochs(network(), evaluate)
    assert len(seen.evaluations) == 4
    assert all(0 <= e.accuracy <= 1 and len(e.criteria) == 1 for e in seen.evaluations)
    assert all(len(w.criteria) == 1 and w.criteria[0].grad for w in seen.windows)
    assert seen.samples.x.shape[1:] == data()[0].shape[1:]


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, x):
        return {"size": x.detach().norm(dim=1), "scores": self.body(x)}


def test_outputs_may_have_names():
    (root,) = epochs(Named(), lambda model, x, y: None).roots
    assert not root.ignores and root.features == data()[0].shape[1] and not root.unused_features


def test_it_is_noted_how_gradients_are_clipped():
    model, (x, y) = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    norms = []
    with descend.watch() as watch:
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.01)))
            optimizer.step()
    assert [(step, allowed) for step, allowed, _ in watch.seen.clips] == [(k, 0.01) for k in range(1, 6)]
    assert [norm for _, _, norm in watch.seen.clips] == pytest.approx(norms)


@pytest.mark.parametrize("channels_first", (False, True))
def test_places_of_sequences_are_kept_with_what_is_around_them(channels_first):
    torch.manual_seed(0)
    layer = nn.Conv1d(3, 2, 1) if channels_first else nn.Linear(3, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    x = torch.randn(8, 24, 3)
    y = (x[..., 0] > 0).long()
    with descend.watch(budget=1.0) as watch:
        for _ in range(3):
            optimizer.zero_grad()
            out = layer(x.transpose(1, 2)).transpose(1, 2) if channels_first else layer(x)
            F.cross_entropy(out.reshape(-1, 2), y.flatten()).backward()
            optimizer.step()
    kept = watch.seen.samples
    assert kept.kind == "places" and kept.x.shape[1] == 5 * 3
    assert torch.equal(kept.y, (kept.x[:, 2 * 3] > 0).long())  # the third of five places is its own
    assert all(torch.equal(labels, (given[..., 0] > 0).long()) for given, labels in kept.sequences)


def test_sequences_of_indices_are_kept_as_how_often_each_comes():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(40, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randint(50, (16, 10))
    y = (x == 7).any(1).long()
    with descend.watch(budget=1.0) as watch:
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    kept = watch.seen.samples
    assert kept.kind == "words" and bool((kept.x.sum(1) == 10).all())
    assert torch.equal(kept.y, (kept.x[:, 7] > 0).long())


@pytest.mark.parametrize("closure", (False, True))
@pytest.mark.parametrize("cleared", (False, True))
def test_whether_gradients_are_cleared_is_seen_in_the_first_steps_without_close_looks(cleared, closure):
    model, (x, y) = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def loss():
        if cleared:
            optimizer.zero_grad()
        out = F.cross_entropy(model(x), y)
        out.backward()
        return out

    with descend.watch(budget=1e-4) as watch:
        for _ in range(16):
            if closure:
                optimizer.step(loss)
            else:
                loss()
                optimizer.step()
    (facts,) = watch.seen.optimizers
    assert len(watch.seen.windows) < 10 and facts.looked >= 5
    assert facts.stale == (0 if cleared else facts.looked)


def test_of_gradients_nothing_is_said_where_no_backward_was_looked_at():
    p = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([p], lr=0.1)
    (p.square().sum()).backward()
    clearing = Clearing()
    clearing.used(0, optimizer, 1)
    assert clearing.stale(0) is None
    clearing.used(0, optimizer, 1)
    clearing.backward()
    assert clearing.stale(0) == 1
    clearing.used(0, optimizer, 1)
    optimizer.zero_grad()
    clearing.backward()
    assert clearing.stale(0) == 0


def test_of_two_optimizers_that_follow_one_backward_each_is_asked_whether_its_own_gradients_were_cleared():
    model, (x, y) = network(), data()
    parts = list(model.parameters())
    first, second = (torch.optim.SGD(p, lr=0.01) for p in (parts[:2], parts[2:]))
    with descend.watch() as watch:
        for _ in range(12):
            first.zero_grad()
            F.cross_entropy(model(x), y).backward()
            first.step()
            second.step()
    (finding,) = [f for f in watch.findings if f.cause == "missing-zero-grad"]
    assert watch.findings[0] is finding and finding.severity == "error"
    cleared, never = watch.seen.optimizers
    assert cleared.looked >= 3 and cleared.stale == 0 and never.stale == never.looked >= 3


def test_what_is_mapped_over_models_is_trained_as_it_is_and_its_steps_are_looked_at():
    models = [network() for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(models)
    x, y = data()

    def loss(own, held):
        return F.cross_entropy(torch.func.functional_call(models[0], (own, held), (x,)), y)

    optimizer = torch.optim.SGD(parameters.values(), lr=0.1)
    with descend.watch(budget=1.0) as watch:  # else on a busy machine one look may be all
        for _ in range(5):
            optimizer.zero_grad()
            torch.vmap(loss)(parameters, buffers).sum().backward()
            optimizer.step()
    assert watch.seen.not_measured == [] and len(watch.seen.windows) >= 2 and watch.seen.windows[-1].moved


def test_an_agent_that_acts_in_each_step_is_seen_as_far_as_half_the_budget_goes_and_the_rest_is_counted():
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(16, 4)
    with descend.watch(budget=0.01) as watch:
        for _ in range(1500):
            with torch.no_grad():
                model(x[:1])
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    seen = watch.seen
    assert 200 < len(seen.evaluations) < 1400 and len(seen.evaluations) + seen.unseen > 1400
    assert not any(f.cause == "evaluating-in-train-mode" for f in watch.findings if f.severity != "info")


def test_a_table_of_pairs_is_seen_in_a_loss_that_is_a_module_of_its_own():
    class Focal(nn.Module):
        def forward(self, p, y):
            return (-((1 - p) ** 2) * y * torch.log(p) - p**2 * (1 - y) * torch.log(1 - p)).mean()

    model, loss = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid()), Focal()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(32, 4)
    with descend.watch() as watch:
        for _ in range(6):
            optimizer.zero_grad()
            loss(model(x), (x[:, 0] > 0).float()).backward()
            optimizer.step()
    assert watch.findings[0].cause == "loss-broadcast" and watch.findings[0].severity != "info"


def test_an_evaluation_that_leaves_the_model_in_its_mode_is_told_of_though_no_later_step_is_looked_at():
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(32, 4)
    with descend.watch(budget=1e-4) as watch:
        for step in range(40):
            if step == 10:
                model.eval()
                with torch.no_grad():
                    model(x)
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    (root,) = watch.seen.roots
    assert root.trained_in_eval > 10 and root.trained - root.trained_in_eval >= 9
    (finding,) = [f for f in watch.findings if f.cause == "training-in-eval-mode"]
    assert finding is watch.findings[0] and finding.severity != "info"


def test_what_an_agent_drew_is_no_label():
    policy = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    x = torch.randn(64, 3)
    with descend.watch() as watch:
        for _ in range(4):
            given = torch.distributions.Bernoulli(logits=policy(x).squeeze(1))
            action = given.sample()
            optimizer.zero_grad()
            (-(given.log_prob(action) * (action - 0.5)).mean()).backward()
            optimizer.step()
    assert not list(watch.seen.criteria()) and watch.seen.samples is None


def test_layers_that_are_made_at_their_first_call_are_watched_from_the_second_on():
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
    x, y = torch.randn(32, 4), torch.randint(2, (32,))
    optimizer = None
    with descend.watch() as watch:
        for _ in range(6):
            loss = F.cross_entropy(model(x), y)
            optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert watch.seen.not_measured == [] and set(watch.seen.parameters) == set(dict(model.named_parameters()))


def test_a_reciprocal_is_no_failure_and_that_of_zero_is_found():
    p = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.SGD([p], lr=0.1)
    with descend.watch() as watch:
        for step in range(3):
            optimizer.zero_grad()
            ((p if step < 2 else p * 0).reciprocal().sum() * 1.0).backward()
            optimizer.step()
    assert watch.seen.not_measured == []
    assert watch.seen.not_finite is not None and watch.seen.not_finite.where == "reciprocal"


def test_after_a_failure_of_its_own_a_watcher_looks_again(monkeypatch):
    failures = iter([True])

    def fails(original):
        def see(self, *args):
            if next(failures, False):
                raise ValueError("of mine")
            return original(self, *args)

        return see

    monkeypatch.setattr(Optimizers, "look_at_state", fails(Optimizers.look_at_state))
    model, (x, y) = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with descend.watch() as watch:
        for _ in range(20):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert watch.seen.windows and "step 1: ValueError: of mine" in watch.seen.not_measured


@pytest.mark.parametrize("cleared", (True, False))
def test_steps_taken_by_hand_are_counted_looked_at_and_asked_whether_gradients_are_cleared(cleared):
    model, (x, y) = network(), data()
    with descend.watch(budget=0.5) as watch:
        for _ in range(20):
            if cleared:
                model.zero_grad()
            F.cross_entropy(model(x), y).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= 0.05 * p.grad
    seen = watch.seen
    (facts,) = seen.optimizers
    assert seen.steps == facts.steps == 19 and facts.kind == "ByHand"  # after the last there is no backward
    assert facts.looked >= 5 and facts.stale == (0 if cleared else facts.looked)
    window = seen.windows[-1]
    weight = next(m for m in window.moved if m.name == "0.weight")
    if cleared:
        assert weight.update == pytest.approx(0.05 * weight.gradient, rel=1e-3)
    assert len(window.backwards) == 1 and len(window.batches) == 1 and len(window.criteria) == 1
    assert len(window.layers) == len(list(model))
    warned = [f.cause for f in watch.findings if f.severity != "info"]
    assert warned == ([] if cleared else ["missing-zero-grad"])


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("of_losses", [0.0, 1e9])
def test_steps_taken_by_hand_are_left_alone_where_they_are_short(monkeypatch, of_losses, asked):
    monkeypatch.setattr(resting, "OF_HOOKS", 0.0)
    monkeypatch.setattr(resting, "OF_LOSSES", of_losses)
    torch.manual_seed(0)
    w = torch.zeros(6, 3, requires_grad=True)
    x, y = data()
    with descend.watch(budget=0.02) as watch:
        for _ in range(600):
            w.grad = None
            loss = F.cross_entropy(x @ w, y)
            if not asked:
                loss.backward()
            w.data -= 0.1 * (torch.autograd.grad(loss, w)[0] if asked else w.grad)
    seen = watch.seen
    assert seen.steps == seen.optimizers[0].steps == 599  # of the last one nothing tells
    assert [step for step, _ in seen.losses] == sorted(step for step, _ in seen.losses)
    assert 90 <= len(seen.losses) <= 600 and not seen.not_measured
    assert asked or seen.accumulates == pytest.approx(1, abs=0.1)


def test_steps_by_hand_with_gradients_that_were_asked_for_are_seen_and_change_nothing():
    x, y = data()

    def descend_by_hand():
        torch.manual_seed(0)
        ws = [torch.randn(6, 8), torch.randn(8, 3)]
        for w in ws:
            w.requires_grad_()
        speed = [torch.zeros_like(w) for w in ws]
        for _ in range(60):
            loss = F.cross_entropy((x @ ws[0]).relu() @ ws[1], y)
            for w, v, g in zip(ws, speed, torch.autograd.grad(loss, ws), strict=True):
                v.mul_(0.9).add_(g)
                w.data.sub_(0.05 * v)
        assert all(w.grad is None for w in ws)
        return ws

    plain, original = descend_by_hand(), torch.autograd.grad
    w = torch.ones(3, requires_grad=True)
    with descend.watch(budget=0.5):
        squares = w.square().sum()
        edge = torch.autograd.graph.get_gradient_edge(w)
        for inputs in (w, [w], (p for p in [w]), edge):  # whatever is asked for is given
            assert torch.equal(torch.autograd.grad(squares, inputs, retain_graph=True)[0], 2 * w)
        assert torch.equal(torch.autograd.grad(outputs=w.square().sum(), inputs=(p for p in [w]))[0], 2 * w)
    with descend.watch(budget=0.5) as watch:
        seen_too = descend_by_hand()
    assert torch.autograd.grad is original
    assert all(torch.equal(a, b) for a, b in zip(plain, seen_too, strict=True))
    seen = watch.seen
    assert seen.steps == 59 and len(seen.losses) == 60 and len(seen.windows) > 5 and not seen.not_measured
    assert all(m.update > 0 and m.gradient > 0 for m in seen.windows[-1].moved)
    assert not [f.cause for f in watch.findings if f.severity != "info"]


def test_an_optimizer_that_asks_for_several_losses_in_its_first_step_is_no_hand():
    model, (x, y) = network(), data()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

    def loss():
        optimizer.zero_grad()
        out = F.cross_entropy(model(x), y)
        out.backward()
        return out

    with descend.watch() as watch:
        for _ in range(4):
            optimizer.step(loss)
    assert [o.kind for o in watch.seen.optimizers] == ["LBFGS"] and watch.seen.steps == 4


def test_of_many_losses_that_one_step_asks_for_the_first_are_looked_at():
    model, (x, y) = network(), data()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=20, line_search_fn="strong_wolfe")
    asked = 0

    def closure():
        nonlocal asked
        asked += 1
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    with descend.watch(budget=100.0) as watch:
        optimizer.step(closure)
        optimizer.step(closure)
    windows = watch.seen.windows
    assert [w.step for w in windows] == [1, 2] and asked > 20
    assert sum(len(w.backwards) for w in windows) == len(watch.seen.losses) == asked
    for window in windows:
        assert len(window.criteria) == 2 and [c.name for c in window.layers].count("4") == 2
        assert len(window.batches) == 2 and window.moved and all(m.update > 0 for m in window.moved)
    assert watch.seen.roots[0].calls == asked


def test_a_step_that_asks_a_closure_once_is_seen_like_one_that_finds_its_gradients():
    def trained(closure):
        model, (x, y) = network(), data()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def asked():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            return loss

        with descend.watch(budget=100.0) as watch:
            for _ in range(6):
                if closure:
                    optimizer.step(asked)
                else:
                    asked()
                    optimizer.step()
        return watch.seen.windows

    for one, other in zip(trained(True), trained(False), strict=True):
        assert one.step == other.step and len(one.moved) == len(other.moved) == 6
        for a, b in zip(one.moved, other.moved, strict=True):
            assert (a.gradient, a.update) == (b.gradient, b.update)
            assert a.cosine == pytest.approx(b.cosine, nan_ok=True)
            assert one.step == 1 or a.before_clipping == b.before_clipping > a.gradient


@pytest.mark.parametrize("resting", [True, False])
def test_modules_that_are_only_evaluated_are_known_and_parts_of_a_model_are_not(monkeypatch, resting):
    """A copy is found when gradients are switched off; what a model asks itself so is a part of it."""
    monkeypatch.setattr(Rest, "wanted", lambda self: resting and self._watcher.seen.steps > 4)

    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.online, self.target = network(), network()

        def forward(self, x):
            with torch.no_grad():
                told = self.target(x)
            return self.online(x) - told

    model, (x, y) = Siamese(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    copied = copy.deepcopy(model.online).eval()
    with descend.watch(budget=0.03) as watch:
        for step in range(40):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            if step % 10 == 9:
                with torch.no_grad():
                    F.cross_entropy(copied(x), y)
    roots = watch.seen.roots
    assert [(r.kind, bool(r.calls)) for r in roots] == [("Siamese", True), ("Sequential", False)]
    assert roots[1].calls_without >= 3 and {e.root for e in watch.seen.evaluations} == {1}


def test_an_operation_is_told_whatever_form_its_result_has():
    x = torch.randn(6, 4, requires_grad=True)
    told = x.sigmoid()
    for same in (
        told,
        told[:, 0],
        told.T.reshape(-1),
        told[told > 0.5].double(),
        told.clamp(0.1, 0.9).unbind()[0],
    ):
        assert source(same) == "sigmoid"
    assert source(x.softmax(1).log()) == "log" and source(x) == "" and source(told + 1) == "add"


def test_copied_and_saved_modules_are_none_that_are_watched(tmp_path):
    model, (x, y) = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with descend.watch() as watch:
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        copied = copy.deepcopy(model)
        torch.save(model, tmp_path / "model.pt")
        assert model._forward_pre_hooks and not copied._forward_pre_hooks
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    assert not loaded._forward_pre_hooks and not model._forward_pre_hooks
    assert all(map(torch.equal, loaded.parameters(), copied.parameters()))
    assert [r.kind for r in watch.seen.roots] == ["Sequential"]


def test_parameters_are_freed_with_what_trained_them_though_what_was_seen_is_kept():
    with descend.watch() as watch:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        plain(model, optimizer, 5)
    kept = weakref.ref(model[0].weight)
    del model, optimizer
    gc.collect()
    assert kept() is None and watch.steps == 5
