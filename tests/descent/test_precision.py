"""Descents in bfloat16: where the function is computed so, and what stays float32."""

import pytest
import torch
from torch import nn

import descend
from descend.descent.precision import InBfloat16, in_precision, resolve_precision
from descend.errors import UsageError


def _problem() -> descend.Problem:
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = (x @ torch.randn(8) > 0).long()
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    return descend.Problem(net, "cross_entropy", (x[:192], y[:192]), (x[192:], y[192:]), "accuracy")


def _descended(precision: str) -> descend.Descent:
    descent = descend.Descent(_problem(), "adamw", lr=0.01, batch_size=32, device="cpu", precision=precision)
    descent.run(descend.Until(steps=60))
    return descent


def test_products_are_bfloat16_and_all_that_is_kept_is_float32():
    descent = _descended("bfloat16")
    seen = []
    descent.function.get_submodule("0").register_forward_hook(
        lambda module, inputs, output: seen.append(output.dtype)
    )
    assert descent.computed(torch.zeros(1, 8)).dtype == torch.float32
    assert seen == [torch.bfloat16]
    assert {p.dtype for p in descent.function.parameters()} == {torch.float32}
    kept = descent.method.state[descent.parameters[0]]
    assert {v.dtype for v in kept.values() if torch.is_tensor(v) and v.ndim} == {torch.float32}


def test_it_descends_as_far_as_float32():
    narrow, wide = _descended("bfloat16"), _descended("float32")
    assert narrow.loss == pytest.approx(wide.loss, rel=0.05)
    assert narrow.loss != wide.loss


def test_a_fork_and_a_restored_state_go_on_to_the_same_bits():
    descent = _descended("bfloat16")
    fork = descent.fork()
    for one in (descent, fork):
        one.run(descend.Until(steps=80))
    for a, b in zip(descent.parameters, fork.parameters, strict=True):
        assert torch.equal(a, b)


def test_outputs_of_any_nesting_are_float32_again():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(2, 2)

        def forward(self, x):
            return {"a": (self.line(x), x.long())}

    (a, n) = InBfloat16(Two())(torch.ones(1, 2))["a"]
    assert (a.dtype, n.dtype) == (torch.float32, torch.int64)


def test_auto_is_one_of_the_two_and_settled_at_once():
    assert resolve_precision("auto", torch.device("cpu")) in ("float32", "bfloat16")
    descent = descend.Descent(_problem(), device="cpu", precision="auto")
    assert descent.settings.precision == resolve_precision("auto", torch.device("cpu"))


def test_float32_is_the_function_itself():
    net = nn.Linear(1, 1)
    assert in_precision(net, "float32") is net


def test_other_names_are_refused():
    with pytest.raises(UsageError, match="float32, bfloat16, auto"):
        descend.Descent(_problem(), device="cpu", precision="half")


def test_a_run_says_what_it_was_computed_in(tmp_path):
    run = descend.fit(_problem(), until=descend.Until(steps=5), out=tmp_path / "run", precision="bfloat16")
    assert run.facts["settings"]["precision"] == "bfloat16"
    assert run.model(torch.zeros(1, 8)).dtype == torch.float32
