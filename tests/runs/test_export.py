import csv
import math
import sys
from datetime import datetime

import pytest

from descend.descent.record import Record
from descend.errors import MissingExtra, RunError, UsageError
from descend.runs.export import export
from descend.runs.run import Run

STARTED = "2026-11-23T10:00:00+00:00"


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run", {"name": "digits", "started": STARTED})
    with Record(run.folder / "record.db") as record:
        record.extend("loss", [1, 2, 3, 10], [2.5, 0.1 + 0.2, math.nan, math.inf])
        record.extend("accuracy/validation", [2, 10], [0.5, 0.75])
        record.extend("time/elapsed(s)", [2, 10], [4.0, 8.0])
    run.unlock()
    return run


def test_csv_has_a_row_a_step_and_a_column_a_series(run):
    path = export(run, "csv")
    assert path == run.folder / "export.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["step", "accuracy/validation", "loss", "time/elapsed(s)"],
        ["1", "", "2.5", ""],
        ["2", "0.5", "0.30000000000000004", "4.0"],
        ["3", "", "nan", ""],
        ["10", "0.75", "inf", "8.0"],
    ]
    assert b"\r" not in path.read_bytes()


def test_csv_is_read_by_others(run):
    import pandas

    table = pandas.read_csv(export(run, "csv"), index_col="step")
    assert table["loss"][2] == 0.1 + 0.2
    assert table["accuracy/validation"].count() == 2


def test_out_may_be_a_file_a_new_folder_or_an_old_one(run, tmp_path):
    assert export(run, "csv", tmp_path / "new" / "mine.csv") == tmp_path / "new" / "mine.csv"
    assert export(run, "csv", tmp_path) == tmp_path / "export.csv"
    assert (tmp_path / "export.csv").read_text() == (tmp_path / "new" / "mine.csv").read_text()


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_its_events(run):
    pytest.importorskip("tensorboard")
    for _ in range(2):  # the second replaces the first
        folder = export(run, "tensorboard")
    assert folder == run.folder / "tensorboard"
    assert len(list(folder.iterdir())) == 1
    scalars = read_events(folder)
    assert sorted(scalars) == run.series()
    assert [e.step for e in scalars["loss"]] == [1, 2, 3, 10]
    values = [e.value for e in scalars["loss"]]
    assert values[:2] == pytest.approx([2.5, 0.3], rel=1e-7)
    assert math.isnan(values[2])
    assert values[3] == math.inf
    start = datetime.fromisoformat(STARTED).timestamp()
    assert [e.wall_time - start for e in scalars["loss"]] == pytest.approx([2.0, 4.0, 4.5, 8.0])


def test_tensorboard_beside_other_runs_leaves_them(run, tmp_path):
    pytest.importorskip("tensorboard")
    other = tmp_path / "logs" / "events.out.tfevents.1.other"
    other.parent.mkdir()
    other.touch()
    export(run, "tensorboard", tmp_path / "logs")
    assert other.exists()
    assert len(list(other.parent.iterdir())) == 2


def test_a_run_without_times_is_exported_too(run):
    pytest.importorskip("tensorboard")
    with Record(run.folder / "record.db", keep_to=1):
        pass
    run.write(started=None)
    (event,) = read_events(export(run, "tensorboard"))["loss"]
    assert event.wall_time == pytest.approx((run.folder / "run.json").stat().st_mtime, abs=1)


def test_tensorboard_is_written_without_torch(run):
    import subprocess

    pytest.importorskip("tensorboard")
    code = """
import sys
from descend.runs.run import Run
from descend.runs.export import export
export(Run.open(sys.argv[1]), "tensorboard")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(run.folder)], check=True)


def test_what_cannot_be_exported(run, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="did you mean tensorboard"):
        export(run, "tensorbord")
    with pytest.raises(UsageError, match="choose one of: csv, tensorboard"):
        export(run, "zzz")
    (tmp_path / "file").touch()
    for to in ("csv", "tensorboard"):
        with pytest.raises(RunError, match="choose another"):
            export(run, to, tmp_path / "file" / "below")
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(MissingExtra, match=r"pip install 'descend\[tensorboard\]'"):
        export(run, "tensorboard")
    Record(run.folder / "record.db", keep_to=-1).close()
    with pytest.raises(RunError, match="came none"):
        export(run, "csv")
