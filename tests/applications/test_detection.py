"""Finding objects: folders of boxes are read whatever is in them, and what is learned is used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import descend
from descend.applications.detection import detection_problem
from descend.errors import DataError, UsageError
from descend.functions.box_files import has_boxes, read_boxes
from descend.functions.boxes import Boxes
from descend.functions.detections import DetectionReader, _line

BCCD = Path(__file__).parents[3] / "shared" / "data" / "bccd"
IMAGE = pytest.importorskip("PIL.Image")
DRAW = pytest.importorskip("PIL.ImageDraw")


def scene(seed: int) -> tuple[object, list[tuple[str, tuple[int, int, int, int]]]]:
    """Return a grey picture with one red square and one blue bar in it, and where they are."""
    g = torch.Generator().manual_seed(seed)
    picture = IMAGE.new("RGB", (96, 64), "#808080")
    x, y = (int(v) for v in torch.randint(2, 26, (2,), generator=g))
    there = [("square", (x, y, x + 18, y + 18)), ("bar", (x + 36, y, x + 66, y + 10))]
    for (_, box), colour in zip(there, ("#d02020", "#2020d0"), strict=True):
        DRAW.Draw(picture).rectangle(box, fill=colour)
    return picture, there


def xml(name: str, there, size: str = "<width>96</width><height>64</height>") -> str:
    objects = "".join(
        f"<object><name>{kind}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
        "</bndbox></object>"
        for kind, (a, b, c, d) in there
    )
    return f"<annotation><filename>{name}</filename><size>{size}</size>{objects}</annotation>"


def voc(folder: Path, count: int = 24) -> Path:
    for sub in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / sub).mkdir(parents=True)
    for k in range(count):
        picture, there = scene(k)
        picture.save(folder / "JPEGImages" / f"p{k}.png")
        (folder / "Annotations" / f"p{k}.xml").write_text(xml(f"p{k}.png", there))
    for part, own in (("train", range(16)), ("val", range(16, 20)), ("test", range(20, count))):
        (folder / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(f"p{k}" for k in own))
    return folder


def coco(folder: Path, count: int = 10) -> Path:
    folder.mkdir()
    images, annotations = [], []
    for k in range(count):
        picture, there = scene(k)
        picture.save(folder / f"p{k}.png")
        images.append({"id": k, "file_name": f"p{k}.png", "width": 96, "height": 64})
        for kind, (a, b, c, d) in there:
            one = {"id": len(annotations), "image_id": k, "category_id": 1 + (kind == "bar")}
            annotations.append({**one, "bbox": [a, b, c - a, d - b]})
    categories = [{"id": 1, "name": "square"}, {"id": 2, "name": "bar"}]
    saved = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(saved))
    return folder


def test_both_kinds_of_folder_say_the_same(tmp_path):
    one, other = read_boxes(voc(tmp_path / "voc", 24)), read_boxes(coco(tmp_path / "coco", 24))
    assert {k: len(v) for k, v in one.parts.items()} == {"train": 16, "validation": 4, "test": 4}
    assert list(other.parts) == ["train"]
    assert one.classes == other.classes == ["bar", "square"]
    known = {p.path.stem: (p.names, p.corners) for own in one.parts.values() for p in own}
    assert known == {p.path.stem: (p.names, p.corners) for p in other.parts["train"]}
    assert known["p0"][1][0][0] == scene(0)[1][0][1][0] / 96


def test_what_is_broken_is_left_out_and_counted(tmp_path):
    folder = voc(tmp_path / "voc")
    notes = folder / "Annotations"
    there = [
        ("square", (5, 5, 5, 20)),
        ("bar", (90, 50, 500, 400)),
        (" ", (1, 1, 9, 9)),
        ("bar", (50, 9, 40, 20)),
    ]
    (notes / "p0.xml").write_text(xml("p0.png", there))
    (notes / "p1.xml").write_text("<annotation><object>")
    (notes / "p2.xml").write_text(xml("p2.png", [("bar", ("x", 1, 2, 3))], size=""))
    (notes / "gone.xml").write_text(xml("gone.png", scene(1)[1]))
    (folder / "JPEGImages" / "p3.png").write_bytes(b"no picture")
    held = read_boxes(folder)
    assert held.left_out == {
        "boxes without extent": 3,
        "objects without a class": 1,
        "annotations that cannot be read": 1,
        "annotations without their picture": 1,
    }
    (first,) = [p for p in held.parts["train"] if p.path.stem == "p0"]
    assert first.corners == [(90 / 96, 50 / 64, 1.0, 1.0)]  # cut at the edge
    problem = detection_problem(folder, longest=96)
    assert "1 left out: pictures that cannot be read" in problem.facts["notes"]
    assert problem.facts["objects"] == 2 * 24 - 2 - 2 - 2 - 2 + 1


def test_damaged_json_is_counted(tmp_path):
    folder = coco(tmp_path / "coco")
    (folder / "more.json").write_text('{"images": [')
    (folder / "other.json").write_text('{"name": "settings"}')
    assert read_boxes(folder).left_out == {"annotations that cannot be read": 1}


def test_folders_without_boxes(tmp_path):
    assert not has_boxes(tmp_path)
    (tmp_path / "a.xml").write_text("<svg/>")
    with pytest.raises(DataError, match="pictures with boxed objects"):
        detection_problem(tmp_path)
    with pytest.raises(UsageError, match="at least 64 pixels"):
        detection_problem(tmp_path, longest=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = voc(tmp_path_factory.mktemp("boxes") / "shapes")
    problem = detection_problem(folder, longest=96, width=8)
    until = descend.Until(steps=150)
    return descend.fit(problem, until=until, out=folder.parent / "run", watch=False), folder


def test_it_is_learned_and_used(run):
    trained, folder = run
    assert trained.facts["metrics"]["map@0.5"] > 0.7
    again = descend.Run.open(trained.folder)
    reader = again.reader
    assert isinstance(reader, DetectionReader) and len(reader.recall) == 2 == len(reader.calibration)
    (answer,) = again.predict(folder / "JPEGImages" / "p22.png", draw=folder.parent / "out.png")
    assert answer["counts"] == {"bar": 1, "square": 1}
    for kind, box in scene(22)[1]:
        (own,) = [b for b in answer["boxes"] if b["class"] == kind]
        ends = [own[e] for e in ("left", "top", "right", "bottom")]
        assert ends == pytest.approx(box, abs=6) and 0.05 <= own["probability"] <= 1
    with IMAGE.open(folder.parent / "out.png") as drawn:
        assert drawn.size == (96, 64)
    many = again.predict(folder / "JPEGImages", draw=folder.parent / "drawn", least=0.0)
    assert len(many) == 24 == len(list((folder.parent / "drawn").glob("*.png")))
    with pytest.raises(UsageError, match="a picture's name for draw"):
        again.predict(folder / "JPEGImages" / "p22.png", draw=folder.parent / "out.txt")
    with pytest.raises(UsageError, match="a probability of 0 to 1"):
        again.predict(folder / "JPEGImages" / "p22.png", least=2)


def test_scores_become_probabilities():
    """Boxes whose score is right half as often as it says are told so."""
    g = torch.Generator().manual_seed(0)
    reader = DetectionReader(["a"], None, [], [], 8)  # type: ignore[arg-type]
    box = torch.tensor([[0.1, 0.1, 0.4, 0.4]])
    pairs, hits = [], []
    for _ in range(600):
        score = torch.rand(1, generator=g)
        hit = torch.rand(1, generator=g) < score / 2
        own = Boxes(box, torch.zeros(1, dtype=torch.long), score)
        pairs.append((own, own if hit else own[:0]))
        hits.append(hit)
    sure = replace(reader, calibration=[_line(pairs, hits, 0)])
    told = torch.cat([sure._calibrated(own).scores for own, _ in pairs])
    high = told > told.median()
    for part in (high, ~high):
        assert float(told[part].mean()) == pytest.approx(
            float(torch.cat(hits)[part].double().mean()), abs=0.04
        )


def test_what_is_counted_is_what_is_expected():
    reader = DetectionReader(["a", "b"], None, [], [], 8, recall=[0.5, 1.0])  # type: ignore[arg-type]
    scores = torch.tensor([0.9, 0.8, 0.7, 0.4, 0.3])
    found = Boxes(torch.rand(5, 4), torch.tensor([0, 1, 1, 0, 1]), scores)
    assert reader.expected(found) == [round((0.9 + 0.4) / 0.5), round(0.8 + 0.7 + 0.3)]
    answer = reader._answer(Path("none.png"), found, None)
    assert answer["counts"] == {"a": 3, "b": 2}
    assert [(b["class"], b["probability"]) for b in answer["boxes"]] == [
        ("a", 0.9), ("b", 0.8), ("b", 0.7), ("a", 0.4),
    ]  # fmt: skip


def test_figures_by_class(run):
    """Each class's precision, how far counts are off, and how far probabilities can be trusted."""
    trained, _ = run
    figures = trained.facts["metrics"]
    by_class = [figures[f"ap@0.5 {name}/test"] for name in ("bar", "square")]
    assert sum(by_class) / 2 == pytest.approx(figures["map@0.5"], abs=0.02)
    assert figures["count-error bar/test"] == 0.0 and 0 <= figures["calibration-error/test"] < 0.3


@pytest.mark.skipif(not BCCD.is_dir(), reason="the data are not here")
def test_blood_cells():
    held = read_boxes(BCCD)
    assert {k: len(v) for k, v in held.parts.items()} == {"train": 205, "validation": 87, "test": 72}
    assert held.left_out == {"boxes without extent": 2} and held.classes == ["Platelets", "RBC", "WBC"]
