import numpy as np
import polars as pl
import pytest

from descend.applications.tables import table_problem
from descend.functions.column_choice import fit_columns


def test_a_straight_line_keeps_its_only_column(tmp_path):
    (tmp_path / "line.csv").write_text("n,y\n" + "".join(f"{i},{2.5 * i}\n" for i in range(1, 41)))
    problem = table_problem(tmp_path / "line.csv", "y")
    assert problem.facts["columns"]["number"] == 1 and problem.facts["notes"] == []


@pytest.mark.parametrize(
    ("header", "kept"),
    [("customer_id,a,y", 1), ("Unnamed: 0,a,y", 1), (",a,y", 1), ("n,a,y", 1), ("year,a,y", 2), ("a,n,y", 2)],
)
def test_row_numbers_are_left_out_but_not_time(tmp_path, header, kept):
    rows = [(i, i * i % 17) for i in range(1, 61)]
    rows = [r if not header.startswith("a") else r[::-1] for r in rows]
    text = "\n".join([header, *(f"{a},{b},{a % 7 + b * 1.5}" for a, b in rows)])
    (tmp_path / "t.csv").write_text(text)
    assert table_problem(tmp_path / "t.csv", "y").facts["columns"]["number"] == kept


def test_what_gives_no_features_is_left_out_with_its_reason():
    table = pl.DataFrame(
        {"list": [[1], [2], None], "gap": [None] * 3, "blank": ["", "NA", ""], "a": [1, 2, 4]}
    )
    chosen, left_out, typed = fit_columns(table, np.arange(3))
    assert [column.name for column in chosen] == ["a"]
    assert left_out == {
        "list": "values of type List(Int64) give no features",
        "gap": "all values are missing",
        "blank": "all values are missing",
    }
    assert typed.columns == table.columns
