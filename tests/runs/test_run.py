import json
import math
import os
import subprocess
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from descend.descent.outcome import Outcome
from descend.descent.record import Record
from descend.errors import DataError, RunError, UsageError
from descend.runs import facts as facts_module
from descend.runs.facts import read_facts, write_facts
from descend.runs.run import Run

FINISHED = {
    "finished": "2026-11-23T10:00:20+00:00",
    "outcome": {"name": "out of time", "sentence": "Stopped after 15.0 s."},
    "method": "adamw",
    "steps": 12345,
    "loss": 0.05,
    "validation_loss": 0.07,
    "metrics": {"accuracy": 0.985, "accuracy/test": 0.985},
    "data": {"examples/train": 10},
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "digits"


@pytest.fixture
def run(folder):
    run = Run.create(folder, {"name": "digits", **FINISHED})
    run.unlock()
    return run


def test_created_written_opened(folder):
    run = Run.create(folder, {"name": "digits", "started": "2026-11-23T10:00:00+00:00"})
    assert not run.finished
    assert math.isnan(run.loss)
    with pytest.raises(RunError, match="has ended"):
        _ = run.outcome
    run.write(**FINISHED)
    run.unlock()
    again = Run.open(str(folder))
    assert again.facts == run.facts
    assert again.facts["format"] == 1
    assert again.facts["started"] == "2026-11-23T10:00:00+00:00"
    assert (again.name, again.finished, again.outcome) == ("digits", True, Outcome.OUT_OF_TIME)
    assert (again.loss, again.validation_loss) == (0.05, 0.07)
    assert sorted(p.name for p in folder.iterdir()) == ["run.json"]


def test_opened_by_its_json_or_from_home(run, folder, monkeypatch):
    assert Run.open(folder / "run.json").folder == folder
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert Run.open("~/digits").folder == folder


def test_one_line_says_what_it_is(run, folder):
    text = "digits, adamw, out of time after 12,345 steps, loss 0.05, accuracy/test 0.985)"
    assert repr(run) == f"Run({str(folder)!r}: {text}"
    assert repr(Run(folder, {**run.facts, "outcome": 3, "loss": None})).count("damaged") == 1


# run.json


def test_not_finite_figures_are_strict_json_and_come_back(folder):
    run = Run.create(folder, {"name": "nan", "data": {"classes": ["inf", "nan", "1"]}})
    run.write(
        loss=math.nan,
        metrics={"r2/test": -math.inf},
        parameters=[{"name": "inf", "norm": math.inf}],
        reader={"categories": ["nan"]},
    )
    run.unlock()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    strict = json.loads((folder / "run.json").read_text("utf-8"), parse_constant=refuse)
    assert (strict["loss"], strict["metrics"]) == ("nan", {"r2/test": "-inf"})
    again = Run.open(folder)
    assert math.isnan(again.loss)
    assert again.facts["metrics"] == {"r2/test": -math.inf}
    assert again.facts["parameters"] == [{"name": "inf", "norm": math.inf}]
    assert (again.name, again.facts["data"]["classes"]) == ("nan", ["inf", "nan", "1"])
    assert again.facts["reader"] == {"categories": ["nan"]}


def test_values_of_other_libraries_become_json(run, folder):
    values = {
        "path": Path("a/b"),
        "tensor": torch.tensor([1.0, 2.0]),
        "scalar": torch.tensor(3),
        "numpy": numpy.float64(0.5),
        "integers": numpy.arange(3),
        "tuple": (1, 2),
        "outcome": Outcome.MINIMUM,
    }
    run.write(notes=values)
    expected = {"path": str(Path("a/b")), "tensor": [1.0, 2.0], "scalar": 3, "numpy": 0.5}
    expected |= {"integers": [0, 1, 2], "tuple": [1, 2], "outcome": "minimum"}
    assert run.facts["notes"] == expected
    assert Run.open(folder).facts["notes"] == expected
    with pytest.raises(TypeError, match="object has no form in JSON"):
        run.write(notes=object())


def test_a_name_that_is_not_unicode_is_kept(run, folder):
    run.write(target="caf\udce9 é.csv")
    assert Run.open(folder).facts["target"] == "caf\udce9 é.csv"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(value=JSON.filter(lambda v: not any(w in repr(v) for w in ("'nan'", "'inf'", "'-inf'", "'name'"))))
def test_any_figures_come_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "run.json"
    write_facts(path, {"metrics": value})
    assert repr(read_facts(path)["metrics"]) == repr(value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda good: good[: len(good) // 2], "damaged file"),
        (lambda good: b"", "damaged file"),
        (lambda good: b"\xff\xfe\x00", "damaged file"),
        (lambda good: b"[1, 2]", "damaged file"),
        (lambda good: b"[" * 100_000, "damaged file"),
        (lambda good: b"{}", "None as its format"),
        (lambda good: good.replace(b'"format": 1', b'"format": "1"'), "'1' as its format"),
        (lambda good: good.replace(b'"format": 1', b'"format": true'), "True as its format"),
        (
            lambda good: good.replace(b'"format": 1', b'"format": 2'),
            r"made by a newer descend \(format 2\); upgrade: pip install -U descend",
        ),
        (lambda good: good.replace(b'"loss"', b'"lost"'), "nothing for loss"),
        (lambda good: good.replace(b"out of time", b"out of mind"), "as its outcome"),
        (lambda good: good.replace(b'"outcome": {', b'"outcome": 3, "was": {'), "3 as its outcome"),
    ],
)
def test_a_damaged_run_json_is_one_sentence(run, folder, content, sentence):
    path = folder / "run.json"
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(RunError, match=sentence) as caught:
        Run.open(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_run_names_those_nearby(run, folder):
    with pytest.raises(RunError, match=r"no such folder; did you mean .*digits\?"):
        Run.open(folder.parent / "digit")
    with pytest.raises(RunError, match=r"without run.json; did you mean .*digits\?"):
        Run.open(folder.parent)
    with pytest.raises(RunError, match=r"came a file"):
        Run.open(__file__)
    with pytest.raises(RunError, match=r"give the folder that descend fit printed"):
        Run.open(folder / "none" / "none")


def test_what_was_there_stays_where_writing_fails(run, folder, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    before = (folder / "run.json").read_bytes()
    monkeypatch.setattr(facts_module.os, "fsync", full)
    with pytest.raises(RunError, match=r"room on the disk for .*run\.json; came a full disk; make room"):
        run.write(loss=0.01)
    assert run.loss == 0.05
    assert (folder / "run.json").read_bytes() == before
    assert [p.name for p in folder.iterdir()] == ["run.json"]


def test_remains_of_a_killed_write_are_removed(run, folder):
    (folder / ".run.json.123.part").write_text("{")
    with Run.open(folder).lock():
        assert sorted(p.name for p in folder.iterdir()) == [".lock", "run.json"]


# The folder and its lock


def test_no_run_is_overwritten(run, folder, tmp_path):
    with pytest.raises(
        RunError, match=r"holds a run already; go on with it with --resume, or choose another"
    ):
        Run.create(folder, {"name": "digits"})
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.html").write_text("mine")
    with pytest.raises(RunError, match=r"with report\.html, which a run would overwrite"):
        Run.create(other, {"name": "digits"})
    assert [p.name for p in other.iterdir()] == ["report.html"]


def test_folders_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunError, match="came a file; choose another folder"):
            Run.create(place, {"name": "x"})
    with pytest.raises(RunError, match="can be written"):
        Run.create(tmp_path / ("x" * 300), {"name": "x"})
    if sys.platform == "linux":
        with pytest.raises(RunError, match="can be written"):
            Run.create("/proc/descend", {"name": "x"})


def test_a_read_only_folder(run, folder):
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("nothing is read-only to root")
        assert Run.open(folder).loss == 0.05
        for write in (run.lock, lambda: run.write(loss=1.0)):
            with pytest.raises(RunError, match="can be written"):
                write()
    finally:
        folder.chmod(0o755)


fcntl = pytest.importorskip("fcntl") if sys.platform != "win32" else None
needs_locks = pytest.mark.skipif(fcntl is None, reason="no flock here")


@needs_locks
def test_one_writer_a_run(folder):
    first = Run.create(folder, {"name": "x"})
    first.lock()
    second = Run.open(folder)
    with pytest.raises(RunError, match=rf"came one that process {os.getpid()} is writing; wait for it"):
        second.lock()
    first.unlock()
    first.unlock()
    with second.lock(), pytest.raises(RunError, match="is writing"):
        first.lock()
    with first.lock():
        assert (folder / ".lock").exists()
    assert not (folder / ".lock").exists()


@needs_locks
def test_a_failed_create_leaves_no_lock(run, folder):
    with pytest.raises(RunError):
        Run.create(folder, {"name": "x"})
    with Run.open(folder).lock():
        pass


HOLDER = """
import os, sys, time
kind = sys.argv[2]
if kind == "late":  # hooks run in the order in which they were registered: this one before the lock's own
    os.register_at_fork(after_in_child=lambda: time.sleep(1))
if kind == "never":
    os.register_at_fork = lambda **_: None
from descend.runs.run import Run
run = Run.create(sys.argv[1], {"name": "x"})
child = os.fork() if kind != "alone" else 1
if child == 0:
    os.close(1)
    time.sleep(30)
    os._exit(0)
print(child, flush=True)
sys.stdin.readline()
"""


@contextmanager
def killed_holder(folder, kind):
    """Make a run whose writer was killed, and return what the writer's number was."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        try:
            with pytest.raises(RunError, match=f"one that process {process.pid} is writing; wait for it"):
                Run.open(folder).lock()
            process.kill()
            process.wait()
            yield process.pid
        finally:
            process.kill()
            if kind != "alone":
                os.kill(child, 9)


@needs_locks
@pytest.mark.parametrize("kind", ["alone", "fork", "late"])
def test_the_lock_of_a_killed_process_is_free_at_once(folder, kind):
    """As soon as its children have had a turn; ``late`` is one that the system lets wait for its own."""
    with killed_holder(folder, kind), Run.open(folder).lock():
        pass


@needs_locks
def test_a_child_that_never_lets_go_is_not_waited_for_without_end(folder, monkeypatch):
    monkeypatch.setattr("descend.runs.lock.HEIRS", 0.05)
    with (
        killed_holder(folder, "never") as holder,
        pytest.raises(RunError, match=rf"by process {holder}, which is gone .* a child that it left running"),
    ):
        Run.open(folder).lock()


@needs_locks
@pytest.mark.parametrize("content", ["", "no number", "0"])
def test_a_lock_that_names_nobody(folder, monkeypatch, content):
    monkeypatch.setattr("descend.runs.lock.HEIRS", 0.05)
    with Run.create(folder, {"name": "x"}).lock():
        (folder / ".lock").write_text(content)
        with pytest.raises(RunError, match="still locked by another process"):
            Run.open(folder).lock()


# Parameters and the function


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_parameters_come_back_bit_for_bit(run, folder):
    tensors = network().state_dict() | {
        "transposed": torch.arange(6.0).view(2, 3).T,
        "half": torch.ones(2).half(),
    }
    tensors["tied"] = tensors["0.weight"]
    run.save_parameters(tensors)
    read = Run.open(folder).parameters
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[k], v) and read[k].dtype == v.dtype for k, v in tensors.items())
    run.save_parameters({"a": torch.ones(1)})
    assert list(run.parameters) == ["a"]


@pytest.mark.parametrize("keep", [0, 7, 8, 60, -1])
def test_truncated_or_missing_parameters(run, folder, keep):
    with pytest.raises(RunError, match=r"parameters\.safetensors"):
        _ = run.parameters
    run.save_parameters(network().state_dict())
    path = folder / "parameters.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"parameters\.safetensors; came a damaged file"):
        _ = Run.open(folder).model


def test_an_attached_function_gets_the_best_parameters(run):
    best, model = network(), nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    run.save_parameters(best.state_dict())
    run.attach(model)
    assert run.model is model
    assert not model.training
    x = torch.randn(5, 3)
    assert torch.equal(model(x), best.eval()(x))


def test_a_function_of_another_shape(run):
    run.save_parameters(network().state_dict())
    run.attach(nn.Sequential(nn.Linear(3, 5)))
    with pytest.raises(
        RunError, match=r"belong to; came another one \(Unexpected key.*put back the code"
    ) as caught:
        _ = run.model
    assert "\n" not in str(caught.value)


def test_without_any_function_it_says_what_to_do(run, folder):
    run.save_parameters(network().state_dict())
    with pytest.raises(RunError, match=r"call run\.attach\(function\)"):
        _ = Run.open(folder).model


class FakeReader:
    kind = "fake"

    def __init__(self, saved):
        self.width = saved["width"]

    def model(self):
        return nn.Linear(self.width, 1)

    def predict(self, model, source, **options):
        return [{"source": source, "value": model(torch.ones(1, self.width)).item(), **options}]


@pytest.fixture
def targets(monkeypatch):
    monkeypatch.setattr("descend.functions.readers.reader_from_json", FakeReader)
    module = types.ModuleType("descend.applications.targets")
    monkeypatch.setitem(sys.modules, "descend.applications.targets", module)
    monkeypatch.setattr("descend.applications.targets", module, raising=False)
    return module


def test_a_reader_rebuilds_the_function_and_predicts(folder, targets):
    run = Run.create(folder, {"name": "x", **FINISHED, "reader": {"kind": "fake", "width": 2}})
    run.save_parameters({"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
    run = Run.open(folder)
    assert run.predict("new.csv", seed=3) == [{"source": "new.csv", "value": 2.0, "seed": 3}]
    assert run.predict(torch.tensor([[1.0, 2.0]])) == [{"output": [3.0]}]
    run.facts["reader"], run._reader, run._model = {"kind": "fake"}, None, None
    with pytest.raises(RunError, match="a reader that cannot be rebuilt"):
        _ = run.model


def test_a_file_of_code_rebuilds_the_function(folder, targets, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("problem = ...")
    asked = []

    def problem_from_target(target):
        asked.append(target)
        return types.SimpleNamespace(fresh_function=network)

    targets.problem_from_target = problem_from_target
    run = Run.create(folder, {"name": "x", "problem": {"file": str(file), "name": "problem", "sha256": "?"}})
    run.save_parameters(network().state_dict())
    run = Run.open(folder)
    assert isinstance(run.model, nn.Sequential)
    assert asked == [f"{file}:problem"]
    file.unlink()
    with pytest.raises(RunError, match=r"whose problem this run descended; came no such file; put it back"):
        _ = Run.open(folder).model
    run.write(problem="mine.py:problem")
    with pytest.raises(RunError, match="as its problem"):
        _ = Run.open(folder).model


# Predictions without a reader


@pytest.fixture
def line(run):
    run.attach(nn.Linear(2, 1))
    run.save_parameters({"weight": torch.tensor([[1.0, 10.0]]), "bias": torch.tensor([0.5])})
    return run


ROWS = [[1.0, 2.0], [3.0, 4.0]]
ANSWERS = [{"output": [21.5]}, {"output": [43.5]}]


def test_predictions_from_numbers_anywhere(line, tmp_path):
    from safetensors.torch import save_file

    numpy.save(tmp_path / "x.npy", numpy.array(ROWS))
    save_file({"x": torch.tensor(ROWS)}, tmp_path / "x.safetensors")
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")
    (tmp_path / "named.csv").write_text("a,b\n1.0,2\n3,4\n")
    for name in ("x.npy", "x.safetensors", "x.csv", "named.csv"):
        assert line.predict(tmp_path / name) == ANSWERS, name
        assert line.predict(str(tmp_path / name)) == ANSWERS, name
    for numbers in (torch.tensor(ROWS), torch.tensor(ROWS).double(), numpy.array(ROWS), ROWS):
        assert line.predict(numbers) == ANSWERS
    assert len(line.predict(torch.zeros(1025, 2))) == 1025


def test_predictions_of_several_inputs(run):
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, a, b):
            return self.weight * a + b

    run.attach(Sum())
    run.save_parameters({"weight": torch.tensor(2.0)})
    answers = run.predict((torch.tensor([1.0, 2.0]), torch.tensor([10, 20])))
    assert answers == [{"output": 12.0}, {"output": 24.0}]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.txt", b"1 2", r"a file of numbers \(\.npy, \.csv, \.safetensors\)"),
        ("missing.npy", None, "no such file"),
        ("x.npy", b"not numpy", "numbers in"),
        ("x.safetensors", b"\x00" * 4, "numbers in"),
        ("x.csv", b"", "numbers in"),
        ("x.csv", b"a,b\n1,x\n", "column 'b' without"),
        ("x.csv", b"a,b\n1,\n2,3\n", "column 'b' without"),
        ("x.csv", b"1,2,3\n", r"the shape that the function was trained on; came \(1, 3\)"),
    ],
)
def test_inputs_that_cannot_be_taken(line, tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        line.predict(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_no_pickle_is_read(line, tmp_path):
    numpy.save(tmp_path / "x.npy", numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="numbers in"):
        line.predict(tmp_path / "x.npy")


def test_other_wrong_inputs(line, tmp_path):
    for inputs in (torch.zeros(0, 2), torch.tensor(1.0), (torch.zeros(2, 2), torch.zeros(3, 2)), ()):
        with pytest.raises(DataError, match="at least one row"):
            line.predict(inputs)
    with pytest.raises(DataError, match="as a tensor"):
        line.predict(object())
    with pytest.raises(UsageError, match="temperature"):
        line.predict(torch.zeros(1, 2), temperature=1)
    line.write(data={})
    with pytest.raises(RunError, match=r"run\.parameters"):
        line.predict(torch.zeros(1, 2))


# The record


def test_metrics_of_the_record(run, folder):
    with pytest.raises(RunError, match="no such file"):
        run.metrics("loss")
    run.write(outcome=None)  # it has just begun
    assert (run.series(), run.metrics("loss")) == ([], ([], []))
    with Record(folder / "record.db") as record:
        record.wait()
        assert run.metrics("loss") == ([], [])
        record.extend("loss", [1, 2], [0.5, math.inf])
        record.add("loss/validation", 2, 0.4)
    assert run.series() == ["loss", "loss/validation"]
    assert run.metrics("loss") == ([1, 2], [0.5, math.inf])
    with pytest.raises(UsageError, match=r"'los'; did you mean loss"):
        run.metrics("los")
