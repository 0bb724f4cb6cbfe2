"""ONNX Runtime computes what the run's function computes, from a file that says how it is used."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from descend.applications.tables import table_problem
from descend.cli.main import app
from descend.errors import MissingExtra, RunError
from descend.functions.depths import Depth
from descend.functions.detections import DetectionReader
from descend.functions.detector import edges
from descend.functions.masks import MaskReader
from descend.functions.picture_files import Form
from descend.functions.pictures import PictureReader
from descend.functions.problem import Reader
from descend.functions.samples import SampleReader
from descend.functions.tables import TableReader
from descend.functions.text import TextReader
from descend.functions.tokens import Characters
from descend.runs.export import export
from descend.runs.run import Run
from descend.runs.table_graph import calendar

CLOSE = {"rtol": 1e-5, "atol": 1e-6}
"""Float32 rounds to 6e-8; sums of a hundred terms in another order differ by some 1e-6."""


def run_of(folder: Path, reader: Reader, function: torch.nn.Module | None = None) -> Run:
    """A run whose parameters are drawn, so that every one of them counts."""
    torch.manual_seed(0)
    function = function or reader.model()
    with torch.no_grad():
        for p in function.parameters():
            p.add_(0.1 * torch.randn_like(p) / max(1, p[0].numel() if p.ndim > 1 else 1) ** 0.5)
    run = Run.create(folder, {"name": "mine", "reader": {"kind": reader.kind, **reader.to_json()}})
    run.save_parameters(function.state_dict())
    run.unlock()
    return Run.open(folder)


def asked(path: Path, **inputs: Any) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert {i.name for i in session.get_inputs()} == set(inputs)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {k: np.asarray(v) for k, v in inputs.items()}), strict=True))


def said(path: Path) -> dict[str, Any]:
    kept = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    return {key.removeprefix("descend."): json.loads(kept[key]) for key in kept if key.startswith("descend.")}


def houses(folder: Path, texts: bool = False) -> Path:
    draw, n = np.random.default_rng(0), 120
    moments = draw.integers([1950, 1, 1, 0], [2040, 13, 29, 24], (n, 4))
    columns: dict[str, Any] = {
        "size": [None if i % 17 == 3 else v for i, v in enumerate(draw.normal(120, 30, n).tolist())],
        "kind": draw.choice(["house", "flat", "hut"], n),
        "street": [f"street {i}" for i in draw.integers(0, 40, n)],
        "sold": [f"{y}-{m:02}-{d:02}T{h:02}:30:00" for y, m, d, h in moments],
        "price": draw.lognormal(5, 1, n),
        "dear": draw.choice(["yes", "no", "so so"], n),
    }  # fmt: skip
    if texts:
        words = ["big", "old", "new", "sunny", "dark", "near", "far", "garden", "roof", "door"]
        columns["about"] = [" ".join(draw.choice(words, draw.integers(6, 12))) + f" {i}" for i in range(n)]
    pl.DataFrame(columns).write_csv(folder / "houses.csv")
    return folder / "houses.csv"


def inputs_of(says: dict[str, Any], table: pl.DataFrame) -> dict[str, np.ndarray]:
    """What a program without descend makes of a table, by the file's metadata alone."""

    def number(name: str) -> np.ndarray:
        cells = table[name]
        if name in says["dates"]:
            cells = cells.str.to_datetime(time_unit="us").cast(pl.Int64) / 1e6
        return cells.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def level(name: str, known: list[str | None]) -> list[int]:
        place = {label: i for i, label in enumerate(known) if i}
        return [place.get(cell, 0) for cell in table[name]]

    return {
        "numbers": np.stack([number(name) for name in says["numbers"]], 1),
        "levels": np.array([level(*pair) for pair in says["levels"]], np.int64).T.copy(),
    }


@pytest.mark.parametrize("target", ["price", "dear"])
def test_a_table(tmp_path: Path, target: str) -> None:
    problem = table_problem(houses(tmp_path), target)
    assert problem.reader is not None
    run = run_of(tmp_path / "run", problem.reader, problem.fresh_function())
    path = export(run, "onnx")
    assert path == run.folder / "function.onnx"
    says = said(path)
    assert (says["name"], says["kind"], says["target"]) == ("mine", "table", target)
    table = pl.read_csv(tmp_path / "houses.csv")
    table = table.with_columns(
        pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("igloo")).otherwise("kind").alias("kind")
    )
    for rows in (1, 100):
        found = asked(path, **inputs_of(says, table[:rows]))
        answers = problem.reader.predict(run.model, table[:rows])  # pyright: ignore[reportArgumentType]
        if target == "price":
            np.testing.assert_allclose(found["amounts"], [row["prediction"] for row in answers], **CLOSE)
            continue
        for i, label in enumerate(says["classes"]):
            expected = [row[f"probability/{label}"] for row in answers]
            np.testing.assert_allclose(found["probabilities"][:, i], expected, **CLOSE)


