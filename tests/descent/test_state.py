"""The state as a value and as a file: resuming at any step gives the same bits."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import classes

from descend import Descent, RunError, State, Until
from descend.descent.state import pack, unpack

STEPS = 24


def start() -> Descent:
    return Descent(classes(), "adamw", lr=0.02, batch_size=32, seed=4)


@pytest.fixture(scope="module")
def whole() -> Descent:
    descent = start()
    descent.run(Until(steps=STEPS))
    return descent


@given(stops=st.lists(st.integers(1, STEPS - 1), max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stopping_and_resuming_anywhere_changes_no_bit(
    whole: Descent, tmp_path: Path, stops: list[int]
) -> None:
    descent = start()
    for stop in sorted(stops):

        class Stopper:
            every_seconds = 0.0

            def look(self, d, now):  # looked at after every step at this rate
                pass

        loop_until = Until(steps=STEPS)
        # Stop after `stop` steps the way Ctrl-C does, under the same bound (the schedule depends on it).
        original = descent.gradient

        def counted(original=original, descent=descent, stop=stop):
            if descent.steps + 1 >= stop:
                descent.stop_requested = True
            return original()

        descent.gradient = counted
        descent.run(loop_until)
        descent.save(tmp_path / "state.safetensors")
        descent = start()
        descent.load(tmp_path / "state.safetensors")
    descent.run(Until(steps=STEPS))
    ours, theirs = descent.function.state_dict(), whole.function.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    assert descent.loss == whole.loss
    assert descent.best["step"] == whole.best["step"]
    assert descent.best["validation"] == whole.best["validation"]


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.builds(lambda n: torch.arange(n, dtype=torch.float64), st.integers(0, 4)),
)  # fmt: skip
trees = st.recursive(
    leaves,
    lambda t: st.one_of(
        st.lists(t, max_size=3), st.tuples(t, t), st.dictionaries(st.text(max_size=4), t, max_size=3)
    ),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(tree=st.dictionaries(st.text(max_size=4), trees, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_tree_goes_apart_and_together(tree: dict) -> None:
    import json

    packed, tensors = pack(tree)
    assert same(unpack(json.loads(json.dumps(packed)), tensors), tree)


def test_a_damaged_state_is_refused_in_one_sentence(tmp_path: Path) -> None:
    descent = start()
    descent.run(Until(steps=2))
    path = tmp_path / "state.safetensors"
    descent.save(path)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"garbage" * 10):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="damaged"):
            State.load(path)
    with pytest.raises(RunError, match="none"):
        State.load(tmp_path / "missing.safetensors")


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    from descend.descent.state import save_tensors

    save_tensors(tmp_path / "s.safetensors", {"a": torch.ones(1)}, {"format": "99", "state": "{}"})
    with pytest.raises(RunError, match="newer"):
        State.load(tmp_path / "s.safetensors")


def test_another_functions_state_is_refused() -> None:
    from problems import bowl

    from descend import UsageError

    with pytest.raises(UsageError, match="this very function"):
        Descent(bowl()).restore(start().snapshot())
