import json
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
import sample_runs
from sample_runs import HOSTILE, RUNS, WATCHING, FakeRun, alarming, digits_facts, with_events

from descend.errors import RunError
from descend.runs.page.repeating import python_equivalent
from descend.runs.page.tables import EVENTS, ROWS
from descend.runs.report import write_report

# Elements without an end; every other one that opens must close.
VOID = {"meta", "link", "path", "circle"}


class Page(HTMLParser):
    """What a browser would see: elements, texts, and whether everything that opens closes."""

    def __init__(self, content):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


def read(path):
    return path.read_text(encoding="utf-8")


def data_of(content):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', content)[1])


@pytest.fixture(scope="module", params=RUNS, ids=lambda make: make.__name__)
def any_page(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    return read(write_report(request.param(folder)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return read(write_report(sample_runs.finished(tmp_path_factory.mktemp("whole"))))


def test_every_run_makes_one_whole_page_under_six_megabytes(any_page):
    assert len(any_page.encode()) < 6e6
    page = Page(any_page)
    assert not page.open
    assert page.count("h1") == 1
    assert [page.count(tag) for tag in ("script", "style", "img", "iframe")] == [4, 1, 0, 0]


def test_it_asks_the_network_for_nothing(any_page):
    for tag, attributes in Page(any_page).elements:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, (tag, name, value)
    assert "connect-src" not in any_page.partition("<title>")[0]
    assert "default-src 'none'" in any_page.partition("<title>")[0]
    assert "@import" not in any_page.partition("</style>")[0]


def test_its_data_are_strict_json_without_a_way_out_of_the_script(any_page):
    inside = re.search(r'id="data">(.*?)</script>', any_page)[1]
    assert "<" not in inside
    json.loads(inside, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_the_whole_page_says_everything_about_the_run(whole):
    page = Page(whole)
    headline = "Stopped after 15.0 s, the time it was given; the loss fell from 2.31 to 0.012."
    for said in (
        headline,
        "98.3%",
        "on 599 examples never learned from",
        "Validation loss 0.0702 at the best step, 11,500",
        "20,000 1,221 epochs",
        "15 s 1,336 steps/s",
        "5,962 in 6 tensors",
        "0.weight 48 × 64 3,072",
        "scikit-learn: digits",
        "weight decay 0.01",
        "memory (GiB) 23.5",
        "1 thread: a step takes 0.3 ms, too short to share",
        "descend fit digits --seconds 15",
        "until=descend.Until(seconds=15.0)",
        "descend predict",
        "1 thread chosen by measuring",
        "Written by descend",
        "23 November 2026, 10:00 UTC",
    ):
        assert said in page.text
    assert "Go on with it" not in page.text
    keys = [figure["key"] for figure in data_of(whole)["figures"]]
    assert keys == ["loss", "metric", "learning-rate", "gradient", "update"]


def test_every_picture_has_words(any_page):
    page = Page(any_page)
    plots = [a for _, a in page.elements if a.get("class") == "plot"]
    assert len(plots) == len(data_of(any_page)["figures"])
    assert all(a["role"] == "img" and a["aria-label"].strip() for a in plots)
    assert all(a.get("aria-label") for _, a in page.elements if a.get("role") in ("region", "group"))


def test_headings_go_down_one_level_at_a_time(any_page):
    levels = [int(tag[1]) for tag, _ in Page(any_page).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_no_name_in_the_data_becomes_markup(tmp_path):
    content = read(write_report(sample_runs.hostile(tmp_path)))
    page = Page(content)
    assert page.text.count(HOSTILE) > 20
    assert HOSTILE not in content
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert "Recorded too, without a figure" in page.text  # 10 series of its own, 8 figures
    assert "a file name that is no text: ?" in page.text


def test_a_failed_descent_says_what_to_do(tmp_path):
    page = Page(read(write_report(sample_runs.not_finite(tmp_path))))
    assert "The loss is not a finite number since step 53." in page.text
    assert "Try a lower learning rate" in page.text
    assert "--lr 3" in page.text
    assert "those of step 1" in page.text
    assert "not a number" in page.text
    loss = data_of(read(tmp_path / "report.html"))["figures"][0]
    assert loss["broken"] == 53
    assert loss["lines"][0]["y"][-8:] == [None] * 8
    assert "8 values are not finite" in loss["caption"]


def test_a_run_that_was_cut_off_says_so_and_how_to_go_on(tmp_path):
    page = Page(read(write_report(sample_runs.cut_off(tmp_path))))
    assert "Not finished" in page.text
    assert "Loss so far" in page.text
    assert f"descend fit digits --seconds 15 --out {tmp_path} --resume" in page.text


def test_an_interrupted_run_keeps_the_options_it_had(tmp_path):
    run = sample_runs.interrupted(tmp_path)
    run.facts["command"] = "descend fit 'my data.csv' --out=here --resume"
    page = Page(read(write_report(run)))
    assert page.text.count("descend fit 'my data.csv' --out=here --resume") == 2


def test_a_surface_has_no_data_no_validation_and_a_loss_of_zero(tmp_path):
    content = read(write_report(sample_runs.surface(tmp_path)))
    page = Page(content)
    assert "No data: the function is its own loss." in page.text
    assert "alidation" not in page.text
    assert "epoch" not in page.text
    loss = data_of(content)["figures"][0]
    assert loss["can_log"] and loss["log"]
    assert [line["role"] for line in loss["lines"]] == ["training"]  # nothing to smooth


def test_a_run_of_nothing_is_still_a_page(tmp_path):
    page = Page(read(write_report(sample_runs.nothing(tmp_path))))
    assert "Nothing is recorded" in page.text
    assert "Parameters" not in page.text


def test_the_python_equivalent_is_the_run(tmp_path):
    calls = []
    facts = digits_facts(target="houses.csv", data={"options": {"target_column": "price"}})
    source = python_equivalent(facts, tmp_path / "houses")
    lines = [line for line in source.splitlines() if "import" not in line]

    class descend:
        Until = staticmethod(lambda **bounds: bounds)
        fit = staticmethod(lambda problem, **settings: calls.append((problem, settings)))

    given = {"descend": descend, "problem_from_target": lambda target, **more: (target, more)}
    exec("\n".join(lines), given)
    problem, settings = calls[0]
    assert problem == ("houses.csv", {"target_column": "price", "seed": 0})
    assert settings == {
        "method": "adamw",
        "lr": 0.003,
        "batch_size": 64,
        "schedule": "cosine",
        "warmup": 0.02,
        "clip": 1.0,
        "hyperparameters": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "until": {"seconds": 15.0},
        "seed": 0,
        "out": str(tmp_path / "houses-again"),
    }
    compile(python_equivalent({}, tmp_path), "nothing", "exec")
    problem = {"file": "/home/me/code.py", "name": "mine"}
    assert '"/home/me/code.py:mine"' in python_equivalent({"problem": problem}, tmp_path)


def test_long_tables_are_cut_and_say_so(tmp_path):
    rows = [
        {"name": f"layers.{i}", "shape": [i], "count": i, "norm": 1.0, "moved": 1.0, "moved_relative": 1.0}
        for i in range(3 * ROWS)
    ]
    with_events(tmp_path, [(i, i / 10, "tick", f"event {i}") for i in range(2 * EVENTS)])
    page = Page(read(write_report(FakeRun(tmp_path, digits_facts(parameters=rows)))))
    assert f"The {ROWS} largest of {3 * ROWS:,} tensors" in page.text
    assert "layers.1199" in page.text
    assert "layers.799 " not in page.text
    assert f"… {EVENTS} more …" in page.text
    assert f"event {2 * EVENTS - 1} " in page.text + " "
    assert f"event {EVENTS} " not in page.text


def test_it_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    run = sample_runs.one_step(tmp_path)
    (tmp_path / "report.html").write_text("the old one")
    real = type(tmp_path).replace

    def fails(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "replace", fails)
    with pytest.raises(RunError, match=r"report\.html"):
        write_report(run)
    assert read(tmp_path / "report.html") == "the old one"
    monkeypatch.setattr(type(tmp_path), "replace", real)
    assert write_report(run) == tmp_path / "report.html"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_it_needs_neither_torch_nor_polars(tmp_path):
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import sample_runs
from descend.runs.report import write_report
write_report(sample_runs.finished(Path(sys.argv[2])))
heavy = {"torch", "polars", "numpy", "pandas", "sklearn", "plotly.graph_objects"} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""
    here = str(Path(sample_runs.__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, here, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_its_looks_are_in_the_package_that_is_installed():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["setuptools"]["package-data"]["descend"]
    for name in ("style.css", "page.js"):
        assert any(Path("runs/page", name).match(pattern) for pattern in shipped), f"{name} is left out"


def test_findings_stand_with_their_proof(tmp_path):
    page = write_report(alarming(tmp_path)).read_text(encoding="utf-8")
    body = page[page.index('id="findings"') : page.index('id="curves"')]
    assert page.index('href="#findings"') < page.index('id="findings"')
    for part in (
        "learning-rate-too-high", "90% sure", "seen from step 518", "Divide the learning rate by 3 to 10",
        "With the learning rate divided by 10 (lr 1 → 0.1)", "validation loss 2.15 → 0.2 after 371 steps",
        "Difference −1.95, 95% interval −2.01 to −1.87", "It explains what looks like dead-units, not-finite",
        "does not help", "makes it worse", "helps too little", "Steps are longer than the valley is wide",
        "docs/diagnosing.md#learning-rate-too-high", "which parameters were meant to learn",
        "Possible, without enough evidence", "20,000 steps watched, 118 of them looked at closely",
        "2.1% of the descent", "Trying remedies took 1.31 s of 1.5 s",
    ):  # fmt: skip
        assert part in body, part
    assert body.count("<svg") == 4
    assert "Something looks wrong" in page[: page.index('id="findings"')]


def test_a_sound_run_says_so_and_one_that_nobody_watched_says_nothing(tmp_path):
    for name, changes, said in (("a", {"watching": WATCHING}, 1), ("b", {}, 0)):
        (tmp_path / name).mkdir()
        page = write_report(FakeRun(tmp_path / name, digits_facts(**changes))).read_text(encoding="utf-8")
        assert page.count("Nothing wrong was seen.") == page.count('id="findings"') == said
        assert "Something looks wrong" not in page