def test_a_table_with_texts(tmp_path: Path) -> None:
    problem = table_problem(houses(tmp_path, texts=True), "dear")
    reader = problem.reader
    assert isinstance(reader, TableReader) and [c.name for c in reader.texts] == ["about"]
    run = run_of(tmp_path / "run", reader, problem.fresh_function())
    path, table = export(run, "onnx"), pl.read_csv(tmp_path / "houses.csv")
    bag = reader.inputs(table)[0]
    found = asked(path, words=bag.numpy(), **inputs_of(said(path), table))["probabilities"]
    with torch.no_grad():
        expected = run.model(*reader.inputs(table)).softmax(1)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_the_calendar_is_that_of_numpy() -> None:
    days = np.arange(-200_000, 200_000, 7)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(int)
    year, month = calendar(torch.from_numpy(days).double())
    assert (year.numpy() == 1970 + months // 12).all() and (month.numpy() == 1 + months % 12).all()


READERS: list[Reader] = [
    PictureReader(["cat", "dog", "cow"], Form(28, 20, 3), [100.0, 90.0, 80.0], [50.0, 60.0, 70.0]),
    DetectionReader(["cell", "plate"], Form(64, 96, 3), [100.0] * 3, [50.0] * 3, 8),
    MaskReader(["road"], Depth(1), [100.0], [50.0], 8),
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.kind)
def test_pictures(tmp_path: Path, reader: Any) -> None:
    run = run_of(tmp_path / "run", reader)
    path = export(run, "onnx", tmp_path / "out.onnx")
    height, width = (32, 80) if reader.kind == "masks" else (reader.form.height, reader.form.width)
    channels = len(reader.mean)
    for n in (1, 5):
        pictures = torch.randint(0, 256, (n, height, width, channels), dtype=torch.uint8)
        with torch.no_grad():
            output = run.model(pictures)
        found = asked(path, pictures=pictures)
        if reader.kind == "boxes":
            np.testing.assert_allclose(found["scores"], output[:, :-4].sigmoid(), **CLOSE)
            np.testing.assert_allclose(found["boxes"], edges(output), rtol=1e-5, atol=1e-3)  # in pixels
        else:
            np.testing.assert_allclose(found["probabilities"], output.softmax(1), **CLOSE)
    assert [name for name in said(path)["classes"] if name] == reader.classes


def test_a_text(tmp_path: Path) -> None:
    reader = TextReader(Characters("abcdefgh "), 32, 2, 2, 16)
    run = run_of(tmp_path / "run", reader)
    path = export(run, "onnx")
    for n, length in ((1, 1), (2, 16), (7, 5)):
        tokens = torch.randint(0, len(reader.tokens), (n, length))
        with torch.no_grad():
            expected = run.model(tokens)
        np.testing.assert_allclose(asked(path, tokens=tokens)["logits"], expected, rtol=1e-5, atol=1e-5)
    assert said(path)["context"] == 16 and said(path)["tokens"] == reader.tokens.to_json()


@pytest.mark.parametrize("name", ["breast-cancer", "diabetes"])
def test_a_sample(tmp_path: Path, name: str) -> None:
    width = 30 if name == "breast-cancer" else 10
    run = run_of(tmp_path / "run", SampleReader(name, [1.0] * width, [2.0] * width, (150.0, 77.0)))
    path, x = export(run, "onnx"), torch.randn(9, width)
    with torch.no_grad():
        output = run.model(x)
    expected = output.softmax(1) if name == "breast-cancer" else output[:, 0] * 77 + 150
    (found,) = asked(path, rows=x).values()
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_from_the_command_line_and_what_cannot_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path / "bare", {"name": "bare"})
    run.unlock()
    with pytest.raises(RunError, match="a run of a kind that is exported"):
        export(run, "onnx")
    other = run_of(tmp_path / "run", SampleReader("diabetes", [0.0] * 10, [1.0] * 10))
    done = CliRunner().invoke(
        app, ["export", str(other.folder), "--to", "onnx", "--out", str(tmp_path / "a.onnx")]
    )
    assert done.exit_code == 0 and (tmp_path / "a.onnx").exists()
    real = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name == "onnxscript":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'descend\[onnx\]'"):
        export(other, "onnx")
