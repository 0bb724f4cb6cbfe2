"""Ratings read from tables as people keep them, and what the other columns say of the items."""

import numpy as np
import polars as pl
import pytest
import torch

from descend.errors import DataError, UsageError
from descend.functions.ratings import read_ratings

HEADER = "who,what,stars,when,name,year,kinds\n"
ITEMS = [
    ("a", "Alien", 1979, "Horror|Sci-Fi"),
    ("b", "Brazil", 1985, "Sci-Fi|Comedy"),
    ("c", "Casablanca", 1942, "Drama"),
    ("d", "Dumbo", 1941, "Drama|Comedy"),
]
NAMES, YEARS, KINDS = ({row[0]: row[k] for row in ITEMS} for k in (1, 2, 3))


def written(tmp_path, rows):
    lines = [f"{u},{i},{r},{t},{n},{y},{k}" for u, r, t, (i, n, y, k) in rows]
    path = tmp_path / "ratings.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def rows():
    return [(f"u{u}", 1 + (u + k) % 5, 1000 * u - k, ITEMS[k]) for u in range(5) for k in range(4)]


def test_users_stand_together_and_each_in_the_order_of_time(tmp_path, rows):
    r = read_ratings(written(tmp_path, rows[::-1]), "who", "what", "stars", "when")
    assert len(r) == 20 and sorted(r.users) == [f"u{u}" for u in range(5)] and sorted(r.items) == list("abcd")
    assert (r.user.diff() >= 0).all()
    for user in range(5):
        assert (r.time[r.user == user].diff() >= 0).all()
    told = {
        (r.users[u], r.items[i], v, t)
        for u, i, v, t in zip(*(x.tolist() for x in (r.user, r.item, r.value, r.time)), strict=True)
    }
    assert told == {(u, i[0], float(v), float(t)) for u, v, t, i in rows}
    assert r.left_out == {}


def test_what_is_no_rating_is_counted_and_left_out(tmp_path, rows):
    path = written(tmp_path, rows)
    with path.open("a") as file:
        file.write(
            "u9,a,good,5,Alien,1979,x\nu9,a,,5,Alien,1979,x\n,a,3,5,Alien,1979,x\nu9,,3,5,Alien,1979,x\n"
        )
        file.write("u9,a,3,,Alien,1979,x\nu0,a,2,99999,Alien,1979,x\nu0,a,inf,5,Alien,1979,x\n")
    r = read_ratings(path, "who", "what", "stars", "when")
    assert r.left_out == {
        "no user": 1,
        "no item": 1,
        "a rating that is no number": 1,
        "no rating": 2,
        "no time": 1,
        "rated again later": 1,
    }
    assert len(r) == 20
    again = (r.user == r.users.index("u0")) & (r.item == r.items.index("a"))
    assert r.value[again].tolist() == [2.0]


def test_the_time_is_found_by_its_name_and_may_be_dates(tmp_path, rows):
    frame = pl.read_csv(written(tmp_path, rows)).rename({"when": "Timestamp"})
    day = pl.datetime(2024, 1, 1) + pl.duration(hours=pl.col("Timestamp"))
    frame.with_columns(day.dt.to_string("%Y-%m-%d %H:%M:%S").alias("Timestamp")).write_csv(tmp_path / "t.csv")
    r = read_ratings(tmp_path / "t.csv", "who", "what", "stars")
    assert r.columns.time == "Timestamp"
    frame.with_columns(day.alias("Timestamp")).write_parquet(tmp_path / "t.parquet")
    p = read_ratings(tmp_path / "t.parquet", "who", "what", "stars")
    assert torch.equal(r.time, p.time)
    hours = frame.sort("who", "Timestamp")["Timestamp"].to_numpy()
    assert np.allclose(np.diff(r.time[r.user == 0].numpy()), 3600 * np.diff(hours[:4]))
    none = read_ratings(tmp_path / "t.csv", "who", "what", "stars", "none")
    assert none.columns.time is None and not none.time.any()


def test_without_ratings_each_choice_is_one(tmp_path, rows):
    r = read_ratings(written(tmp_path, rows), "who", "what")
    assert r.columns.value is None and (r.value == 1).all()


def test_columns_of_the_items_become_features(tmp_path, rows):
    r = read_ratings(written(tmp_path, rows), "who", "what", "stars", "when")
    assert r.features.columns == ["name", "year", "kinds"]  # stars and when are the rating's own
    assert r.features.names == [NAMES[item] for item in r.items]
    years = torch.tensor([float(YEARS[item]) for item in r.items])
    assert torch.allclose(
        r.features.numbers[:, 0], (years - years.mean()) / years.std(correction=0), atol=1e-5
    )
    marks = r.features.marks[:, -3:]  # Comedy, Drama, Sci-Fi: two films each; Horror has one
    kinds = ("Comedy", "Drama", "Sci-Fi")
    expected = torch.tensor([[kind in KINDS[item] for kind in kinds] for item in r.items])
    assert torch.equal(marks.bool(), expected)


def test_columns_that_are_not_there(tmp_path, rows):
    path = written(tmp_path, rows)
    for names, flag in ((("whom", "what"), "--user"), (("who", "that"), "--item")):
        with pytest.raises(UsageError, match=flag):
            read_ratings(path, *names)
    with pytest.raises(UsageError, match="--time"):
        read_ratings(path, "who", "what", None, "then")
    with pytest.raises(DataError, match="at least 10 ratings"):
        read_ratings(written(tmp_path, rows[:6]), "who", "what", "stars")
