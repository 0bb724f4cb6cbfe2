"""Folders of pictures and of IDX files: read, learned, predicted, and refused with a reason."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from descend.errors import DataError, MissingExtra, UsageError
from descend.functions.picture_files import Form, common_form, pictures_under, read_pictures
from descend.functions.pictures import PictureReader, picture_problem
from descend.functions.pixels import Pixels

Image = pytest.importorskip("PIL.Image")
FASHION = Path(__file__).parents[3] / "shared" / "data" / "fashion-mnist"


def noise(height=12, width=12, channels=1, seed=0, low=0, high=256) -> np.ndarray:
    values = np.random.default_rng(seed).integers(low, high, (height, width, channels), dtype=np.uint8)
    return values[..., 0] if channels == 1 else values


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def make(folder: Path, each=12, classes=("dark", "light"), suffix=".png", channels=1) -> Path:
    """Make two classes that differ in their brightness."""
    for c, name in enumerate(classes):
        for k in range(each):
            low = 128 * (c % 2)
            picture = noise(channels=channels, seed=100 * c + k, low=low, high=low + 128)
            save(folder / name / f"{k:02}{suffix}", picture)
    return folder


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def make_idx(folder: Path, n=96, test=24, classes=3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", n), ("t10k", test)):
        if count:
            labels = np.arange(count, dtype=np.uint8) % classes
            pictures = noise(count, 10, 10, seed=count) // classes + (labels * 60)[:, None, None]
            (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(
                gzip.compress(idx(pictures.astype(np.uint8)))
            )
            (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder


def descended(problem, steps=60):
    torch.manual_seed(0)
    function = problem.fresh_function()
    optimizer = torch.optim.AdamW(function.parameters(), lr=problem.settings.lr)
    batches = problem.train.batches(problem.settings.batch_size, 0, torch.device("cpu"))
    for _ in range(steps):
        optimizer.zero_grad()
        problem.loss_of(function, batches.next()).backward()
        optimizer.step()
    return function


def test_pixels_are_standardised_and_keep_channels_innermost():
    x = torch.randint(256, (4, 6, 5, 3), dtype=torch.uint8)
    mean, std = [10.0, 20.0, 30.0], [1.0, 2.0, 0.0]
    out = Pixels(mean, std)(x)
    expected = (x.double() - torch.tensor(mean)) / torch.tensor([1.0, 2.0, 1.0])
    torch.testing.assert_close(out.permute(0, 2, 3, 1).double(), expected, rtol=1e-6, atol=1e-6)
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("form", [Form(8, 8, 1), Form(64, 64, 3), Form(8, 64, 3), Form(33, 17, 1)])
def test_the_function_takes_any_form(form):
    model = PictureReader(["a", "b"], form, [100.0] * form.channels, [50.0] * form.channels).model()
    x = torch.randint(256, (3, form.height, form.width, form.channels), dtype=torch.uint8)
    assert model(x).shape == (3, 2)


# Files -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PGM", ".gif", ".webp"])
def test_what_was_saved_without_loss_is_read_without_loss(suffix, tmp_path):
    values = noise()
    path = tmp_path / f"a{suffix}"
    Image.fromarray(values).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    x, kept, _ = read_pictures([path], Form(12, 12, 1))
    assert kept == [0]
    assert np.abs(x[0, ..., 0].numpy().astype(int) - values).max() <= (1 if suffix == ".webp" else 0)


def test_sixteen_bits_are_not_cut_off(tmp_path):
    values = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "a.png")
    x, _, _ = read_pictures([tmp_path / "a.png"], Form(8, 8, 1))
    np.testing.assert_allclose(x[0, ..., 0].numpy(), values / 256, atol=1)


def test_what_is_transparent_is_seen_on_white(tmp_path):
    values = np.zeros((8, 8, 4), dtype=np.uint8)
    values[:4, :, 3] = 255  # black above, nothing below
    save(tmp_path / "a.png", values)
    x, _, _ = read_pictures([tmp_path / "a.png"], Form(8, 8, 3))
    assert x[0, :4].max() == 0 and x[0, 4:].min() == 255


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    upright = np.zeros((10, 20), dtype=np.uint8)
    upright[:, :10] = 255
    Image.fromarray(upright).save(tmp_path / "a.png", exif=exif)
    assert common_form([tmp_path / "a.png"]) == Form(20, 10, 1)
    x, _, _ = read_pictures([tmp_path / "a.png"], Form(20, 10, 1))
    assert x[0, :10].min() == 255 and x[0, 10:].max() == 0


@pytest.mark.parametrize(
    ("sizes", "form"),
    [
        ([(12, 12)], Form(12, 12, 1)),
        ([(10, 20), (30, 40), (50, 60)], Form(30, 40, 1)),
        ([(300, 600)], Form(32, 64, 1)),
        ([(3, 400)], Form(8, 64, 1)),
        ([(2, 2)], Form(8, 8, 1)),
    ],
)
def test_the_common_size_is_the_median(sizes, form, tmp_path):
    for k, (height, width) in enumerate(sizes):
        save(tmp_path / f"{k}.png", noise(height, width))
    assert common_form(pictures_under(tmp_path)) == form


def test_shrinking_is_the_mean_over_an_area(tmp_path):
    values = noise(32, 32)
    save(tmp_path / "a.png", values)
    x, _, _ = read_pictures([tmp_path / "a.png"], Form(8, 8, 1))
    expected = values.reshape(8, 4, 8, 4).mean((1, 3))
    np.testing.assert_allclose(x[0, ..., 0].numpy(), expected, atol=1)  # two roundings


# Folders -----------------------------------------------------------------------------------------
def test_a_folder_becomes_a_problem(tmp_path):
    make(tmp_path / "shades", each=40)
    make(tmp_path / "shades" / "dark", each=2, classes=("deeper",))
    (tmp_path / "shades" / "dark" / "notes.txt").write_text("not a picture")
    (tmp_path / "shades" / ".hidden").mkdir()
    problem = picture_problem(tmp_path / "shades")
    facts = problem.describe_data()
    json.dumps(facts)
    assert problem.name == "shades" and facts["rows"] == 82 and facts["classes"] == ["dark", "light"]
    assert (facts["examples/train"], facts["examples/validation"], facts["examples/test"]) == (50, 16, 16)
    x, y = problem.train.tensors
    assert x.shape == (50, 12, 12, 1) and x.dtype == torch.uint8 and y.dtype == torch.int64
    assert x[y == 0].max() < 128 <= x[y == 1].min()
    standardised = problem.function[0](x)
    assert abs(float(standardised.mean())) < 1e-3 and abs(float(standardised.std()) - 1) < 1e-3


def test_it_is_learned_and_predicted(tmp_path):
    problem = picture_problem(make(tmp_path / "shades", each=40, channels=3, suffix=".jpg"))
    assert problem.facts["channels"] == 3
    function = descended(problem)
    assert problem.evaluate(function, problem.test)["accuracy"] == 1
    reader = PictureReader.from_json(json.loads(json.dumps(problem.reader.to_json())))
    model = reader.model()
    model.load_state_dict(function.state_dict())
    for name in ("dark", "light"):
        answers = reader.predict(model, tmp_path / "shades" / name)
        assert len(answers) == 40
        assert {a["prediction"] for a in answers} == {name}
        assert all(0.5 < a["probability"] <= 1 for a in answers)
    answers = reader.predict(model, tmp_path / "shades" / "light" / "07.jpg")
    assert [Path(a["file"]).name for a in answers] == ["07.jpg"]


def test_a_seed_fixes_everything(tmp_path):
    make(tmp_path, each=20)
    a, b, c = (picture_problem(tmp_path, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a.test.tensors[0], b.test.tensors[0])
    assert not torch.equal(a.test.tensors[0], c.test.tensors[0])
    pairs = zip(a.function.parameters(), b.function.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    assert a.facts["sha256"] == c.facts["sha256"]


@pytest.mark.parametrize("layout", [("train", "test"), ("Training", "val"), ("train", "valid", "testing")])
def test_an_official_split_is_kept(layout, tmp_path):
    for k, part in enumerate(layout):
        make(tmp_path / part, each=20 if k == 0 else 4 + k)
    problem = picture_problem(tmp_path)
    assert problem.facts["classes"] == ["dark", "light"]
    assert len(problem.test) == 2 * (4 + len(layout) - 1)
    if len(layout) == 3:
        assert len(problem.validation) == 10 and len(problem.train) == 40
    else:
        assert len(problem.train) + len(problem.validation) == 40


def test_classes_may_be_called_train_and_test(tmp_path):
    problem = picture_problem(make(tmp_path, classes=("test", "train")))
    assert problem.facts["classes"] == ["test", "train"]


def test_unreadable_pictures_are_named_or_skipped(tmp_path):
    make(tmp_path, each=20)
    whole = (tmp_path / "dark" / "03.png").read_bytes()
    (tmp_path / "dark" / "03.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        DataError, match=r"dark.03\.png \(not a picture, or a damaged one\); repair or remove it"
    ):
        picture_problem(tmp_path)
    (tmp_path / "light" / "05.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"03\.png .* and 1 more; repair or remove them"):
        picture_problem(tmp_path)
    problem = picture_problem(tmp_path, skip_unreadable=True)
    assert problem.facts["rows"] == 38 and problem.facts["unreadable"] == 2
    x, y = problem.train.tensors
    assert x[y == 0].max() < 128 <= x[y == 1].min()  # the labels have not slipped
    with pytest.raises(DataError, match=r"03\.png"):
        problem.reader.predict(problem.function, tmp_path / "dark")
    assert len(problem.reader.predict(problem.function, tmp_path / "dark", skip_unreadable=True)) == 19
    for k in range(20):
        (tmp_path / "dark" / f"{k:02}.png").write_bytes(b"")
    with pytest.raises(DataError, match="0 in dark"):
        picture_problem(tmp_path, skip_unreadable=True)


def empty(folder: Path) -> None:
    pass


def one_class(folder: Path) -> None:
    make(folder, classes=("only",))


def no_subfolders(folder: Path) -> None:
    save(folder / "a.png", noise())


def single_picture(folder: Path) -> None:
    make(folder)
    save(folder / "rare" / "a.png", noise())


def no_picture(folder: Path) -> None:
    make(folder)
    (folder / "zero").mkdir()


def a_class_only_in_the_test(folder: Path) -> None:
    make(folder / "train")
    make(folder / "test", classes=("dark", "light", "new"))


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (empty, "an empty folder"),
        (one_class, "one subfolder, only"),
        (no_subfolders, "no subfolder and 1 picture"),
        (single_picture, "at least two pictures .* 1 in rare"),
        (no_picture, "at least two pictures .* none in zero"),
        (a_class_only_in_the_test, "new as well"),
    ],
)
def test_folders_that_cannot_be_learned_from(arrange, said, tmp_path):
    arrange(tmp_path)
    with pytest.raises(DataError, match=said):
        picture_problem(tmp_path)


def test_wrong_predictions(tmp_path):
    problem = picture_problem(make(tmp_path / "p"))
    (tmp_path / "empty").mkdir()
    predict = problem.reader.predict
    with pytest.raises(DataError, match="nothing there"):
        predict(problem.function, tmp_path / "none.png")
    with pytest.raises(DataError, match="no picture there"):
        predict(problem.function, tmp_path / "empty")
    with pytest.raises(UsageError, match="did you mean skip_unreadable"):
        predict(problem.function, tmp_path / "p", skip_unreadible=True)


def test_without_pillow(monkeypatch, tmp_path):
    make(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtra, match=r"pip install 'descend\[images\]'"):
        picture_problem(tmp_path)


# IDX ---------------------------------------------------------------------------------------------
def test_idx_files_need_no_pillow_and_keep_the_official_test(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    problem = picture_problem(make_idx(tmp_path / "three"))
    facts = problem.describe_data()
    assert facts["examples/test"] == 24 and facts["examples/train"] + facts["examples/validation"] == 96
    assert facts["classes"] == ["0", "1", "2"] and facts["rows"] == 120
    function = descended(problem)
    assert problem.evaluate(function, problem.test)["accuracy"] > 0.9
    answers = problem.reader.predict(function, tmp_path / "three" / "t10k-images-idx3-ubyte.gz")
    right = sum(a["prediction"] == str(k % 3) for k, a in enumerate(answers))
    assert right > 21 and answers[5]["index"] == 5


def test_idx_without_a_test_set_is_split(tmp_path):
    problem = picture_problem(make_idx(tmp_path / "three", n=150, test=0))
    assert len(problem.test) == 30 and len(problem.validation) == 30 and len(problem.train) == 90


def test_idx_files_that_do_not_fit(tmp_path):
    make_idx(tmp_path / "three")
    problem = picture_problem(tmp_path / "three")
    other = make_idx(tmp_path / "four", classes=4)
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (tmp_path / "three" / name).write_bytes((other / name).read_bytes())
    with pytest.raises(DataError, match="classes 0 to 2"):
        picture_problem(tmp_path / "three")
    path = tmp_path / "larger-images-idx3-ubyte"
    path.write_bytes(idx(noise(2, 11, 11)))
    with pytest.raises(DataError, match="10 × 10 pixels, grey"):
        problem.reader.predict(problem.function, path)
    one = make_idx(tmp_path / "one", classes=1)
    with pytest.raises(DataError, match="at least two classes"):
        picture_problem(one)


@pytest.mark.skipif(not FASHION.is_dir(), reason="the data are not here")
def test_fashion_mnist():
    problem = picture_problem(FASHION)
    facts = problem.describe_data()
    assert (facts["examples/train"], facts["examples/validation"], facts["examples/test"]) == (
        55000,
        5000,
        10000,
    )
    assert torch.bincount(problem.validation.tensors[1]).tolist() == [500] * 10
    assert torch.bincount(problem.test.tensors[1]).tolist() == [1000] * 10
    assert problem.function(problem.train.tensors[0][:3]).shape == (3, 10)
