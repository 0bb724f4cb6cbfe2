"""Whatever a person gets wrong: exit code 2, one sentence, nothing lost, no traceback.

Each row makes its files, gives the words of a command, and names what the sentence must mention.
"""

import errno
import gzip
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from descend.cli.main import run

Words = list[str]


@dataclass(frozen=True)
class Given:
    """Where a row works, and the runs it may spoil."""

    here: Path
    table: Path
    surface: Path
    text: Path

    def file(self, name: str, content: str | bytes) -> str:
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def copy(self, of: Path) -> Path:
        shutil.copytree(of, self.here / "mine")
        return Path("mine")


@dataclass(frozen=True)
class Bad:
    """A row of the table."""

    name: str
    command: Callable[[Given], Words]
    says: tuple[str, ...]


def houses(rows: int = 120, price: Callable[[int], object] = lambda i: 1000 + 3 * i) -> str:
    lines = [f"{20 + i % 37},{'abc'[i % 3]},{price(i)}" for i in range(rows)]
    return "\n".join(["size,city,price", *lines]) + "\n"


def fit(*words: object) -> Words:
    return ["fit", *map(str, words), "--steps", "5", "--threads", "1"]


def csv(content: str, *words: object, column: str | None = "price") -> Callable[[Given], Words]:
    target = ["--target", column] if column else []
    return lambda given: fit(given.file("houses.csv", content), *target, *words)


def flags(*words: object) -> Callable[[Given], Words]:
    return lambda given: ["fit", "rosenbrock", *map(str, words)]


def python(content: str, name: str = "problem") -> Callable[[Given], Words]:
    return lambda given: fit(given.file("mine.py", content) + f":{name}")


PROBLEM = "import torch, descend\nfrom torch import nn\nX, y = torch.rand(40, 3), torch.rand(40, 1)\n"


def png(size: int = 8, shade: int = 0) -> bytes:
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("L", (size, size), shade).save(file, "PNG")
    return file.getvalue()


def pictures(given: Given, classes: str = "ab", each: int = 12) -> Path:
    for label in classes:
        for i in range(each):
            given.file(f"pictures/{label}/{i}.png", png(shade=9 * i))
    return given.here / "pictures"


def unreadable_picture(given: Given) -> Words:
    pictures(given)
    given.file("pictures/b/broken.png", png()[:40])
    return fit("pictures")


def one_class_of_pictures(given: Given) -> Words:
    pictures(given, "a")
    return fit("pictures")


def empty_folder(given: Given) -> Words:
    (given.here / "nothing").mkdir()
    return fit("nothing")


def idx(dims: tuple[int, ...], values: bytes) -> bytes:
    head = struct.pack(">HBB", 0, 8, len(dims)) + struct.pack(f">{len(dims)}I", *dims)
    return gzip.compress(head + values)


def truncated_idx(given: Given) -> Words:
    given.file("idx/train-images-idx3-ubyte.gz", idx((100, 4, 4), bytes(700)))
    given.file("idx/train-labels-idx1-ubyte.gz", idx((100,), bytes(i % 2 for i in range(100))))
    given.file("idx/t10k-images-idx3-ubyte.gz", idx((20, 4, 4), bytes(320)))
    given.file("idx/t10k-labels-idx1-ubyte.gz", idx((20,), bytes(i % 2 for i in range(20))))
    return fit("idx")


def occupied(given: Given) -> Words:
    return fit("rosenbrock", "--out", given.copy(given.surface))


def other_settings(given: Given) -> Words:
    return fit("rosenbrock", "--out", given.copy(given.surface), "--resume", "--lr", "0.123")


def other_target(given: Given) -> Words:
    return fit("beale", "--out", given.copy(given.surface), "--resume")


def spoiled(file: str, content: bytes | Callable[[bytes], bytes], *words: str) -> Callable[[Given], Words]:
    def command(given: Given) -> Words:
        path = given.here / given.copy(given.table) / file
        path.write_bytes(content(path.read_bytes()) if callable(content) else content)
        given.file("houses.csv", houses())
        return [word.replace("RUN", "mine") for word in words]

    return command


