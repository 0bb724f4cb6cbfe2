import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from descend.descent.record import Record, read_events, read_series, series_names
from descend.errors import RunError, UsageError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.db"


def limit_pages(record, pages):
    """Fill the disk, as far as SQLite can see, by a bound on the file's pages."""
    record.wait()
    return record._connection.execute(f"PRAGMA max_page_count={pages}").fetchone()[0]


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def test_what_is_added_is_read_back(path):
    with Record(path) as record:
        record.add("loss", 1, 2.5)
        record.add("accuracy/validation", 1, 0.5)
        record.extend("loss", [2, 3], [1.5, 0.1 + 0.2])
        record.event(2, 0.25, "best", "the best so far")
    assert read_series(path, "loss") == ([1, 2, 3], [2.5, 1.5, 0.1 + 0.2])
    assert series_names(path) == ["accuracy/validation", "loss"]
    assert read_events(path) == [(2, 0.25, "best", "the best so far")]
    assert read_series(path, "nothing of this name") == ([], [])


def test_the_file_is_the_one_described(path):
    Record(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT name, step, value FROM metrics").fetchall() == []
    assert connection.execute("SELECT step, seconds, kind, text FROM events").fetchall() == []
    connection.close()
    assert read_series(path, "loss") == ([], [])
    assert [p.name for p in path.parent.iterdir()] == ["record.db"]


def test_values_that_are_not_finite_survive(path):
    values = [math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    with Record(path) as record:
        record.extend("loss", range(len(values)), values)
    _, read = read_series(path, "loss")
    assert all(same(a, b) for a, b in zip(read, values, strict=True))


def test_many_rows_are_exact_and_in_order(path):
    generator = random.Random(0)
    steps = list(range(10_000))
    values = [generator.uniform(-1, 1) * 10.0 ** generator.randint(-300, 300) for _ in steps]
    with Record(path) as record:
        for start in range(0, len(steps), 777):  # not a multiple of a block
            record.extend("loss", steps[start : start + 777], values[start : start + 777])
            record.flush()
    assert read_series(path, "loss") == (steps, values)


def test_numbers_of_other_libraries_are_taken(path):
    import numpy
    import torch

    with Record(path) as record:
        record.add("loss", 1, numpy.float32(0.5))
        record.add("loss", 2, torch.tensor(0.25))
    assert read_series(path, "loss") == ([1, 2], [0.5, 0.25])


def test_the_last_value_of_a_step_counts(path):
    with Record(path) as record:
        record.add("loss", 1, 1.0)
        record.add("loss", 1, 2.0)
        record.flush()
        record.add("loss", 1, 3.0)
    assert read_series(path, "loss") == ([1], [3.0])


def test_as_many_steps_as_values(path):
    with Record(path) as record, pytest.raises(UsageError, match="2 steps and 1 values"):
        record.extend("loss", [1, 2], [0.0])


def test_read_while_it_is_written(path):
    with Record(path) as record:
        record.add("loss", 1, 1.0)
        record.wait()
        assert read_series(path, "loss") == ([1], [1.0])
        record.add("loss", 2, 0.5)
        assert read_series(path, "loss") == ([1], [1.0])
        record.wait()
        assert read_series(path, "loss") == ([1, 2], [1.0, 0.5])


def test_flush_does_not_wait(path):
    with Record(path) as record:
        gate = threading.Event()
        record.then(gate.wait)  # the thread is stuck in this job
        record.add("loss", 1, 1.0)
        record.flush()
        assert read_series(path, "loss") == ([], [])
        gate.set()
    assert read_series(path, "loss") == ([1], [1.0])


def test_a_job_sees_the_rows_before_it_and_none_after(path):
    seen = []
    with Record(path) as record:
        gate = threading.Event()
        record.then(gate.wait)  # so that everything below is handed over before anything of it is done
        for step in range(1, 6):
            record.add("loss", step, float(step))
            record.flush()
            record.add("accuracy", step, 0.0)
            record.then(lambda: seen.append((read_series(path, "loss")[0], read_series(path, "accuracy")[0])))
        gate.set()
    assert seen == [(list(range(1, k + 1)),) * 2 for k in range(1, 6)]


def test_only_a_commit_before_a_job_waits_for_the_disk(path):
    said = []
    record = Record(path)
    record._connection.set_trace_callback(said.append)
    record.add("loss", 1, 1.0)
    record.wait()
    assert said[0] == "BEGIN IMMEDIATE"
    assert said[-1] == "COMMIT"
    said.clear()
    record.then(lambda: said.append("job"))  # without new rows: the earlier ones must be on the disk too
    record.wait()
    record._connection.set_trace_callback(None)
    record.close()
    assert [s for s in said if "user_version" not in s] == [
        "PRAGMA synchronous=FULL",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "PRAGMA synchronous=NORMAL",
        "job",
    ]
    assert "PRAGMA user_version=1" in said[2]


def test_resuming_deletes_what_is_beyond(path):
    with Record(path) as record:
        record.extend("loss", range(10), [0.0] * 10)
        for step in range(10):
            record.event(step, step / 10, "kind", "text")
    with Record(path, keep_to=6) as record:
        record.extend("loss", range(7, 12), [1.0] * 5)
    assert read_series(path, "loss") == (list(range(12)), [0.0] * 7 + [1.0] * 5)
    assert [e[0] for e in read_events(path)] == list(range(7))
    Record(path).close()
    assert read_series(path, "loss")[0] == list(range(12))


def test_close_twice_and_use_after(path):
    record = Record(path)
    record.close()
    record.close()
    record.flush()
    record.wait()
    record.add("loss", 1, 1.0)
    with pytest.raises(RunError, match="closed"):
        record.flush()


# What can go wrong.


def test_a_full_disk_is_said_once_and_nothing_is_lost(path):
    record = Record(path)
    limit_pages(record, 4)
    record.extend("loss", range(5000), [0.5] * 5000)
    with pytest.raises(RunError, match=r"room on the disk for .*record\.db; came a full disk; make room"):
        record.wait()
    limit = record._connection.execute("PRAGMA max_page_count=1000000").fetchone()[0]  # room again
    assert limit == 1000000
    record.add("loss", 5000, 0.25)
    record.wait()
    record.close()
    assert read_series(path, "loss") == (list(range(5001)), [0.5] * 5000 + [0.25])


def test_no_checkpoint_ahead_of_a_record_that_could_not_be_written(path):
    record = Record(path)
    limit_pages(record, 4)
    ran = []
    record.extend("loss", range(5000), [0.5] * 5000)
    record.then(lambda: ran.append("checkpoint"))
    with pytest.raises(RunError, match="full disk"):
        record.close()
    assert ran == []
    record.close()
    assert read_series(path, "loss") == ([], [])


def test_the_disk_fills_in_the_middle_of_a_descent(path):
    record = Record(path)
    limit_pages(record, 12)
    with pytest.raises(RunError, match="full disk"):
        for step in range(0, 100_000, 100):
            record.extend("loss", range(step, step + 100), [0.5] * 100)
            record.flush()
            record.wait()
    with pytest.raises(RunError, match="full disk"):
        record.close()
    steps, _ = read_series(path, "loss")
    assert steps == list(range(len(steps)))
    assert len(steps) > 100


def test_a_job_that_fails_is_said_once_and_the_rest_goes_on(path):
    def fails():
        raise OSError(28, "No space left on device", "state.safetensors")

    ran = []
    record = Record(path)
    record.then(fails)
    record.add("loss", 1, 1.0)
    with pytest.raises(RunError, match=r"room on the disk for state\.safetensors"):
        record.wait()
    record.then(lambda: ran.append(1))
    record.close()
    assert ran == [1]
    assert read_series(path, "loss") == ([1], [1.0])


def test_a_jobs_own_sentence_is_kept(path):
    def fails():
        raise RunError("something", "nothing", "do it")

    record = Record(path)
    record.then(fails)
    with pytest.raises(RunError, match="expected something; came nothing; do it"):
        record.close()


@pytest.mark.parametrize("keep_to", [None, 3])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            lambda p: p.write_bytes(b"this is not a database, but it is long enough to be one" * 100),
            "damaged",
        ),
        (lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), "damaged"),
        (lambda p: p.write_bytes(p.read_bytes()[:100]), "damaged"),
        (lambda p: overwrite(p, 4096, os.urandom(4096)), "damaged"),
        (
            lambda p: sql(p, "PRAGMA user_version=2"),
            "made by a newer descend; upgrade: pip install -U descend",
        ),
        (lambda p: sql(p, "DROP TABLE metrics"), "something else"),
        (lambda p: (p.unlink(), p.mkdir()), "can be written"),
    ],
)
def test_a_file_that_is_not_a_whole_record(path, damage, sentence, keep_to):
    with Record(path) as record:
        record.extend("loss", range(3000), [0.0] * 3000)
    damage(path)
    with pytest.raises(RunError, match=sentence):
        Record(path, keep_to=keep_to)
    if sentence == "damaged":
        with pytest.raises(RunError, match="damaged"):
            read_series(path, "loss")


