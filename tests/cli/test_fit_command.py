"""``descend fit``: what it hands on, what it prints, what it answers with."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from descend.descent.outcome import Outcome
from descend.descent.record import read_series
from descend.descent.until import Until
from descend.errors import RunError

KEYS = [
    "outcome", "method", "lr", "steps", "seconds", "loss", "validation_loss", "metrics", "parameters",
    "seed", "run", "findings",
]  # fmt: skip


def ended(outcome: Outcome, folder: Path):
    facts = {
        "outcome": {"name": outcome.value, "sentence": f"{outcome.meaning} Really."},
        "method": "adamw",
        "hyperparameters": {"lr": 0.003},
        "settings": {"seed": 7},
        "steps": 30,
        "epochs": 2.5,
        "seconds": 1.5,
        "loss": 0.25 if not outcome.failed else float("nan"),
        "validation_loss": None,
        "metrics": {"accuracy": 0.5, "accuracy/test": 0.5},
        "count": 9034,
        "data": {"rows": 90, "examples/test": 30},
        "reader": {"kind": "table"},
    }
    return SimpleNamespace(facts=facts, folder=folder, outcome=outcome, findings=[])


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """Replace the work of ``fit`` by noting what it was asked for."""
    monkeypatch.chdir(tmp_path)
    asked: dict = {"outcome": Outcome.OUT_OF_STEPS}

    def work(problem, **options):
        asked.update(options, problem=problem)
        return ended(asked["outcome"], Path(options["out"] or "runs/digits"))

    def problem(target, **options):
        asked.update(problem_options=options)
        return SimpleNamespace(name="digits")

    monkeypatch.setattr("descend.runs.fit.fit", work)
    monkeypatch.setattr("descend.applications.targets.problem_from_target", problem)
    return asked


def test_every_flag_arrives(descend, stub):
    command = (
        "fit houses.csv --target price --method adam --lr 0.01 --steps 1e3 --seconds 1h --until-loss 0.1"
        " --until-metric 0.9 --gradient-norm 1e-6 --patience 5 --batch-size 32 --schedule wsd --warmup 0.1"
        " --clip 1 --accumulate 2 --precision bfloat16 --seed 3 --out here --threads 1 --device cpu"
        " --set betas=0.9,0.95 --resume"
    )
    assert descend(*command.split(), "--json").code == 0
    assert stub["until"] == Until(1000, 3600, 0.1, 0.9, 1e-6, 5)
    assert stub["problem_options"] == {"target_column": "price", "seed": 3}
    assert stub["hyperparameters"] == {"betas": (0.9, 0.95)}
    expected = {
        "method": "adam", "lr": 0.01, "batch_size": 32, "schedule": "wsd", "warmup": 0.1, "clip": 1.0,
        "accumulate": 2, "precision": "bfloat16", "seed": 3, "out": Path("here"), "threads": 1,
        "device": "cpu", "resume": True,
        "target": "houses.csv", "command": f"descend {command} --json",
    }  # fmt: skip
    assert {name: stub[name] for name in expected} == expected


def test_a_curve_arrives(descend, stub):
    words = ["--model", "y = a*x + b", "--start", "a=1,b=2", "--start", "c=3"]
    assert descend("fit", "d.csv", *words, "--json").code == 0
    start = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert stub["problem_options"] == {"model": "y = a*x + b", "start": start, "seed": 0}


def test_what_is_not_said_is_left_to_the_problem(descend, stub):
    assert descend("fit", "digits").code == 0
    silent = ["method", "lr", "batch_size", "schedule", "warmup", "clip", "threads", "device", "until"]
    assert all(stub[name] is None for name in silent)
    assert stub["seed"] == 0 and stub["resume"] is False and stub["hyperparameters"] is None
    assert stub["out"] is None and stub["observers"] == []


def test_the_start_counts(descend, stub):
    assert descend("fit", "digits", "--seconds", "3").code == 0
    assert 0 < stub["startup"] < 60 and stub["until"] == Until(seconds=3)


@pytest.mark.parametrize("outcome", Outcome)
def test_exit_codes_and_json(descend, stub, outcome):
    stub["outcome"] = outcome
    said = descend("fit", "digits", "--json")
    assert said.code == (3 if outcome.failed else 130 if outcome is Outcome.INTERRUPTED else 0)
    answer = json.loads(said.out, parse_constant=pytest.fail)
    assert list(answer) == KEYS and said.out.count("\n") == 1
    assert answer["outcome"] == outcome.value and answer["parameters"] == 9034
    assert (answer["loss"] is None) == outcome.failed
    assert said.err.count("\n") == (said.code != 0)
    if outcome is Outcome.INTERRUPTED:
        assert said.err.rstrip().endswith("descend fit digits --json --out runs/digits --resume")


@pytest.mark.parametrize("outcome", Outcome)
def test_without_a_terminal_it_says_names_and_values(descend, stub, outcome):
    stub["outcome"] = outcome
    said = descend("fit", "digits")
    lines = dict(line.split("\t") for line in said.out.splitlines())
    assert lines["outcome"] == outcome.value and lines["accuracy/test"] == "0.5"
    assert lines["report"] == "runs/digits/report.html"
    assert ("resume" in lines) == (outcome is Outcome.INTERRUPTED)
    assert "\x1b" not in said.out


def test_quiet(descend, stub):
    assert descend("fit", "digits", "--quiet").out == ""
    stub["outcome"] = Outcome.DIVERGED
    said = descend("fit", "digits", "-q")
    assert (said.code, said.out) == (3, "") and "learning rate" in said.err


def test_summary_for_a_person(stub, capsys, monkeypatch):
    from descend.cli.summary import summarise

    monkeypatch.setattr("descend.cli.summary.is_terminal", lambda: True)
    summarise(ended(Outcome.OUT_OF_STEPS, Path("runs/digits")))
    said = capsys.readouterr().out
    for part in ("All the steps", "50.0%", "on 30 test examples", "9,034", "runs/digits/report.html"):
        assert part in said
    assert "descend predict runs/digits NEW.csv" in said and "descend report runs/digits --open" in said
    summarise(ended(Outcome.INTERRUPTED, Path("runs/digits")), "descend fit digits --resume")
    assert "descend fit digits --resume" in capsys.readouterr().out
    summarise(ended(Outcome.DIVERGED, Path("runs/digits")))
    assert "predict" not in capsys.readouterr().out


def test_the_latest_folder_is_resumed(descend, stub, tmp_path):
    def resumed() -> Path:
        assert descend("fit", "digits", "--resume").code == 0
        return stub["out"]

    assert resumed() == Path("runs/digits")
    for name in ("digits", "digits-2", "digits-3"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        assert resumed() == Path("runs") / name


def test_for_real(descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = descend("fit", "rosenbrock", "--steps", 30, "--threads", 1, "--json")
    assert (said.code, said.err) == (0, "")
    answer = json.loads(said.out)
    assert list(answer) == KEYS
    assert answer["steps"] == 30 and answer["parameters"] == 2 and answer["run"] == "runs/rosenbrock"
    files = {path.name for path in Path("runs/rosenbrock").iterdir()}
    assert {"run.json", "record.db", "parameters.safetensors", "report.html"} <= files
    assert descend("fit", "rosenbrock", "--steps", 30, "--threads", 1).code == 0
    assert Path("runs/rosenbrock-2").is_dir()

    said = descend("report", "runs/rosenbrock", "--json")
    assert json.loads(said.out) == {"run": "runs/rosenbrock", "report": "runs/rosenbrock/report.html"}
    assert descend("report", "runs/rosenbrock").out == "runs/rosenbrock/report.html\n"
    said = descend("export", "runs/rosenbrock", "--to", "csv", "--json")
    assert said.code == 0 and Path(json.loads(said.out)["path"]).exists()


def test_the_test_may_have_a_file_of_its_own(descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in (("a.csv", range(60)), ("b.csv", range(100, 117))):
        Path(name).write_text("x,y\n" + "".join(f"{k % 7},{3 * (k % 7)}\n" for k in rows))
    words = ["fit", "a.csv", "--target", "y", "--steps", 5, "--threads", 1, "--json"]
    answer = json.loads(descend(*words, "--test", "b.csv").out)
    data = json.loads((Path(answer["run"]) / "run.json").read_text())["data"]
    assert data["examples/test"] == 17
    assert data["examples/train"] + data["examples/validation"] == 60
    assert "none.csv" in descend(*words, "--test", "none.csv").err


def test_a_descent_that_fails(descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = descend("fit", "rosenbrock", "--method", "sgd", "--lr", "10", "--steps", 300, "--json")
    assert said.code == 3
    assert json.loads(said.out)["outcome"] in ("diverged", "not finite")


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "descend", *map(str, words)]


def test_interrupted_and_resumed(tmp_path):
    """Ctrl-C saves and prints a command; that very command goes on."""
    words = ["fit", "rosenbrock", "--method", "sgd", "--lr", "1e-5", "--steps", "200000", "--out", "mine"]
    process = subprocess.Popen(
        command(*words, "--threads", 1, "--json"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    record = tmp_path / "mine" / "record.db"
    wait_for_step(record, 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    answer = json.loads(out)
    assert answer["outcome"] == "interrupted" and 0 < answer["steps"] < 200000
    assert err.count("\n") == 1 and "Traceback" not in err
    resume = err.rstrip().split("go on with: descend ")[1]
    assert resume.split() == [*words, "--threads", "1", "--json", "--resume"]

    process = subprocess.Popen(
        command(*resume.split()), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_step(record, answer["steps"] + 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130), err
    assert json.loads(out)["steps"] > answer["steps"]


def wait_for_step(record: Path, step: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            steps, _ = read_series(record, "loss")
        except RunError:
            steps = []
        if steps and steps[-1] >= step:
            return
        time.sleep(0.1)
    pytest.fail(f"step {step} is not reached")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_in_a_terminal(tmp_path):
    """The live line is drawn and wiped; the summary stays."""
    main, terminal = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
    process = subprocess.Popen(
        command("fit", "rosenbrock", "--method", "sgd", "--lr", 1e-6, "--steps", 6000, "--threads", 1),
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLUMNS": "110"},
    )
    os.close(terminal)
    said = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    assert process.wait(30) == 0
    text = said.decode()
    assert "reading, building" in text and "steps/s" in text and "left" in text
    last = text.rpartition("✓")[2]
    assert "runs/rosenbrock/report.html" in last and "--open" in last and "steps/s" not in last
