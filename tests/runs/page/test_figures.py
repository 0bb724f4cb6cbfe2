import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.runs.page.figures import figures, is_noisy, log_scale, smooth, thin

NAN, INF = math.nan, math.inf
numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


class Series:
    """A record in memory."""

    def __init__(self, recorded, **facts):
        self.recorded, self.facts = recorded, facts

    def series(self):
        return list(self.recorded)

    def metrics(self, name):
        return self.recorded[name]


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=400), st.integers(4, 40))
def test_thinning_keeps_extremes_ends_order_and_gaps(values, points):
    steps = [3 * i + 1 for i in range(len(values))]
    at, kept = thin(steps, values, points)
    assert len(at) <= (3 * points) // 2 + 2
    assert at == sorted(set(at))
    assert (at[0], at[-1]) == (steps[0], steps[-1])
    finite = [float(f"{v:.6g}") for v in values if math.isfinite(v)]
    drawn = [v for v in kept if v is not None]
    if finite:
        assert (min(drawn), max(drawn)) == (min(finite), max(finite))
    assert (None in kept) == (len(finite) < len(values))


def test_a_spike_of_one_step_in_a_million_survives():
    values = [0.5] * 200_000
    values[123_456] = 99.0
    steps, kept = thin(range(200_000), values)
    assert len(steps) <= 4002
    assert kept[steps.index(123_456)] == 99.0


def test_smoothing_a_line_keeps_it_but_for_its_last_moment():
    steps = list(range(1, 5001))
    at, means = smooth(steps, [0.002 * s for s in steps])
    for s, mean in zip(at, means, strict=True):
        if s < 4900:
            assert mean == pytest.approx(0.002 * s, rel=1e-5)
        assert abs(mean - 0.002 * s) <= 0.002 * 25  # a quarter of 2% of 5,000 steps


def test_smoothing_is_the_mean_of_the_window_around_a_step():
    r = random.Random(1)
    steps = list(range(0, 3000, 3))
    values = [r.gauss(1, 0.5) for _ in steps]
    at, means = smooth(steps, values, places=50)
    reach = 2997 / 50
    for s, mean in zip(at, means, strict=True):
        if 3 * reach <= s <= 2997 - reach:
            window = [v for t, v in zip(steps, values, strict=True) if abs(t - s) <= reach]
            assert mean == pytest.approx(sum(window) / len(window), rel=1e-5)


def test_smoothing_is_even_where_a_series_was_thinned_as_it_was_recorded():
    r = random.Random(2)
    steps = [*range(1, 10_001), *range(10_010, 100_001, 10)]
    at, means = smooth(steps, [1 + r.gauss(0, 0.2) for _ in steps])
    late = [m for s, m in zip(at, means, strict=True) if 5000 < s < 95_000]
    assert all(0.95 < m < 1.05 for m in late)


def test_a_huge_value_does_not_spoil_the_mean_elsewhere():
    values = [0.1 + 0.01 * (i % 2) for i in range(1000)]
    values[500] = 1e300
    at, means = smooth(range(1000), values)
    assert means[at.index(800)] == pytest.approx(0.105, rel=1e-2)


@pytest.mark.parametrize("count", [1, 2, 3, 41])
def test_short_series_can_be_smoothed(count):
    at, means = smooth(list(range(count)), [2.0] * count)
    assert (at[0], at[-1]) == (0, count - 1)
    assert set(means) == {2.0}


def test_noise_is_told_from_a_deterministic_descent():
    r = random.Random(0)
    assert is_noisy([r.random() for _ in range(200)])
    assert not is_noisy([0.99**i for i in range(200)])
    assert not is_noisy([1.0] * 200)
    assert not is_noisy([0.99**i * (1.2 + math.sin(i / 9)) for i in range(400)])  # momentum swings
    assert not is_noisy([r.random() for _ in range(20)])  # too few to tell
    assert not is_noisy([])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 30.0], (True, True)),
        ([1.0, 2.0], (True, False)),
        ([1e-9, 0.0, 1.0], (True, True)),
        ([-1.0, 30.0], (False, False)),
        ([0.0, 0.0], (False, False)),
        ([None, None], (False, False)),
        ([], (False, False)),
    ],
)
def test_a_logarithmic_scale_is_offered_where_it_can_be(values, expected):
    assert log_scale(values) == expected