def newer(content: bytes) -> bytes:
    return json.dumps(json.loads(content) | {"format": 99}).encode()


def predicting(of: str, source: str, *words: str) -> Callable[[Given], Words]:
    def command(given: Given) -> Words:
        given.file("less.csv", "city\na\nb\n")
        given.file("houses.csv", houses())
        return ["predict", str(given.copy(getattr(given, of))), source, *words]

    return command


def over_its_own_input(given: Given) -> Words:
    return ["predict", str(given.copy(given.table)), given.file("in.csv", houses()), "--out", "in.csv"]


def below_a_file(given: Given) -> Words:
    return fit("rosenbrock", "--out", given.file("a-file", "precious") + "/run")


def on_a_file(given: Given) -> Words:
    return fit("rosenbrock", "--out", given.file("a-file", "precious"))


NOISE = bytes(range(256)) * 40

TABLE = [
    # files
    Bad("missing file", lambda g: fit("nowhere.csv", "--target", "price"), ("nowhere.csv",)),
    Bad("empty file", csv(""), ("houses.csv",)),
    Bad("header only", csv("size,city,price\n"), ("houses.csv", "row")),
    Bad("no such column", csv(houses(), column="prize"), ("prize", "price")),
    Bad("no --target", csv(houses(), column=None), ("target", "price")),
    Bad("one class only", csv(houses(price=lambda i: "cheap")), ("price", "every row")),
    Bad("one value only", csv(houses(price=lambda i: 7.5)), ("price", "every row")),
    Bad("all missing", csv(houses(price=lambda i: "")), ("price", "missing")),
    Bad("text in numbers", csv(houses(price=lambda i: "n/k" if i == 50 else 1000 + i)), ("price", "n/k")),
    Bad("not enough rows", csv(houses(3)), ("3", "rows")),
    Bad("binary as CSV", lambda g: fit(g.file("houses.csv", NOISE), "--target", "price"), ("houses.csv",)),
    Bad("binary as Parquet", lambda g: fit(g.file("h.parquet", NOISE), "--target", "a"), ("h.parquet",)),
    Bad("text too short", lambda g: fit(g.file("short.txt", "To be")), ("short.txt", "characters")),
    Bad("binary as text", lambda g: fit(g.file("noise.txt", NOISE)), ("noise.txt", "text")),
    Bad("unknown kind of file", lambda g: fit(g.file("data.xyz", NOISE)), ("data.xyz",)),
    Bad("unreadable picture", unreadable_picture, ("broken.png",)),
    Bad("one class of pictures", one_class_of_pictures, ("pictures",)),
    Bad("empty folder", empty_folder, ("nothing",)),
    Bad("truncated IDX", truncated_idx, ("train-images-idx3-ubyte",)),
    Bad("--target for a surface", lambda g: fit("rosenbrock", "--target", "price"), ("--target",)),
    # a person's own Python
    Bad("no such file.py", lambda g: fit("nowhere.py:problem"), ("nowhere.py",)),
    Bad("no such name", python(PROBLEM + "problems = 1", "problem"), ("problem", "mine.py")),
    Bad("raises on import", python("1 / 0\n"), ("mine.py", "ZeroDivisionError")),
    Bad("cannot be parsed", python("def problem(:\n"), ("mine.py", "SyntaxError")),
    Bad("raises when called", python("def problem():\n    raise KeyError('x')\n"), ("problem", "KeyError")),
    Bad("not a Problem", python("problem = 7\n"), ("problem", "int")),
    Bad(
        "wrong shapes",
        python(PROBLEM + "problem = descend.Problem(nn.Linear(3, 2), 'mse', train=(X, y))"),
        ("(40, 1)",),
    ),
    Bad(
        "inputs too wide for the function",
        python(PROBLEM + "problem = descend.Problem(nn.Linear(5, 1), 'mse', train=(X, y))"),
        ("shape",),
    ),
    Bad(
        "NaN in data",
        python(
            PROBLEM
            + "X[7, 1] = float('nan')\nproblem = descend.Problem(nn.Linear(3, 1), 'mse', train=(X, y))"
        ),
        ("NaN",),
    ),
    Bad(
        "unknown loss",
        python(PROBLEM + "problem = descend.Problem(nn.Linear(3, 1), 'msee', train=(X, y))"),
        ("msee", "mse"),
    ),
    Bad(
        "rows that disagree",
        python(PROBLEM + "problem = descend.Problem(nn.Linear(3, 1), 'mse', train=(X, y[:9]))"),
        ("40", "9"),
    ),
    # flags
    Bad("unknown method", flags("--method", "adamx", "--steps", 5), ("adamx", "adamw")),
    Bad("unknown target", lambda g: fit("digitz"), ("digitz", "digits")),
    Bad("unknown schedule", flags("--schedule", "cosin"), ("cosin", "cosine")),
    Bad("unknown device", flags("--device", "gpu", "--steps", 5), ("gpu",)),
    Bad("negative lr", flags("--lr", -0.1), ("--lr", "-0.1")),
    Bad("lr no number", flags("--lr", "fast"), ("--lr", "fast")),
    Bad("infinite lr", flags("--lr", "inf"), ("--lr", "inf")),
    Bad("zero steps", flags("--steps", 0), ("--steps", "0")),
    Bad("negative seconds", flags("--seconds", -3), ("--seconds", "-3")),
    Bad("batch size 0", flags("--batch-size", 0), ("--batch-size", "0")),
    Bad("warm-up of everything", flags("--warmup", 1), ("--warmup", "1")),
    Bad("zero threads", flags("--threads", 0), ("--threads", "0")),
    Bad("unknown flag", flags("--learning-rate", 1), ("--learning-rate", "--lr?")),
    Bad("flag without value", flags("--lr"), ("--lr",)),
    Bad("unknown command", lambda g: ["train", "digits"], ("train", "fit")),
    Bad(
        "unknown hyperparameter",
        flags("--method", "adam", "--set", "beta=0.9", "--steps", 5),
        ("beta", "betas"),
    ),
    Bad("hyperparameter out of range", flags("--method", "adam", "--set", "betas=0.9,1.5"), ("betas", "1.5")),
    Bad("half a pair of betas", flags("--method", "adam", "--set", "betas=0.9"), ("betas", "0.9")),
    Bad("--set without a value", flags("--set", "betas"), ("--set", "betas")),
    # runs
    Bad("folder holds a run", occupied, ("mine", "--resume")),
    Bad("resumed with other settings", other_settings, ("lr", "0.123")),
    Bad("resumed with another target", other_target, ("beale", "rosenbrock")),
    Bad("--out is a file", on_a_file, ("a-file",)),
    Bad("--out below a file", below_a_file, ("a-file",)),
    Bad("corrupted run.json", spoiled("run.json", b"{", "report", "RUN"), ("run.json",)),
    Bad("run.json is a list", spoiled("run.json", b"[]", "report", "RUN"), ("run.json",)),
    Bad("binary run.json", spoiled("run.json", NOISE, "predict", "RUN", "houses.csv"), ("run.json",)),
    Bad("corrupted record", spoiled("record.db", NOISE, "export", "RUN", "--to", "csv"), ("record.db",)),
    Bad(
        "truncated parameters",
        spoiled("parameters.safetensors", lambda b: b[:-50], "predict", "RUN", "houses.csv"),
        ("parameters.safetensors",),
    ),
    Bad(
        "no parameters",
        spoiled("parameters.safetensors", b"", "predict", "RUN", "houses.csv"),
        ("parameters.safetensors",),
    ),
    Bad("made by a newer version", spoiled("run.json", newer, "predict", "RUN", "houses.csv"), ("newer",)),
    Bad("report on no run", lambda g: ["report", str(g.here)], ("run",)),
    Bad("predict on no run", lambda g: ["predict", "runs/none", "x.csv"], ("runs/none",)),
    Bad("predict, missing column", predicting("table", "less.csv"), ("size",)),
    Bad("predict, missing file", predicting("table", "nowhere.csv"), ("nowhere.csv",)),
    Bad("predict on a surface", predicting("surface", "houses.csv"), ("inputs",)),
    Bad("predict, over its input", over_its_own_input, ("in.csv", "--out")),
    Bad("predict, --out nowhere", predicting("table", "houses.csv", "--out", "no/way.csv"), ("no/way.csv",)),
    Bad("predict, unknown characters", predicting("text", "日本"), ("日",)),
    Bad("predict, text options on a table", predicting("table", "houses.csv", "--length", "9"), ("length",)),
    Bad("unknown format", lambda g: ["export", str(g.copy(g.table)), "--to", "xlsx"], ("xlsx", "csv")),
    Bad("export of no run", lambda g: ["export", "runs/none", "--to", "csv"], ("runs/none",)),
]


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Three short runs: a table's, a surface's, a text's."""
    here = tmp_path_factory.mktemp("runs")
    (here / "houses.csv").write_text(houses())
    (here / "play.txt").write_text("To be, or not to be: that is the question. " * 60)
    commands = {
        "table": fit(here / "houses.csv", "--target", "price"),
        "surface": fit("rosenbrock"),
        "text": fit(here / "play.txt"),
    }
    for name, words in commands.items():
        assert run([*words, "--out", str(here / name), "--quiet"]) == 0
    return {name: here / name for name in commands}