def overwrite(path, at, content):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def sql(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()


def test_a_missing_file_or_folder(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        read_series(tmp_path / "record.db", "loss")
    with pytest.raises(RunError, match="can be written"):
        Record(tmp_path / "nowhere" / "record.db")


def test_an_empty_file_is_a_new_record(path):
    path.touch()
    with Record(path) as record:
        record.add("loss", 1, 1.0)
    assert read_series(path, "loss") == ([1], [1.0])


def test_a_folder_that_cannot_be_written(path):
    with Record(path) as record:
        record.add("loss", 1, 1.0)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        if os.access(path.parent, os.W_OK):
            pytest.skip("nothing is read-only to root")
        assert read_series(path, "loss") == ([1], [1.0])
        with pytest.raises(RunError, match="can be written"):
            Record(path)
    finally:
        path.parent.chmod(0o755)


def test_reading_where_sqlite_cannot_write_beside_the_file(path, monkeypatch):
    from descend.descent import record_file

    with Record(path) as record:
        record.add("loss", 1, 1.0)
    query, tried = record_file._query, []

    def cannot_open_here(file, *rest):
        tried.append(file)
        if file == path:
            raise sqlite3.OperationalError("unable to open database file")
        return query(file, *rest)

    monkeypatch.setattr(record_file, "_query", cannot_open_here)
    assert read_series(path, "loss") == ([1], [1.0])
    assert len(tried) == 2


# Other processes: killed, forgotten, forked.


def run_python(code, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, **more
    )


KILLED = """
import json, os, sys
from pathlib import Path
from descend.descent.record import Record
path, checkpoint, start = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
record = Record(path, keep_to=start)
def save(step):
    new = checkpoint.with_suffix(".new")
    new.write_text(json.dumps(step))
    os.replace(new, checkpoint)
print("started", flush=True)
for step in range(start + 1, 10_000_000):
    record.add("loss", step, step / 3)
    if step % 10 == 0:
        record.flush()
    if step % 50 == 0:
        record.then(lambda step=step: save(step))
    if step % 200 == 0:
        record.wait()
"""


def test_killed_at_any_moment_the_checkpoint_is_never_ahead(path):
    generator = random.Random(1)
    checkpoint, start, moved = path.with_name("checkpoint.json"), 0, 0
    for _ in range(6):
        process = run_python(KILLED, path, checkpoint, start)
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(generator.uniform(0.0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        saved = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
        steps, values = read_series(path, "loss")
        assert len(steps) >= saved
        assert steps == list(range(1, len(steps) + 1))
        assert values == [step / 3 for step in steps]
        moved += saved > start
        start = saved
    assert moved


def test_a_program_that_forgets_to_close_loses_nothing(path):
    code = """
import sys
from pathlib import Path
from descend.descent.record import Record
record = Record(Path(sys.argv[1]))
record.extend("loss", range(1000), [0.0] * 1000)
record.flush()
record.add("loss", 1000, 1.0)
"""
    process = run_python(code, path, stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert read_series(path, "loss")[0] == list(range(1001))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_neither_writes_nor_waits(path):
    code = """
import os, sys
from pathlib import Path
from descend.descent.record import Record
record = Record(Path(sys.argv[1]))
record.add("loss", 1, 1.0)
if os.fork() == 0:
    record.wait()
    sys.exit(0)  # runs the exit handlers
os.wait()
record.close()
"""
    process = run_python(code, path, stderr=subprocess.PIPE)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert read_series(path, "loss") == ([1], [1.0])


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes here")
def test_a_write_that_the_system_refuses(path):
    code = """
import resource, sys
from pathlib import Path
from descend.descent.record import Record
from descend.errors import RunError
record = Record(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    record.extend("loss", range(100_000), [0.5] * 100_000)
    record.wait()
except RunError as error:
    print(error)
try:
    record.close()
except RunError as error:
    print(error)
"""
    process = run_python(code, path, stderr=subprocess.PIPE)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert output.count("expected") == 2, output
    assert read_series(path, "loss") == ([], [])


# Any order of calls against a plain dictionary.

STEPS = st.integers(0, 30)
NAMES = st.sampled_from(["loss", "loss/validation", "gradient/norm", 'it\'s; "NaN" é', ""])
VALUES = st.floats().map(lambda v: v + 0.0)  # SQLite keeps no sign of zero


class AnyOrder(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "record.db")
        self.record: Record | None = Record(self.path)
        self.metrics, self.events, self.jobs, self.expected_jobs = {}, [], [], []

    @precondition(lambda self: self.record)
    @rule(name=NAMES, step=STEPS, value=VALUES)
    def add(self, name, step, value):
        self.record.add(name, step, value)
        self.metrics[name, step] = value

    @precondition(lambda self: self.record)
    @rule(name=NAMES, start=STEPS, values=st.lists(VALUES, max_size=40))
    def extend(self, name, start, values):
        steps = list(range(start, start + len(values)))
        self.record.extend(name, steps, values)
        self.metrics.update({(name, s): v for s, v in zip(steps, values, strict=True)})

    @precondition(lambda self: self.record)
    @rule(step=STEPS, seconds=st.floats(0, 1e9), text=st.text(st.characters(codec="utf-8"), max_size=5))
    def event(self, step, seconds, text):
        self.record.event(step, seconds, "kind", text)
        self.events.append((step, seconds, "kind", text))

    @precondition(lambda self: self.record)
    @rule()
    def flush(self):
        self.record.flush()

    @precondition(lambda self: self.record)
    @rule()
    def then(self):
        expected = dict(self.metrics)
        self.expected_jobs.append(expected)
        self.record.then(lambda: self.jobs.append(self.read_metrics()))

    @precondition(lambda self: self.record)
    @rule()
    def wait(self):
        self.record.wait()
        self.compare()

    @precondition(lambda self: self.record)
    @rule()
    def close(self):
        self.record.close()
        self.record = None
        self.compare()

    @precondition(lambda self: not self.record)
    @rule(keep_to=st.none() | STEPS)
    def reopen(self, keep_to):
        self.record = Record(self.path, keep_to=keep_to)
        if keep_to is not None:
            self.metrics = {k: v for k, v in self.metrics.items() if k[1] <= keep_to}
            self.events = [e for e in self.events if e[0] <= keep_to]
        self.compare()

    def read_metrics(self):
        return {
            (name, step): value
            for name in series_names(self.path)
            for step, value in zip(*read_series(self.path, name), strict=True)
        }

    def compare(self):
        assert repr(sorted(self.read_metrics().items())) == repr(sorted(self.metrics.items()))
        assert read_events(self.path) == self.events
        for name in series_names(self.path):
            steps, _ = read_series(self.path, name)
            assert steps == sorted(set(steps))
        assert [repr(sorted(j.items())) for j in self.jobs] == [
            repr(sorted(j.items())) for j in self.expected_jobs
        ]

    def teardown(self):
        if getattr(self, "record", None):
            self.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
