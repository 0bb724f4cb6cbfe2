"""Segmenting pictures: folders of masks are read however they are laid out, and what is learned is used."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import descend
from descend.applications.segmentation import segmentation_problem
from descend.applications.targets import problem_from_target
from descend.errors import DataError, UsageError
from descend.functions.masks import MaskReader

IMAGE = pytest.importorskip("PIL.Image")


def scene(seed: int, side: int = 64, value: int = 255) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy picture with a disc on a slope, from which no threshold parts it, and its mask."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    middle = g.uniform(0.25 * side, 0.75 * side, 2)
    mask = np.hypot(y - middle[0], x - middle[1]) < side / 6
    picture = 100 * x / side + 60 * mask + g.normal(0, 5, (side, side)) + 40
    return picture.clip(0, 255).astype(np.uint8), mask.astype(np.uint8) * value


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    IMAGE.fromarray(values).save(path)


def folder_of(
    root: Path, count: int = 10, images: str = "images/{}.png", masks: str = "masks/{}.png"
) -> Path:
    for k in range(count):
        picture, mask = scene(k)
        save(root / images.format(f"p{k}"), picture)
        save(root / masks.format(f"p{k}"), mask)
    return root


def pixels(data) -> int:
    return sum(mask.numel() for _, mask in data.regions)


@pytest.mark.parametrize(
    "layout",
    [
        ("images/{}.png", "masks/{}.png"),
        ("{}.png", "{}_mask.png"),
        ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
        ("img/{}.jpg", "gt/{}_gt.png"),
        ("{0}/images/{0}.png", "{0}/masks/one.png"),
    ],
)
def test_layouts(tmp_path, layout):
    problem = problem_from_target(str(folder_of(tmp_path, 10, *layout)), side=32)
    assert problem.facts["kind"] == "masks" and problem.facts["rows"] == 10
    assert problem.facts["classes"] == ["object"] and not problem.facts["notes"]
    parts = [len(d.regions) for d in (problem.train, problem.validation, problem.test)]
    assert parts == [6, 2, 2]


def test_official_parts(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        folder_of(tmp_path, count, f"{part}/images/{part}{{}}.png", f"{part}/masks/{part}{{}}.png")
    problem = segmentation_problem(tmp_path, side=32)
    assert [len(d.regions) for d in (problem.train, problem.validation, problem.test)] == [3, 2, 1]


def test_one_picture_is_parted_by_region(tmp_path):
    folder = folder_of(tmp_path, 1, "img_{}.png", "mask_{}.png")
    whole = torch.from_numpy(scene(0)[0].copy())[..., None]
    seen = []
    for seed in range(4):
        problem = segmentation_problem(folder, seed=seed, side=32)
        regions = [d.regions[0][0] for d in (problem.train, problem.validation, problem.test)]
        assert sum(r.shape[0] * r.shape[1] for r in regions) == 64 * 64
        h, w = regions[2].shape[:2]
        corners = [(0, 0), (64 - h, 64 - w)]
        seen.append(
            [(h, w, at) for at in corners if whole[at[0] : at[0] + h, at[1] : at[1] + w].equal(regions[2])]
        )
    assert sorted(place for own in seen for place in own) == sorted(
        {(13, 64, (0, 0)), (13, 64, (51, 0)), (64, 13, (0, 0)), (64, 13, (0, 51))}
    )


def test_classes_and_void(tmp_path):
    for k in range(4):
        picture, mask = scene(k)
        mask = (mask > 0).astype(np.uint8)
        mask[:5, :5], mask[-3:, -3:] = 2, 255
        save(tmp_path / "images" / f"{k}.png", picture)
        save(tmp_path / "labels" / f"{k}.png", mask)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "disc": 1, "corner": 2}}))
    problem = segmentation_problem(tmp_path, side=32)
    assert problem.facts["classes"] == ["disc", "corner"]
    numbers = torch.cat([m.flatten() for d in (problem.train, problem.test) for _, m in d.regions]).unique()
    assert set(numbers.tolist()) <= {0, 1, 2, 255} and {0, 1} <= set(numbers.tolist())


def test_numbered_objects_are_one_class(tmp_path):
    picture, _ = scene(0)
    mask = (np.arange(64 * 64).reshape(64, 64) % 40).astype(np.uint16)
    save(tmp_path / "a.tif", picture)
    save(tmp_path / "a_mask.tif", mask)
    problem = segmentation_problem(tmp_path, side=32)
    assert problem.facts["classes"] == ["object"] and problem.facts["values"] == "numbers of objects"


def test_what_is_broken_is_left_out_and_counted(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "images" / "p0.png").write_bytes(b"no picture")
    (folder / "masks" / "p1.png").write_bytes(b"")
    save(folder / "masks" / "p2.png", np.zeros((10, 64), np.uint8))
    (folder / "masks" / "p3.png").unlink()
    save(folder / "masks" / "other.png", scene(0)[1])
    save(folder / "masks" / "p4.png", np.zeros((64, 64), np.uint8))
    notes = segmentation_problem(folder, side=32).facts["notes"]
    assert set(notes) == {
        "1 left out: pictures that cannot be read",
        "1 left out: masks that cannot be read",
        "1 left out: masks of another size than their picture",
        "1 left out: pictures without a mask",
        "1 left out: masks without a picture",
        "1 of the masks are empty",
    }


def test_folders_without_anything_to_learn(tmp_path):
    with pytest.raises(DataError, match="pictures with masks"):
        segmentation_problem(tmp_path)
    save(tmp_path / "a.png", scene(0)[0])
    save(tmp_path / "a_mask.png", np.zeros((64, 64), np.uint8))
    with pytest.raises(DataError, match="cover something"):
        segmentation_problem(tmp_path)
    with pytest.raises(UsageError, match="side as a whole number"):
        segmentation_problem(tmp_path, side=8)


def test_deep_pictures_are_scaled_by_what_most_lie_between(tmp_path):
    picture, mask = scene(0)
    deep = picture.astype(np.uint16) * 100 + 1000
    deep[0, 0] = 65535
    save(tmp_path / "a.tif", deep)
    save(tmp_path / "a_mask.png", mask)
    problem = segmentation_problem(tmp_path, side=32)
    depth = problem.reader.depth
    assert depth.black == pytest.approx(np.percentile(deep[::2, ::2], 0.5))
    shown = depth.bytes_of(deep[..., None])
    assert shown.min() == 0 and shown[0, 0] == 255 and 60 < np.median(shown) < 200


def test_learned_and_used(tmp_path):
    folder = folder_of(tmp_path / "data", 10)
    problem = segmentation_problem(folder, side=48, width=4)
    until = descend.Until(steps=60)
    run = descend.fit(problem, until=until, out=tmp_path / "run", watch=False, lr=1e-2)
    assert run.facts["metrics"]["dice/test"] > 0.7
    reader = run.reader
    assert (
        isinstance(reader, MaskReader)
        and reader.to_json() == MaskReader.from_json(reader.to_json()).to_json()
    )
    drawn = tmp_path / "out.png"
    (answer,) = run.predict(folder / "images" / "p0.png", draw=drawn)
    assert answer["share/object"] == pytest.approx(answer["pixels/object"] / 64**2, abs=1e-6)
    assert answer["objects/object"] >= 1
    assert IMAGE.open(drawn).size == (64, 64)
    save(tmp_path / "odd.png", np.stack([scene(1, 75)[0][:50]] * 3, 2))  # another size, in colour
    assert run.predict(tmp_path / "odd.png")[0]["pixels/object"] > 0
    rows = run.predict(folder / "images", draw=tmp_path / "all")
    assert len(rows) == 10 and len(list((tmp_path / "all").glob("*.png"))) == 10
    with pytest.raises(DataError, match="pictures that can be read"):
        (tmp_path / "bad.png").write_bytes(b"x")
        run.predict(tmp_path / "bad.png")
    with pytest.raises(UsageError, match="picture's name for draw"):
        run.predict(folder / "images" / "p0.png", draw=tmp_path / "out.txt")
