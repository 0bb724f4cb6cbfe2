"""What a person types, and the problem it stands for, or the sentence that says why there is none."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from descend.applications.targets import built_in_names, problem_from_target
from descend.errors import DataError, DescendError, RunError, UsageError
from descend.functions.readers import READERS, reader_from_json

PROBLEM = """
import torch
from torch import nn
from descend.functions.problem import Problem

X = torch.rand(30, 2)
problem = Problem(nn.Linear(2, 1), "mse", train=(X, X.sum(1)))
another = Problem(nn.Linear(2, 1), "mse", train=(X, X.sum(1)), name="mine")

def made(seed, width=2):
    data = torch.rand(9, width), torch.rand(9)
    return Problem(nn.Linear(width, 1), "mse", train=data, name=f"made-{seed}")

def needs(width):
    return made(0, width)

def _hidden():
    return problem

def wrong():
    return 7

def raises():
    raise KeyError("the key")

number = 7
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def write(path: str, content: str | bytes) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(rows=60) -> str:
    values = np.random.default_rng(0).normal(size=(rows, 2)).round(3)
    return "a,b,y\n" + "".join(f"{a},{b},{a + 2 * b}\n" for a, b in values)


def ratings() -> str:
    return "who,what,stars\n" + "".join(f"{k // 8},{k % 8},{k % 5}\n" for k in range(64))


def masks(folder: str) -> str:
    """Write pictures with a mask each."""
    image = pytest.importorskip("PIL.Image")
    for k in range(8):
        for kind, shade in (("images", 40 * k), ("masks", 255)):
            path = Path(folder) / kind / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.new("L", (40, 30), shade % 256).save(path)
    return folder


def boxes(folder: str) -> str:
    """Write eight pictures with an object each, as Pascal VOC would."""
    corners = "<xmin>8</xmin><ymin>8</ymin><xmax>30</xmax><ymax>30</ymax>"
    for k in range(8):
        one = f"<object><name>a</name><bndbox>{corners}</bndbox></object>"
        size = "<size><width>64</width><height>64</height></size>"
        write(f"{folder}/{k}.xml", f"<annotation>{size}{one}</annotation>")
        image = pytest.importorskip("PIL.Image").new("L", (64, 64), 9 * k)
        image.save(Path(folder) / f"{k}.png")
    return folder


def pictures(folder: str) -> str:
    image = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        (Path(folder) / name).mkdir(parents=True)
        for k in range(6):
            image.new("L", (8, 8), 9 * k).save(Path(folder) / name / f"{k}.png")
    return folder


# Names -------------------------------------------------------------------------------------------
def test_every_built_in_name_makes_its_problem():
    names = built_in_names()
    assert len(set(names)) == len(names) >= 15
    for name in names:
        assert problem_from_target(name).name == name


def test_the_names_cost_nothing():
    code = "import sys, descend.applications.targets as t; t.built_in_names(); print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "polars", "PIL"} & set(done.stdout.split())


@pytest.mark.parametrize("spelled", ["Digits", "breast_cancer", " rosenbrock", "Three Hump Camel"])
def test_spelling_is_forgiven(spelled):
    assert problem_from_target(spelled).name == spelled.strip().lower().replace("_", "-").replace(" ", "-")


def test_options_reach_the_problem():
    assert problem_from_target("rosenbrock", dimension=5).count == 5
    with pytest.raises(UsageError, match="leave it out"):
        problem_from_target("digits", dimension=5)


def test_a_seed_reaches_the_problem():
    a, b = (problem_from_target("digits", seed=seed).test.tensors[0] for seed in (0, 1))
    assert not torch.equal(a, b)


def test_other_xml_and_json_beside_pictures_are_no_boxes(here):
    pictures("pictures")
    write("pictures/a/drawing.xml", "<svg/>")
    write("pictures/settings.json", '{"name": 1}')
    assert problem_from_target("pictures").facts["kind"] == "pictures"


