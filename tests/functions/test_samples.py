"""The samples are scikit-learn's, to the last number, and can be learned and predicted."""

import gzip
import importlib.util
import json

import numpy as np
import pytest
import torch

from descend.errors import DataError, MissingExtra, UsageError
from descend.functions.number_rows import read_rows
from descend.functions.sample_names import SAMPLE_NAMES
from descend.functions.samples import SAMPLES, SampleReader, sample_arrays, sample_problem

FEATURES = ("a", "b", "c")


def loaded(name):
    from sklearn import datasets

    return {
        "digits": datasets.load_digits(),
        "diabetes": datasets.load_diabetes(scaled=False),
        "breast-cancer": datasets.load_breast_cancer(),
    }[name]


def descended(problem, steps):
    """Return the function after some steps of plain AdamW."""
    torch.manual_seed(0)
    function, settings = problem.fresh_function(), problem.settings
    optimizer = torch.optim.AdamW(function.parameters(), lr=settings.lr, **settings.hyperparameters)
    batches = problem.train.batches(settings.batch_size, 0, torch.device("cpu"))
    for _ in range(steps):
        optimizer.zero_grad()
        problem.loss_of(function, batches.next()).backward()
        optimizer.step()
    return function.eval()


@pytest.fixture(scope="module")
def digits():
    problem = sample_problem("digits")
    return problem, descended(problem, 150)


def test_the_table_has_every_name():
    assert tuple(SAMPLES) == SAMPLE_NAMES


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_arrays_are_scikit_learns(name):
    x, y = sample_arrays(name)
    theirs = loaded(name)
    np.testing.assert_array_equal(x, theirs.data)
    np.testing.assert_array_equal(y, theirs.target)
    assert y.dtype == (np.int64 if SAMPLES[name].classes else np.float64)
    if name != "breast-cancer":
        assert list(SAMPLES[name].features) == list(theirs.feature_names)
    else:
        mine = [feature.split("_", 1) for feature in SAMPLES[name].features]
        names = [f"{what} {rest}" if what != "error" else f"{rest} error" for what, rest in mine]
        assert [n.replace("_", " ") for n in names] == list(theirs.feature_names)
        assert list(SAMPLES[name].classes) == list(theirs.target_names)


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_third_is_held_out_and_each_class_alike(name):
    problem = sample_problem(name, seed=3)
    n = problem.facts["rows"]
    assert len(problem.test) == round(n / 3)
    assert len(problem.train) + len(problem.validation) + len(problem.test) == n
    if problem.facts["classes"]:
        whole = np.bincount(sample_arrays(name)[1]) / n
        held = torch.bincount(problem.test.tensors[1]).numpy() / len(problem.test)
        np.testing.assert_allclose(held, whole, atol=1.5 / len(problem.test))
    json.dumps(problem.describe_data())


def test_a_seed_fixes_the_parameters_and_the_parts():
    torch.manual_seed(1)
    a = sample_problem("digits", seed=5)
    torch.manual_seed(2)
    b = sample_problem("digits", seed=5)
    c = sample_problem("digits", seed=6)
    same = [torch.equal(p, q) for p, q in zip(a.function.parameters(), b.function.parameters(), strict=True)]
    assert all(same)
    assert torch.equal(a.test.tensors[0], b.test.tensors[0])
    assert not torch.equal(a.test.tensors[0], c.test.tensors[0])


def test_digits_are_learned(digits):
    problem, function = digits
    assert problem.evaluate(function, problem.test)["accuracy"] > 0.95


def test_breast_cancer_is_learned():
    problem = sample_problem("breast-cancer")
    assert problem.evaluate(descended(problem, 300), problem.test)["accuracy"] > 0.95


def test_diabetes_is_learned_as_well_as_by_least_squares():
    problem = sample_problem("diabetes")
    x, y = (t.double().numpy() for t in problem.train.tensors)
    u, v = (t.double().numpy() for t in problem.test.tensors)
    weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    error = v - np.c_[u, np.ones(len(u))] @ weights
    r2 = 1 - (error**2).sum() / ((v - v.mean()) ** 2).sum()
    assert problem.evaluate(descended(problem, 500), problem.test)["r2"] > r2 - 0.05


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_the_reader_survives_json(name, tmp_path):
    problem = sample_problem(name)
    reader = SampleReader.from_json(json.loads(json.dumps(problem.reader.to_json())))
    assert reader == problem.reader
    model = reader.model()
    model.load_state_dict(problem.function.state_dict())
    np.save(tmp_path / "rows.npy", sample_arrays(name)[0][:7])
    mine, theirs = (
        r.predict(m, tmp_path / "rows.npy") for r, m in ((reader, model), (problem.reader, problem.function))
    )
    assert mine == theirs
    assert len(mine) == 7


