import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from descend.errors import DataError
from descend.functions.cells import moments_of, numbers_of, text_of, typed


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1.0),
        (" -2.5 ", -2.5),
        ("+4", 4.0),
        ("1e5", 1e5),
        (".5", 0.5),
        ("1,234", 1234.0),
        ("-1,234,567.25", -1234567.25),
        ("$1,200.50", 1200.5),
        ("-$5", -5.0),
        ("€ 7", 7.0),
        ("12 €", 12.0),
        ("45%", 45.0),
        ("(12)", -12.0),
        *[
            (missing, None)
            for missing in ("", "NA", "nan", "NULL", "None", "?", "-", "inf", "-Infinity", None)
        ],
    ],
)
def test_a_number_is_read_in_the_forms_that_spreadsheets_write(cell, value):
    read = numbers_of(pl.Series("c", [cell, "3"], dtype=pl.String))
    assert read[1] == 3
    assert np.isnan(read[0]) if value is None else read[0] == value


@pytest.mark.parametrize("cell", ["oops", "1_000", "0x10", "1d", "1,23", "12,34,567", "1 000", "$"])
def test_what_is_no_number_is_named_with_its_row(cell):
    with pytest.raises(DataError, match=r"numbers in column 'area'.*row 3"):
        numbers_of(pl.Series("area", ["1", "2", cell]))


@pytest.mark.parametrize(
    "cell",
    [
        "2020-01-31",
        "1969-12-31",
        "2020-02-29T12:30:05",
        "2020-02-29 12:30:05.250",
        "2020-02-29 12:30",
        "2020-02-29T12:30:05Z",
        "2020-02-29T12:30:05+02:00",
        "2020-02-29 23:30:05-05:00",
        "2020/03/01",
        "2020/03/01 07:00",
    ],
)
def test_a_date_is_read_as_pandas_reads_it(cell):
    moment = moments_of(pl.Series("when", [cell, None], dtype=pl.String))
    assert moment[0] == pd.to_datetime(cell, utc=True).timestamp()
    assert np.isnan(moment[1])


def test_dates_of_polars_and_iso_strings_say_the_same():
    days = [datetime.date(2020, 2, 29), None, datetime.date(1900, 1, 1)]
    typed = pl.Series("when", days)
    text = pl.Series("when", [d and d.isoformat() for d in days])
    zoned = typed.cast(pl.Datetime("ns")).dt.replace_time_zone("Europe/Berlin")
    np.testing.assert_array_equal(moments_of(typed), moments_of(text))
    assert moments_of(zoned)[0] == moments_of(text)[0] - 3600


@pytest.mark.parametrize("cell", ["2021-02-29", "2020-13-01", "31.12.2020", "soon"])
def test_what_is_no_date_is_named_with_its_row(cell):
    with pytest.raises(DataError, match=r"dates .* in column 'when'.*row 2"):
        moments_of(pl.Series("when", ["2020-01-01", cell]))


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "NA"], "number"),
        (["$1,000", "$2", ""], "number"),
        (["2020-01-01", None, "2020-01-02 10:00"], "date"),
        (["a", "b", "1"], "category"),
        (["True", "False", "TRUE"], "category"),
        (["1", "2", "3+"] * 10, "category"),  # comes back too often to be a mistake
        ([*["1", "2", "3", "4"] * 30, *["5+"] * 4], "category"),
        (["12A", "14", "15B", "16", "17C", "18"], "category"),
        (["", "NA", None], "nothing"),
        ([1, 2, None], "number"),
        ([True, False, None], "category"),
        ([datetime.date(2020, 1, 1), None], "date"),
        ([datetime.timedelta(hours=1), None], "number"),
        ([[1, 2], [3]], "nothing"),
    ],
)
def test_the_kind_of_a_column(cells, kind):
    assert typed(pl.Series("c", cells))[0] == kind


@pytest.mark.parametrize(
    "cells",
    [
        [*map(str, range(100)), "oops"],
        [*map(str, range(100)), *["unknown"] * 5],
        [*["1", "2"] * 10, "oops"],
        ["1.5", "2.5", "3.5", "4.5", "5.5", "oops"],
        ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2020-02-31"],
    ],
)
def test_a_few_cells_of_text_among_numbers_or_dates_are_a_mistake(cells):
    first = next(i for i, c in enumerate(cells, start=1) if c in ("oops", "unknown", "2020-02-31"))
    with pytest.raises(DataError, match=f"row {first}"):
        typed(pl.Series("c", cells))


def test_truth_values_are_one_level_however_they_are_written():
    assert text_of(pl.Series(["True", "TRUE", "true", " false", "Truely", "NA"])).to_list() == [
        "true",
        "true",
        "true",
        "false",
        "Truely",
        None,
    ]
    assert text_of(pl.Series([True, None])).to_list() == ["true", None]