# Files -------------------------------------------------------------------------------------------
def test_each_kind_of_file_and_its_reader(here):
    write("words.txt", "to be or not to be, " * 100)
    write("words.md.gz", gzip.compress(b"to be or not to be, " * 100))
    write("t.csv", table())
    write("t.tsv.gz", gzip.compress(table().replace(",", "\t").encode()))
    write("t.dat", table())
    write("ratings.csv", ratings())
    write("curve.csv", table())
    targets = {
        "words.txt": ("text", None),
        "words.md.gz": ("text", None),
        "t.csv": ("table", "y"),
        "t.tsv.gz": ("table", "y"),
        "t.dat": ("table", "y"),
        pictures("pictures"): ("pictures", None),
        boxes("boxes"): ("boxes", None),
        masks("masked"): ("masks", None),
        "digits": ("sample", None),
        "lane-keeping": ("driving", None),
        "ratings.csv": ("ratings", "stars"),
        "curve.csv": ("curve", None),
    }
    assert {kind for kind, _ in targets.values()} == set(READERS)
    for target, (kind, column) in targets.items():
        options = {"ratings": {"user": "who", "item": "what"}, "curve": {"model": "y = p*a + q*b"}}.get(
            kind, {}
        )
        problem = problem_from_target(target, target_column=column, **options)
        assert problem.reader is not None and problem.reader.kind == kind, target
        reader = reader_from_json(json.loads(json.dumps(problem.reader.to_json())))
        assert type(reader) is type(problem.reader)
        shapes = {k: v.shape for k, v in reader.model().state_dict().items()}
        assert shapes == {k: v.shape for k, v in problem.function.state_dict().items()}
        json.dumps(problem.describe_data())


def test_a_built_in_name_comes_before_a_folder_of_that_name(here):
    pictures("digits")
    assert problem_from_target("digits").facts["kind"] == "sample"
    assert problem_from_target("./digits").facts["kind"] == "pictures"


@pytest.mark.parametrize(
    ("target", "column", "said"),
    [
        ("digitz", None, "did you mean digits"),
        ("rosenbruck", None, "did you mean rosenbrock"),
        ("qqqq", None, "built in are digits, diabetes, breast-cancer, and surfaces such as rosenbrock"),
        ("nowhere.csv", "y", "nowhere.csv, which does not exist"),
        ("tabel.csv", "y", "did you mean table.csv"),
        ("no/where", None, "does not exist"),
        ("nul\0.csv", None, "does not exist"),
        ("a" * 5000 + ".csv", None, "does not exist"),
        ("table.csv", None, "add --target and one of: a, b, y"),
        ("data.xyz", None, "data.xyz, of no kind that is known"),
        ("one.png", None, "a folder of pictures; came the single file one.png"),
        ("train-images-idx3-ubyte.gz", None, "a folder of IDX files"),
        ("empty", None, "an empty folder"),
        ("digits", "y", "no --target for sample data"),
        ("booth", "y", "no --target for a surface"),
        ("words.txt", None, "at least 1000 characters"),
        ("empty", "y", "no --target for a folder"),
        ("mine.py:problem", "y", "no --target for a problem in Python"),
    ],
)
def test_targets_that_are_none(target, column, said, here):
    for name in ("table.csv", "data.xyz", "one.png", "train-images-idx3-ubyte.gz", "words.txt", "mine.py"):
        write(name, PROBLEM if name == "mine.py" else table(20))
    Path("empty").mkdir()
    with pytest.raises(DescendError) as caught:
        problem_from_target(target, target_column=column)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_reader_of_no_known_kind():
    for saved in ({"kind": "dreams"}, {}):
        with pytest.raises(RunError, match="newer version"):
            reader_from_json(saved)


