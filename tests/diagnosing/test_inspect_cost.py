"""What a step costs, against counts by hand, torch's own counter, and the memory that is really kept."""

import pytest
import torch
from inspected import SETTINGS, data, mlp, pictures, problem, subject_of
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import descend
from descend.diagnosing.inspecting.cost import cost
from descend.functions.networks import ConvNet, Transformer


def of(made):
    return cost(subject_of(made)[0])


def test_a_linear_layer_by_hand():
    found = of(problem(nn.Linear(20, 5)))
    assert found.forward == 2 * 64 * 20 * 5
    assert found.both == 2 * found.forward  # the gradient of the weight; the input needs none
    assert found.parameters == 4 * 105 == found.gradients and found.state == 2 * found.parameters


def test_a_convolution_by_hand():
    layers = [
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    ]
    found = of(problem(*layers, train=pictures()))
    assert found.by_layer["0"] == 2 * 64 * 16 * 16 * 8 * 3 * 9
    assert found.by_layer["3"] == 2 * 64 * 8 * 2
    assert found.forward == sum(found.by_layer.values())


def test_what_is_kept_of_a_perceptron_by_hand():
    found = of(problem(*mlp(width=64, depth=2)))
    # Behind each relu its output, which the next layer keeps as well; what a softmax gives; a total weight.
    assert found.activations == pytest.approx(4 * 64 * (64 + 64 + 5), abs=64)
    assert found.inputs == 64 * (20 * 4 + 8)
    assert found.per_example == pytest.approx((found.activations + found.inputs + 2 * 4 * 64 * 64) / 64)
    assert 0 < found.largest_batch < found.free / found.per_example


def test_what_is_kept_twice_counts_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(20, 5)

        def forward(self, x):
            h = self.a(x)
            return h * h  # keeps h for both sides

    x, _ = data()
    found = of(descend.Problem(Twice(), "mse", train=(x, x[:, :5]), settings=SETTINGS))
    assert found.activations == 4 * 64 * 5 * 2  # h, and the output that the loss keeps


@pytest.mark.parametrize(
    ("function", "train"),
    [
        (lambda: nn.Sequential(*mlp()), data),
        (lambda: ConvNet(3, 2, 16, 8), pictures),
        (
            lambda: nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Flatten(), nn.Linear(1176, 2)),
            pictures,
        ),
    ],
)
def test_torchs_own_counter_agrees(function, train):
    made = descend.Problem(function(), "cross_entropy", train=train(), settings=SETTINGS)
    subject, _ = subject_of(made)
    found, copied = cost(subject), subject.function()
    with FlopCounterMode(display=False) as counter:
        loss = made.loss_of(copied, subject.batch)
        assert counter.get_total_flops() == found.forward
        loss.backward()
    assert counter.get_total_flops() == found.both


@pytest.mark.parametrize("made", ["convolutions", "transformer"])
def test_a_steps_memory_is_about_its_peak(made):
    if made == "convolutions":
        known = descend.Problem(ConvNet(3, 2, 16, 16), "cross_entropy", train=pictures(), settings=SETTINGS)
    else:
        x = torch.randint(0, 50, (64, 32))
        known = descend.Problem(
            Transformer(50, 32, 2, 2, 32), "cross_entropy", train=(x, x), settings=SETTINGS
        )
    subject, _ = subject_of(known)
    found, function = cost(subject), subject.function()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as seen:
        known.loss_of(function, subject.batch).backward()
    now = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    told = found.per_example * found.examples - found.inputs + found.gradients
    assert 0.9 * peak <= told <= 1.5 * peak


def test_attention_and_recurrence_are_counted_on_cpus():
    x = torch.randint(0, 11, (64, 8))
    n, t, w = 64, 8, 16
    made = descend.Problem(Transformer(11, w, 1, 2, t), "cross_entropy", train=(x, x), settings=SETTINGS)
    matrices = 2 * n * t * (12 * w * w + 11 * w)
    assert of(made).forward == matrices + 2 * 2 * n * t * t * w

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(6, 10, batch_first=True), nn.Linear(10, 2)

        def forward(self, x):
            return self.o(self.r(x)[0][:, -1])

    x = torch.randn(64, 8, 6)
    made = descend.Problem(
        Recurrent(), "cross_entropy", train=(x, (x[:, 0, 0] > 0).long()), settings=SETTINGS
    )
    assert of(made).forward == 2 * 64 * (8 * 4 * 10 * (6 + 10) + 10 * 2)


def test_what_is_left_out_is_said():
    found = of(problem(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5)))
    assert any("batch_norm" in name for name in found.uncounted) and "relu" in found.uncounted
    assert not any(name in found.uncounted for name in ("addmm", "mm", "view", "t", "detach"))


def test_the_methods_own_state_counts():
    sgd = descend.Settings("sgd", lr=0.1, batch_size=64)
    assert of(problem(*mlp(), settings=sgd)).state == 0
    muon = of(problem(*mlp(), settings=descend.Settings("muon", batch_size=64)))
    hidden = 64 * 20 + 64 * 64
    assert muon.state == 4 * hidden + 8 * (muon.gradients // 4 - hidden)