def test_values_that_are_not_finite_become_gaps_and_are_counted():
    run = Series({"loss": ([1, 2, 3, 4, 5], [2.0, INF, None, NAN, 1.0])})
    loss = figures(run)["figures"][0]
    assert loss["lines"][0]["y"] == [2.0, None, None, None, 1.0]
    assert loss["broken"] == 2
    assert loss["caption"] == "From 2 at step 1 to 1 at step 5. 3 values are not finite."


def test_a_series_without_any_finite_value_is_still_a_figure():
    loss = figures(Series({"loss": ([1, 2], [NAN, NAN])}))["figures"][0]
    assert loss["caption"] == "No value was a finite number."
    assert not loss["can_log"]


def test_no_series_and_empty_series_make_no_figure():
    assert figures(Series({}))["figures"] == []
    assert figures(Series({"loss": ([], []), "learning-rate": ([], []), "mine": ([], [])}))["figures"] == []


def test_validation_lies_on_the_picture_of_the_loss():
    recorded = {"loss": ([1, 2], [2.0, 1.0]), "loss/validation": ([2], [1.5])}
    loss = figures(Series(recorded, best_step=2))["figures"][0]
    assert [line["role"] for line in loss["lines"]] == ["training", "validation"]
    assert loss["best"] == 2
    assert "least validation loss is 1.5, at step 2" in loss["caption"]


def test_a_metric_has_its_test_value_and_no_logarithm_where_larger_is_better():
    recorded = {"accuracy/validation": ([1, 2], [0.5, 0.9])}
    facts = {"metric": {"name": "accuracy", "larger_is_better": True}, "metrics": {"accuracy/test": 0.8}}
    figure = figures(Series(recorded, **facts))["figures"][0]
    assert figure["share"]
    assert not figure["can_log"]
    assert figure["lines"][1] == {"name": "test, at the end", "role": "level", "x": [1, 2], "y": [0.8, 0.8]}
    assert figure["caption"] == "From 50% at step 1 to 90% at step 2."


def test_clipping_is_a_level_and_is_counted():
    recorded = {"gradient/norm": ([1, 2, 3, 4], [4.0, 2.0, 0.5, 0.4])}
    figure = figures(Series(recorded, settings={"clip": 1.0}))["figures"][0]
    assert figure["lines"][-1]["name"] == "clipped to 1"
    assert "50% of the recorded gradients were longer" in figure["caption"]


def test_axes_are_offered_where_they_mean_something():
    recorded = {"loss": ([1, 2], [2.0, 1.0]), "time/elapsed(s)": ([1, 2], [0.1, 0.3])}
    drawn = figures(Series(recorded, steps=100, epochs=4.0))
    assert drawn["epoch"] == 25
    assert drawn["clock"] == {"steps": [1, 2], "seconds": [0.1, 0.3]}
    assert figures(Series({}, steps=100, epochs=100))["epoch"] is None  # full batches
    assert figures(Series({}, steps=100, epochs=None))["epoch"] is None  # a surface


def test_names_are_escaped_for_the_picture_maker():
    figure = figures(Series({"<b>": ([1], [1.0])}, settings={"clip": None}))["figures"][0]
    assert figure["title"] == "<b>"  # escaped where the page is written
    recorded = {"<lambda>/validation": ([1], [1.0])}
    figure = figures(Series(recorded, metric={"name": "<lambda>"}))["figures"][0]
    assert not any("<" in line["name"] for line in figure["lines"])