# file.py:name ------------------------------------------------------------------------------------
def test_a_problem_in_a_file(here):
    write("sub/mine.py", PROBLEM)
    problem = problem_from_target("sub/mine.py:problem")
    assert problem.name == "mine"
    saved = problem.facts["problem"]
    assert saved["file"] == str(here / "sub" / "mine.py") and saved["name"] == "problem"
    assert len(saved["sha256"]) == 64
    assert problem_from_target(f"{saved['file']}:another").name == "mine"
    assert not list(here.rglob("__pycache__"))


def test_a_function_in_a_file_is_given_the_seed_and_options(here):
    write("mine.py", PROBLEM)
    problem = problem_from_target("mine.py:made", seed=3, width=4)
    assert problem.name == "made-3" and problem.count == 5
    with pytest.raises(UsageError, match="did you mean width"):
        problem_from_target("mine.py:made", widht=4)
    with pytest.raises(UsageError, match="no options"):
        problem_from_target("mine.py:problem", width=4)


def test_what_a_file_draws_is_drawn_from_the_seed(here):
    write("mine.py", PROBLEM)
    before = torch.get_rng_state()
    a, b, c = (problem_from_target("mine.py:problem", seed=seed) for seed in (1, 1, 2))
    weights = [p.function.weight for p in (a, b, c)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(before, torch.get_rng_state())


def test_files_beside_it_can_be_imported_and_dataclasses_work(here):
    write("sub/besides_it.py", "width = 2\n")
    dataclass = "from __future__ import annotations\nfrom dataclasses import dataclass\nimport besides_it\n"
    dataclass += "@dataclass\nclass Sizes:\n    width: int = besides_it.width\n"
    write("sub/mine.py", dataclass + PROBLEM)
    assert problem_from_target("sub/mine.py:problem").count == 3


def test_what_a_file_prints_leaves_standard_output_alone(here, capsys):
    write("mine.py", "print('hello')\n" + PROBLEM)
    problem_from_target("mine.py:problem")
    out = capsys.readouterr()
    assert out.out == "" and out.err == "hello\n"


@pytest.mark.parametrize(
    ("content", "target", "said"),
    [
        (None, "mine.py:problem", "mine.py (no such file or directory)"),
        (PROBLEM, "mine.py", "choose mine.py:problem or mine.py:another or mine.py:made"),
        (PROBLEM, "mine.py:", "no name after a colon"),
        (PROBLEM, "mine.py:problems", "did you mean problem"),
        ("x = 1\n", "mine.py:problem", "define problem = descend.Problem(...) in mine.py"),
        (PROBLEM, "mine.py:number", "mine.py:number; came int"),
        (PROBLEM, "mine.py:wrong", "a Problem from mine.py:wrong; came int"),
        (PROBLEM, "mine.py:needs", "one that needs width"),
        (PROBLEM, "mine.py:raises", "KeyError: 'the key' (line 24)"),
        ("1\n1 / 0\n", "mine.py:problem", "ZeroDivisionError: division by zero (line 2)"),
        ("def problem(:\n", "mine.py:problem", "SyntaxError: invalid syntax (line 1)"),
        ("x = 1\0\n", "mine.py:problem", "mine.py"),
        ("import no_such_module_at_all\n", "mine.py:problem", "ModuleNotFoundError: No module named"),
        ("raise SystemExit\n", "mine.py:problem", "SystemExit (line 1)"),
        ("raise ValueError('two\\nlines')\n", "mine.py:problem", "ValueError: two lines (line 1)"),
        (PROBLEM.replace('"mse"', '"msee"'), "mine.py:problem", "did you mean mse"),
        (b"\xff\xfe\n", "mine.py:problem", "mine.py"),
    ],
)
def test_python_files_that_hold_no_problem(content, target, said, here):
    if content is not None:
        write("mine.py", content)
    with pytest.raises(DescendError) as caught:
        problem_from_target(target)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_an_interruption_is_no_error_of_the_file(here):
    write("mine.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        problem_from_target("mine.py:problem")


def test_a_missing_file_is_a_data_error(here):
    with pytest.raises(DataError):
        problem_from_target("nowhere.py:problem")
