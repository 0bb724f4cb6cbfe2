"""Landscapes against analytic ones, of runs and of problems, and every picture of them."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

import descend
from descend.cli.main import run as command
from descend.errors import RunError, UsageError
from descend.landscapes.landscape import fixed_examples

H = torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 5.0]], dtype=torch.float64)
CENTRE = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def quadratic() -> descend.Problem:
    """Return ½ (w − c)ᵀ H (w − c) + 7."""
    settings = descend.Settings("sgd", lr=0.1, batch_size=None, steps=200, schedule="constant", warmup=0.0)
    return descend.Problem(
        lambda p: 0.5 * (p["w"] - CENTRE) @ H @ (p["w"] - CENTRE) + 7,
        parameters={"w": torch.tensor([2.0, 1.0, -1.0], dtype=torch.float64)},
        settings=settings,
    )


def digits(steps: int = 300) -> descend.Problem:
    from descend.applications.targets import problem_from_target

    known = problem_from_target("digits")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    train, held_out = ((x / 8 - 1, y) for x, y in (d.tensors for d in (known.train, known.validation)))
    settings = descend.Settings("adamw", lr=1e-2, batch_size=64, steps=steps)
    return descend.Problem(
        network, "cross_entropy", train=train, validation=held_out, metric="accuracy", settings=settings
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory):
    """Return a problem and three runs of it."""
    folder, problem = tmp_path_factory.mktemp("runs"), digits()
    return problem, [
        descend.fit(problem, seed=k, out=folder / f"{k}", threads=1, watch=False) for k in range(3)
    ]


# Known cases -------------------------------------------------------------------------------------
@pytest.mark.parametrize("every", [True, False])
def test_a_quadratics_slice_is_the_analytic_one(every: bool) -> None:
    problem = quadratic()
    axes = torch.tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    seen = descend.landscape(problem, directions=list(axes), span=2.0, points=21, every=every)
    start = problem.function.w.detach()
    for j, y in enumerate(seen.y.tolist()):
        for i, x in enumerate(seen.x.tolist()):
            away = start + x * axes[0] + y * axes[1] - CENTRE
            assert float(seen.loss[j, i]) == pytest.approx(float(0.5 * away @ H @ away + 7), rel=1e-6)
    assert seen.kind == "given" and math.isnan(seen.noise) and seen.examples == 0


def test_curvature_along_a_slice_is_the_hessian_product() -> None:
    x, y = digits().train.tensors
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10)).double()
    problem = descend.Problem(network, "cross_entropy", train=(x[:500].double(), y[:500]))
    d = torch.randn(problem.count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    h = 1e-3
    seen = descend.landscape(problem, directions=[d], span=2 * h, points=5, dimensions=1)
    f = seen.loss.tolist()
    numeric = (-f[0] + 16 * f[1] - 30 * f[2] + 16 * f[3] - f[4]) / (12 * h * h)
    hessian = descend.Curvature(problem)
    assert numeric == pytest.approx(float(d @ (hessian @ d)), rel=1e-5)


def test_the_plane_of_curvature_curves_by_the_eigenvalues() -> None:
    problem = quadratic()
    with torch.no_grad():
        problem.function.w.copy_(CENTRE)
    seen = descend.landscape(problem, "curvature", points=11, every=True)
    largest = torch.linalg.eigvalsh(H).flip(0)
    for axis, curve, label in zip((seen.x, seen.y), largest[:2].tolist(), seen.labels, strict=True):
        assert label == f"curvature {curve:.3g}"
        assert axis is not None
    middle = seen.loss[5]
    expected = 7 + 0.5 * largest[0] * seen.x**2
    assert middle.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_a_function_of_two_numbers_is_seen_whole() -> None:
    from descend.applications.targets import problem_from_target

    seen = descend.landscape(problem_from_target("rosenbrock"), every=True)
    assert seen.kind == "axes" and len(seen.ways) == 1
    x, y = float(seen.x[10]), float(seen.y[20])
    assert float(seen.loss[20, 10]) == pytest.approx(100 * (y - x * x) ** 2 + (1 - x) ** 2, rel=1e-12)
    (way,) = seen.ways
    assert way.at[0].tolist() == [-1.2, 1.0] and way.at[-1].tolist() == pytest.approx([1, 1], abs=1e-3)
    assert way.share == pytest.approx(1) and float(way.off.max()) < 1e-12
    assert way.loss.tolist() == pytest.approx(way.on_plane.tolist(), rel=1e-9, abs=1e-15)


# Runs ------------------------------------------------------------------------------------------
def test_the_way_of_a_run(runs) -> None:
    problem, (run, *_) = runs
    seen = descend.landscape(run, problem=problem, points=21)
    assert seen.kind == "path" and seen.loss.shape == (21, 21)
    (way,) = seen.ways
    assert way.steps[0] == 0 and way.steps[-1] == 300
    batch = fixed_examples(problem, "train", 1000, 0)
    assert [len(t) for t in batch] == [1000, 1000]
    function = problem.fresh_function()
    assert float(way.loss[0]) == pytest.approx(problem.loss_of(function, batch).item(), rel=1e-5)
    assert seen.middle == pytest.approx(problem.loss_of(run.model, batch).item(), rel=1e-4)
    assert 0.5 < way.share <= 1 and 0.5 < way.share_of_a_random_walk < 1
    assert seen.noise_of_differences > 0 and 0 < seen.noise < 0.1
    said = str(seen)
    assert "variance of the way" in said and "random walk" in said and "standard errors" in said
    json.dumps(seen.as_json(), allow_nan=False)


def test_several_runs_on_one_plane(runs) -> None:
    problem, three = runs
    seen = descend.landscape(three, "path", problem=problem, points=11)
    assert len(seen.ways) == 3 and len({way.name for way in seen.ways}) == 3
    starts = torch.stack([way.at[0] for way in seen.ways])
    assert float((starts - starts[0]).norm()) < 1e-4  # one start
    for way in seen.ways:
        inside = (way.at[:, 0] >= seen.x[0]) & (way.at[:, 0] <= seen.x[-1])
        assert bool(inside.all())


def test_between_two_and_through_three(runs) -> None:
    problem, three = runs
    line = descend.landscape(three[:2], problem=problem, dimensions=1, points=13, span=0.5)
    assert line.kind == "between" and line.y is None
    batch = fixed_examples(problem, "train", 1000, 0)
    for x, run in ((0.0, three[0]), (1.0, three[1])):
        at = int((line.x - x).abs().argmin())
        expected = problem.loss_of(run.model, batch).item()
        assert float(line.loss[at]) == pytest.approx(expected, abs=1e-4)
    plane = descend.landscape(three, "through", problem=problem, points=11)
    assert plane.kind == "through" and plane.loss.shape == (11, 11)
    with pytest.raises(UsageError, match="two runs"):
        descend.landscape(three, "between", problem=problem)


def test_a_curve_of_low_loss(runs) -> None:
    problem, three = runs
    seen = descend.landscape(three[:2], "between", problem=problem, curved=True, points=21)
    assert seen.curve is not None
    straight = seen.loss[(seen.x >= 0) & (seen.x <= 1)].max()
    assert float(seen.curve.loss.max()) <= float(straight) + 1e-3
    batch = fixed_examples(problem, "train", 1000, 0)
    for place, run in ((0, three[0]), (-1, three[1])):
        assert float(seen.curve.loss[place]) == pytest.approx(
            problem.loss_of(run.model, batch).item(), abs=1e-4
        )


def test_parts_of_the_data(runs) -> None:
    problem, (run, *_) = runs
    seen = descend.landscape(run, "random", problem=problem, data="validation", points=5, examples=50)
    assert (seen.data, seen.examples) == ("validation", 50)
    with pytest.raises(UsageError, match="train, validation"):
        descend.landscape(run, "random", problem=problem, data="test", points=5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kind": "rndom"}, "did you mean random"),
        ({"points": 3}, "at least 5 points"),
        ({"span": -1.0}, "a span above 0"),
        ({"dimensions": 3}, "1 or 2"),
        ({"examples": 0}, "at least 1 example"),
        ({"kind": "axes"}, "one or two numbers"),
        ({"directions": [torch.zeros(3)]}, "one or two directions"),
    ],
)
def test_wrong_use_is_one_sentence(runs, options: dict, match: str) -> None:
    problem, (run, *_) = runs
    with pytest.raises(UsageError, match=match):
        descend.landscape(run, problem=problem, **options)


def test_what_is_missing_is_said(runs, tmp_path: Path) -> None:
    problem, (run, *_) = runs
    with pytest.raises(RunError, match=r"problem=problem"):
        descend.landscape(run)
    other = descend.fit(problem, until=descend.Until(steps=20), out=tmp_path / "a", threads=1, watch=False)
    (other.folder / "trajectory.safetensors").unlink()
    with pytest.raises(RunError, match="--kind random"):
        descend.landscape(other, "path", problem=problem)
    assert descend.landscape(other, problem=problem, points=5).kind == "random"


# Pictures --------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".html", ".svg", ".png", ".gif", ".json"])
def test_pictures(runs, tmp_path: Path, suffix: str) -> None:
    problem, (run, *_) = runs
    seen = descend.landscape(run, problem=problem, points=11)
    path = seen.save(tmp_path / f"picture{suffix}")
    content = path.read_bytes()
    starts = {
        ".html": b"<!doctype html>",
        ".svg": b"<svg",
        ".png": b"\x89PNG",
        ".gif": b"GIF89a",
        ".json": b"{",
    }
    assert content.startswith(starts[suffix])
    if suffix == ".gif":
        from PIL import Image

        assert Image.open(path).n_frames > 5
    with pytest.raises(UsageError, match="ends in"):
        seen.save(tmp_path / "picture.bmp")


def test_a_line_is_a_page(runs, tmp_path: Path) -> None:
    problem, (run, *_) = runs
    seen = descend.landscape(run, "random", problem=problem, dimensions=1, points=11)
    assert seen.save(tmp_path / "a.html").stat().st_size > 1000
    with pytest.raises(UsageError, match="two dimensions"):
        seen.save(tmp_path / "a.svg")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    problem = quadratic()
    problem.name = "<script>alert(1)</script>"
    seen = descend.landscape(problem, "random", points=5)
    page = seen.save(tmp_path / "a.html").read_text()
    assert "<script>alert(1)" not in page
    assert "<script>alert(1)" not in seen.save(tmp_path / "a.svg").read_text()


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["fit", "digits", "--steps", "60", "--threads", "1", "-q"]) == 0
    capfd.readouterr()
    assert command(["landscape", "runs/digits", "--points", "9", "--examples", "200", "--json"]) == 0
    said = json.loads(capfd.readouterr().out, parse_constant=pytest.fail)
    assert said["kind"] == "path" and len(said["loss"]) == 9 and Path(said["picture"]).exists()
    assert 'id="landscape-plot"' in Path("runs/digits/report.html").read_text()
    assert command(["landscape", "runs/digits", "--kind", "random", "--points", "5", "--out", "a.svg"]) == 0
    out = capfd.readouterr().out
    assert "The loss at 5 × 5 points" in out and out.rstrip().endswith("a.svg")
    assert command(["landscape", "booth", "--points", "9", "--out", "b.json"]) == 0
    capfd.readouterr()
    for words in (["a.bmp"], ["nowhere/a.svg"]):
        assert command(["landscape", "runs/digits", "--out", *words]) == 2
        assert capfd.readouterr().err.count("\n") == 1