def everything(under: Path) -> dict[str, str]:
    """Return a digest of every file; an empty string for a folder."""
    return {
        path.relative_to(under).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(under.rglob("*"))
        if "__pycache__" not in path.parts
    }


def is_one_sentence(said, row_says=()) -> None:
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.count("\n") == 1 and said.err.startswith("descend: "), said.err
    assert "Traceback" not in said.err and "unexpected" not in said.err, said.err
    for word in row_says:
        assert word.lower() in said.err.lower(), f"{word!r} is not in: {said.err}"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name.replace(" ", "-"))
def test_bad_input(row: Bad, runs, descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = row.command(Given(tmp_path, **runs))
    before = everything(tmp_path)
    said = descend(*words)
    is_one_sentence(said, row.says)
    assert everything(tmp_path) == before, "nothing is lost, and nothing half made is left"


def test_there_are_enough_rows_and_each_name_is_its_own():
    assert len(TABLE) >= 30
    assert len({row.name for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", [TABLE[0], TABLE[5], TABLE[-1]], ids=lambda row: row.name.replace(" ", "-"))
def test_bad_input_in_a_process_of_its_own(row: Bad, runs, tmp_path):
    words = row.command(Given(tmp_path, **runs))
    done = subprocess.run(
        [sys.executable, "-m", "descend", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert all(word.lower() in done.stderr.lower() for word in row.says), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written(descend, tmp_path, monkeypatch):
    # Permission bits do not bind root; the kernel's own folder does.
    monkeypatch.chdir(tmp_path)
    is_one_sentence(descend(*fit("rosenbrock", "--out", "/sys/descend/run")), ("/sys/descend",))
    assert not everything(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permission bits do not bind root")
def test_a_folder_without_permission(descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "locked").mkdir(mode=0o500)
    is_one_sentence(descend(*fit("rosenbrock", "--out", "locked/run")), ("locked",))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
def test_a_disk_that_is_full_from_the_start(descend, small_disk):
    (small_disk / "precious").write_bytes(bytes(240 * 1024))
    before = everything(small_disk)
    is_one_sentence(descend(*fit("rosenbrock", "--out", small_disk / "run")), ("disk",))
    assert everything(small_disk) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
def test_a_disk_that_becomes_full(descend, small_disk):
    said = descend("fit", "rosenbrock", "--steps", "20000", "--threads", "1", "--out", small_disk / "run")
    is_one_sentence(said, ("disk",))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_predictions_that_find_no_room(runs, descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_text(houses())
    is_one_sentence(descend("predict", runs["table"], "houses.csv", "--out", "/dev/full"), ("disk",))


def test_predictions_replace_a_file_whole_or_not_at_all(runs, descend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_text(houses())
    (tmp_path / "out.csv").write_text("precious")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.csv")

    monkeypatch.setattr("os.fsync", full)
    is_one_sentence(descend("predict", runs["table"], "houses.csv", "--out", "out.csv"), ("disk", "out.csv"))
    assert (tmp_path / "out.csv").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["houses.csv", "out.csv"]
