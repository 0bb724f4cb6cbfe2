import csv
import io
import json
from types import SimpleNamespace

import pytest

ROWS = [{"prediction": f"c{i}", "probability": i / 30} for i in range(30)]


@pytest.fixture
def stub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = {"rows": ROWS}

    def predict(source, **options):
        asked.update(source=source, options=options)
        return asked["rows"]

    monkeypatch.setattr("descend.runs.run.Run.open", lambda folder: SimpleNamespace(predict=predict))
    return asked


def test_without_a_terminal_it_is_csv(descend, stub):
    said = descend("predict", "r", "new.csv")
    assert (said.code, said.err) == (0, "")
    assert list(csv.DictReader(io.StringIO(said.out))) == [{k: str(v) for k, v in r.items()} for r in ROWS]
    assert stub["source"] == "new.csv" and stub["options"] == {}


def test_into_a_file(descend, stub, tmp_path):
    plain = descend("predict", "r", "new.csv").out
    assert descend("predict", "r", "new.csv", "--out", "out.csv").out == "out.csv\n"
    assert (tmp_path / "out.csv").read_text() == plain
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_as_json(descend, stub):
    said = descend("predict", "r", "new.csv", "--json")
    assert json.loads(said.out) == {"run": "r", "input": "new.csv", "count": 30, "predictions": ROWS}


def test_text(descend, stub):
    stub["rows"] = [{"text": "It is a truth"}]
    words = ["predict", "r", "It is", "--length", 9, "--temperature", 0, "--seed", 1]
    assert descend(*words).out == "It is a truth\n"
    assert stub["options"] == {"length": 9, "temperature": 0.0, "seed": 1}


def test_in_a_terminal_only_the_first_rows(descend, stub, monkeypatch):
    monkeypatch.setattr("descend.cli.predict.is_terminal", lambda: True)
    said = descend("predict", "r", "new.csv").out
    assert "c11" in said and "c12" not in said and "18 more" in said
    assert "30 predictions" in descend("predict", "r", "new.csv", "--out", "x.csv").out


def test_rows_that_differ_and_none(descend, stub):
    stub["rows"] = [{"a": 1}, {"b": None}]
    assert descend("predict", "r", "x").out == "a,b\n1,\n,\n"
    stub["rows"] = []
    assert descend("predict", "r", "x").code == 0


def test_boxes_are_a_line_each_and_counted_in_a_terminal(descend, stub, monkeypatch):
    box = {"class": "cell", "probability": 0.9, "left": 1.0, "top": 2.0, "right": 3.0, "bottom": 4.0}
    stub["rows"] = [{"file": "a.png", "counts": {"cell": 2, "plate": 0}, "boxes": [box, box]}]
    said = descend("predict", "r", "a.png", "--draw", "out.png", "--least", 0.2)
    assert (
        said.out == "file,class,probability,left,top,right,bottom\n" + 2 * "a.png,cell,0.9,1.0,2.0,3.0,4.0\n"
    )
    assert str(stub["options"]["draw"]) == "out.png" and stub["options"]["least"] == 0.2
    assert json.loads(descend("predict", "r", "a.png", "--json").out)["predictions"] == stub["rows"]
    monkeypatch.setattr("descend.cli.predict.is_terminal", lambda: True)
    said = descend("predict", "r", "a.png").out
    assert said.split() == ["file", "cell", "plate", "a.png", "2", "0"]
