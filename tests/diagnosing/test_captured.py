"""Captured steps of a script: played again they are what the script did, and remedies are tried on them."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import descend
from descend.diagnosing.finding import Finding
from descend.diagnosing.replay import AS_IT_DID, OWN, NotReproducible, World, undisturbed
from descend.diagnosing.replay_proof import prove
from descend.watching.capturing import CHECKED, KEPT, Capturing
from descend.watching.watcher import Watcher


def network(dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 3))


def data(n=512):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=g)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()


def plain(model, optimizer, steps=80, loss=F.cross_entropy, zero=True, **given):
    x, y = data()
    for _ in range(steps):
        at = torch.randint(len(x), (32,))
        if zero:
            optimizer.zero_grad()
        loss(model(x[at]), y[at]).backward()
        optimizer.step()


def captured(run, model, optimizer, capturing=None, **given):
    capturing = capturing or Capturing()
    watcher = Watcher()
    watcher.start()
    capturing.start(watcher.looking)
    try:
        run(model, optimizer, **given)
    finally:
        capturing.stop()
        seen = watcher.stop()
    return capturing, seen


def suspected(cause, where=""):
    return [Finding(cause, "warning", 0.7, "", "", where=where)]


def adam(model, lr=1e-2, **given):
    return torch.optim.Adam(model.parameters(), lr=lr, **given)


# Playing -------------------------------------------------------------------------------------------------
def clipped(model, optimizer, steps=60, **given):
    x, y = data()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.7)
    for k in range(steps):
        optimizer.zero_grad()
        out = model(x[8 * k % 256 : 8 * k % 256 + 64])
        loss = (out.log_softmax(1).gather(1, y[8 * k % 256 : 8 * k % 256 + 64, None])).mul(-1).mean()
        loss = loss + 1e-3 * sum(p.square().sum() for p in model.parameters())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        schedule.step()


def accumulated(model, optimizer, steps=60, **given):
    x, y = data()
    for k in range(steps):
        optimizer.zero_grad()
        for part in range(3):
            at = slice(16 * (k % 8) + 5 * part, 16 * (k % 8) + 5 * part + 16)
            (F.cross_entropy(model(x[at]), y[at]) / 3).backward()
        optimizer.step()


def unrolled(model, optimizer, steps=40, **given):
    x, y = data()
    for k in range(steps):
        total = 0.0
        out = torch.zeros(2, 32, 3)
        for part in range(2):
            out[part] = model(x[32 * (k % 8) : 32 * (k % 8) + 32] * (1 + part))
            total = total + F.cross_entropy(out[part], y[32 * (k % 8) : 32 * (k % 8) + 32])
        total += F.softplus(out).mean()
        optimizer.zero_grad(set_to_none=False)
        total.backward()
        optimizer.step()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("run", [plain, clipped, accumulated, unrolled])
def test_played_steps_have_the_losses_of_the_script(run, dropout):
    model = network(dropout)
    kept, seen = captured(run, model, adam(model))
    world = World(kept)
    assert [t.value for one in kept.checked for t in one.tapes] == [
        v for step, v in seen.losses if step <= CHECKED
    ]
    assert world.check()[0] == CHECKED
    world.reset()  # and bit for bit, where the same kernels run
    with undisturbed(kept):
        for one in kept.checked:
            if one.fresh:
                world.clear()
            world.set(one.step, AS_IT_DID)
            for tape in one.tapes:
                loss = world.loss(tape, as_drawn=True)
                assert loss.item() == tape.value
                loss.backward()
            world.step(one)


def test_gradients_that_are_never_cleared_are_played_as_such():
    model = network()
    kept, _ = captured(plain, model, adam(model), zero=False)
    assert not any(one.fresh for one in kept.checked[1:])
    World(kept).check()


@pytest.mark.parametrize("run", [plain, clipped, accumulated, unrolled])
def test_parameters_and_generators_of_the_script_stay_as_they_are(run):
    ends = []
    for capture in (False, True):
        model = network(0.3)
        optimizer = adam(model)
        if capture:
            kept, _ = captured(run, model, optimizer)
            state = torch.get_rng_state()
            prove(kept, suspected("learning-rate-too-low"), 1.0)
            assert torch.equal(state, torch.get_rng_state())
        else:
            run(model, optimizer)
        ends.append((*copy.deepcopy(model.state_dict()).values(), torch.get_rng_state()))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_nothing_is_left_behind():
    before = nn.Module.__call__, nn.utils.clip_grad_norm_
    model = network()
    captured(plain, model, adam(model), steps=5)
    assert (nn.Module.__call__, nn.utils.clip_grad_norm_) == before
    assert not torch.overrides._get_current_function_mode_stack()


def test_memory_keeps_to_its_cap():
    model = network()
    small = Capturing(keep=16, most=40_000)
    kept, _ = captured(plain, model, adam(model), small, steps=200)
    assert len(kept.iterations) <= 16 and kept.bytes <= 40_000
    assert kept.bytes == sum(v.numel() * v.element_size() for v in kept.values.values())
    model = network()
    kept, _ = captured(plain, model, adam(model), steps=300)
    assert len(kept.iterations) == KEPT and len(kept.checked) == CHECKED
    assert max(one.step for one in kept.iterations) > 100  # of the whole run


# What cannot be played -----------------------------------------------------------------------------------
def with_a_closure(model, optimizer, **given):
    x, y = data()

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)


class _Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, *grad_outputs):
        return 2 * ctx.saved_tensors[0] * grad_outputs[0]


def of_its_own_function(model, optimizer, **given):
    x, _ = data()
    for _ in range(20):
        optimizer.zero_grad()
        _Square.apply(model(x)).mean().backward()
        optimizer.step()


def hidden(model, optimizer, **given):
    x, _ = data()
    for _ in range(5):
        optimizer.zero_grad()
        with torch._C.DisableTorchFunction():
            out = x @ model[0].weight.T
        out.square().mean().backward()
        optimizer.step()


def policy(model, optimizer, **given):
    x, _ = data()
    for _ in range(5):
        chance = torch.distributions.Categorical(logits=model(x))
        action = chance.sample()
        optimizer.zero_grad()
        (-(chance.log_prob(action) * (action == 1))).mean().backward()
        optimizer.step()


def altered(model, optimizer, **given):
    x, y = data()
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for p in model.parameters():
            p.grad *= 0.5
        optimizer.step()


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (with_a_closure, "closure"),
        (hidden, "not seen"),
        (of_its_own_function, "not seen"),
        (policy, "drawn from what it predicts"),
        (altered, "changed between backward and step"),
    ],
)
def test_what_cannot_be_played_says_so(run, reason):
    model = network()
    kept, _ = captured(run, model, adam(model))
    with pytest.raises(NotReproducible, match=reason):
        World(kept)
    said = prove(kept, suspected("learning-rate-too-high"))
    assert said.replayed == 0 and reason in said.reason and not said.tried
    effect = said.findings[0].effect
    assert effect is not None and effect.startswith("not tried: not reproducible") and reason in effect


def test_parameters_changed_behind_the_optimizers_back_are_noticed():
    model = network()
    x, y = data()

    def run(model, optimizer, **given):
        for _ in range(10):
            optimizer.zero_grad()
            F.cross_entropy(model(x[:64]), y[:64]).backward()
            optimizer.step()
            with torch.no_grad():
                model[0].weight.clamp_(-0.05, 0.05)

    kept, _ = captured(run, model, adam(model))
    assert "outside of what was seen" in prove(kept, suspected("dead-units")).reason


# Proof ---------------------------------------------------------------------------------------------------
def test_a_rate_that_is_much_too_high_is_proved():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=20.0)
    kept, _ = captured(plain, model, optimizer, steps=80)
    said = prove(kept, suspected("learning-rate-too-high"), 60, seeds=4)
    best = said.findings[0]
    assert best.cause == "learning-rate-too-high" and best.confidence > 0.7
    assert best.effect is not None and best.effect.rstrip(".").split(": ")[-1].startswith("it helps")
    assert said.tried[-1]["hook"].startswith("rate:") and said.tried[-1]["high"] < 0


@pytest.mark.parametrize(
    "cause",
    ["learning-rate-too-high", "symmetric-initial-values", "inputs-not-scaled", "exploding-gradients"],
)
def test_a_sound_runs_remedies_are_not_claimed(cause):
    model = network()
    kept, _ = captured(plain, model, adam(model), steps=80)
    said = prove(kept, suspected(cause), 60, seeds=4)
    assert said.replayed == CHECKED and said.tried
    assert not any(one["verdict"] == "it helps" for one in said.tried)
    assert said.findings[0].confidence < 0.5


def test_gradients_are_cleared_as_a_remedy():
    model = network()
    kept, _ = captured(plain, model, torch.optim.SGD(model.parameters(), lr=0.5), zero=False, steps=80)
    said = prove(kept, suspected("missing-zero-grad"), 60, seeds=4)
    assert said.findings[0].cause == "missing-zero-grad"
    assert said.tried[0]["verdict"] == "it helps", said.tried


def test_scores_are_measured_by_what_the_probabilities_are_worth():
    def squashed(p, target):
        return F.cross_entropy(p.softmax(1), target)

    model = network()
    kept, _ = captured(plain, model, torch.optim.SGD(model.parameters(), lr=0.1), loss=squashed, steps=100)
    said = prove(kept, suspected("softmax-before-cross-entropy"), 60, seeds=4)
    assert said.tried[0]["verdict"] == "it helps", said.tried


def test_nothing_is_proved_by_a_loss_that_falls_without_end():
    """A part that has the wrong sign: the more of anything, the lower it is, and so is its negative."""

    def half_wrong(model, optimizer, steps=300, **given):
        x, y = data()
        for _ in range(steps):
            at = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            out = model(x[at])
            ((out[:, 0] - y[at]).square().mean() - out[:, 1].square().mean()).backward()
            optimizer.step()

    model = network()
    seen, _ = captured(half_wrong, model, adam(model, 3e-2))
    proof = prove(seen, [*suspected("learning-rate-too-low"), *suspected("wrong-loss-sign")], seconds=20.0)
    assert proof.replayed
    assert not [one for one in proof.tried if one["verdict"] == "it helps"]
    assert any("without end" in one for one in proof.left_out)


def test_less_decay_is_no_remedy_where_the_loss_is_measured_on_what_is_trained_on():
    def one_batch(model, optimizer, **given):
        x, y = data(64)
        for _ in range(60):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    model = network()
    seen, _ = captured(one_batch, model, adam(model, weight_decay=0.1))
    proof = prove(seen, suspected("decay-too-strong"), seconds=10.0)
    assert proof.replayed and not proof.tried and "fitted the better" in proof.findings[0].effect


def test_sparse_inputs_are_played():
    links = torch.eye(64).roll(1, 0).to_sparse()

    def graph(model, optimizer, **given):
        x, y = data(64)
        for _ in range(20):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.sparse.mm(links, x)), y).backward()
            optimizer.step()

    model = network()
    seen, _ = captured(graph, model, adam(model))
    assert prove(seen, suspected("learning-rate-too-high"), seconds=5.0).replayed


def test_targets_are_put_into_the_shape_of_predictions():
    x, _ = data()
    y = x[:, 0] - x[:, 1]

    def run(model, optimizer, **given):
        for _ in range(150):
            at = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            F.mse_loss(model(x[at]), y[at]).backward()
            optimizer.step()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    kept, _ = captured(run, model, adam(model))
    said = prove(kept, suspected("loss-broadcast"), 60, seeds=4)
    assert said.tried[0]["verdict"] == "it helps", said.tried


def test_targets_in_other_units_are_measured_in_their_own():
    x, _ = data()
    y = 5000 + 2000 * (x[:, :1] - x[:, 1:2])

    def run(model, optimizer, **given):
        for _ in range(120):
            at = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            (model(x[at]) - y[at]).pow(2).mean().backward()
            optimizer.step()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    kept, _ = captured(run, model, adam(model))
    said = prove(kept, suspected("targets-not-scaled"), 60, seeds=4)
    assert said.tried[0]["verdict"] == "it helps" and said.tried[0]["before"] > 1e5, said.tried


def test_examples_of_ordered_data_are_mixed():
    x, y = data()
    order = y.argsort()

    def run(model, optimizer, **given):
        for k in range(80):
            at = order[32 * (k % 16) : 32 * (k % 16) + 32]
            optimizer.zero_grad()
            F.cross_entropy(model(x[at]), y[at]).backward()
            optimizer.step()

    model = network()
    kept, _ = captured(run, model, torch.optim.SGD(model.parameters(), lr=0.3))
    said = prove(kept, suspected("data-not-shuffled"), 60, seeds=4)
    assert said.tried[0]["verdict"] == "it helps", said.tried


@pytest.mark.parametrize(
    "cause", ["label-noise", "evaluating-in-train-mode", "overfitting", "inputs-ignored"]
)
def test_what_captured_steps_cannot_undo_says_why(cause):
    model = network()
    kept, _ = captured(plain, model, adam(model), steps=20)
    effect = prove(kept, suspected(cause), 5).findings[0].effect
    assert effect is not None and effect.startswith("not tried: ")


def test_watch_proves_where_it_is_asked_to():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    with descend.watch(model, optimizer, budget=1.0, prove=30) as watch:
        plain(model, optimizer, zero=False, steps=60)
    found = watch.findings
    assert found[0].cause == "missing-zero-grad" and found[0].effect is not None
    assert "it helps" in found[0].effect
    told = watch.as_json()
    assert told["proof"]["replayed"] == CHECKED and told["proof"]["tried"]


def test_evaluations_between_steps_are_left_alone():
    x, _ = data()

    def run(model, optimizer, **given):
        for _ in range(3):
            plain(model, optimizer, steps=12)
            model.eval()
            with torch.no_grad():
                kinds = model(x).argmax(1).tolist()
            assert len(kinds) == len(x)
            model.train()

    model = network(0.2)
    kept, _ = captured(run, model, adam(model))
    assert World(kept).measured(AS_IT_DID, OWN, 0) > 0
    assert sum(kept.reasons.values()) <= 3