def test_predictions_say_the_class_and_its_probability(digits, tmp_path):
    problem, function = digits
    x, y = sample_arrays("digits")
    np.savetxt(tmp_path / "plain.csv", x[:50], delimiter=",", fmt="%d")
    answers = problem.reader.predict(function, tmp_path / "plain.csv")
    right = sum(a["prediction"] == str(t) for a, t in zip(answers, y[:50], strict=True))
    assert right >= 47
    assert all(0.1 <= a["probability"] <= 1 for a in answers)
    assert [a["row"] for a in answers] == list(range(50))


def test_diabetes_is_predicted_in_its_own_units(tmp_path):
    problem = sample_problem("diabetes")
    function = descended(problem, 300)
    x, y = sample_arrays("diabetes")
    np.save(tmp_path / "rows.npy", x)
    values = np.array([a["prediction"] for a in problem.reader.predict(function, tmp_path / "rows.npy")])
    assert np.corrcoef(values, y)[0, 1] > 0.6
    assert abs(values.mean() - y.mean()) < 15


def test_a_drawn_digit_and_its_negative_are_read_alike(digits, tmp_path):
    image = pytest.importorskip("PIL.Image")
    problem, function = digits
    x, _ = sample_arrays("digits")
    (tmp_path / "drawn").mkdir()
    for k in range(20):
        drawn = (x[k].reshape(8, 8) * 255 / 16).round().astype(np.uint8)
        picture = image.fromarray(drawn if k % 2 else 255 - drawn).resize((32, 32), image.Resampling.NEAREST)
        picture.save(tmp_path / "drawn" / f"{k:02}.png")
    answers = problem.reader.predict(function, tmp_path / "drawn")
    np.save(tmp_path / "rows.npy", x[:20])
    plain = problem.reader.predict(function, tmp_path / "rows.npy")
    assert [a["prediction"] for a in answers] == [a["prediction"] for a in plain]
    assert [a["probability"] for a in answers] == pytest.approx([a["probability"] for a in plain], abs=0.05)
    assert answers[3]["file"].endswith("03.png")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty file"),
        ("1,2,3,x\n", "'x' in row 1, column 4"),
        (",".join("1" * 63) + "\n", "came 63"),
        (",".join(["17"] * 64) + "\n", "0 to 16"),
        (",".join(["nan"] * 64) + "\n", "finite"),
    ],
)
def test_rows_that_are_no_digits(content, said, tmp_path):
    problem = sample_problem("digits")
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        problem.reader.predict(problem.function, tmp_path / "rows.csv")


def test_other_wrong_uses(tmp_path):
    with pytest.raises(UsageError, match="did you mean digits"):
        sample_problem("digit")
    problem = sample_problem("diabetes")
    with pytest.raises(DataError, match="nothing there"):
        problem.reader.predict(problem.function, tmp_path / "none.csv")
    with pytest.raises(UsageError, match="length"):
        problem.reader.predict(problem.function, tmp_path / "none.csv", length=3)


def test_without_scikit_learn(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'descend\[samples\]'"):
        sample_problem("digits")


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,6\n",
        "\ufeffa,b,c\n1,2,3\n4,5,6\n",
        "c;a;more;b\n3;1;9;2\n6;4;9;5\n",
        "1\t2\t3\r\n4\t5\t6\r\n",
        "1 2  3\n\n4 5 6",
        '"a", "b", "c"\n1, 2, 3\n4, 5, 6\n',
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_rows_of_numbers_in_many_hands(text, packed, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if packed else text.encode())
    assert read_rows(path, FEATURES).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b,c\n1,,3\n", "'' in row 2, column 2"),
        (b"1,2,3\n4,5\n", "2 in row 2"),
        (b"a,b,c\n", "at least one row"),
        (b"1,inf,3\n", "inf in row 1, b"),
        (b"\xff\xfe\x00", "something else"),
        (gzip.compress(b"1,2,3\n", mtime=0)[:-4], "something else"),
    ],
)
def test_rows_that_are_none(content, said, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_rows(tmp_path / "rows.csv", FEATURES)


def test_arrays_that_are_no_rows(tmp_path):
    path = tmp_path / "rows.npy"
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="NumPy array"):
        read_rows(path, FEATURES)
    np.save(path, np.array(["a", "b", "c"]))
    with pytest.raises(DataError, match="array of numbers"):
        read_rows(path, FEATURES)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="NumPy array"):  # no pickle is ever read
        read_rows(path, FEATURES)
    np.save(path, np.float64(3))
    with pytest.raises(DataError, match="3 numbers a row"):
        read_rows(path, FEATURES)
    np.save(path, np.arange(3.0))
    assert read_rows(path, FEATURES).tolist() == [[0, 1, 2]]
