"""Recommendation: what is held back, what is learned, who is told what, and why."""

import json
import math

import polars as pl
import pytest
import torch

import descend
from descend.applications.recommendation import recommendation_problem
from descend.applications.targets import problem_from_target
from descend.errors import DataError, UsageError
from descend.functions.known_ratings import known_file, known_user
from descend.functions.recommendations import RatingsReader

USER = {"user": "who", "item": "what"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Two kinds of users, each of whom likes one of two kinds of items; all choose item after item."""
    g = torch.Generator().manual_seed(0)
    rows = []
    for u in range(60):
        order = torch.randperm(40, generator=g)[: 12 + u % 13].tolist()
        for k, i in enumerate(order):
            value = 4.5 if u % 2 == i % 2 else 1.5
            noise = 0.5 * float(torch.randint(-1, 2, (), generator=g))
            kind = "odd" if i % 2 else "even"
            rows.append((f"u{u}", f"i{i}", value + noise, 10_000 * u + 60 * k, f"The film {i}", kind))
    path = tmp_path_factory.mktemp("ratings") / "films.csv"
    names = ["who", "what", "stars", "time", "title", "kind"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(path)
    return path


def learned(path, tmp_path_factory, column, steps, **options):
    problem = recommendation_problem(path, column, **USER, **options)
    out = tmp_path_factory.mktemp("run") / "run"
    return descend.fit(problem, until=descend.Until(steps=steps), out=out, watch=False, threads=1)


@pytest.fixture(scope="module")
def rated(path, tmp_path_factory):
    return learned(path, tmp_path_factory, "stars", 60, time="none")


@pytest.fixture(scope="module")
def chosen(path, tmp_path_factory):
    return learned(path, tmp_path_factory, None, 30)


def mine(run, path):
    return known_file(run.model.memory, path, run.reader.columns, run.reader.item_number)


# The problem --------------------------------------------------------------------------------------
def test_ratings_are_held_out_at_random_and_choices_by_time(path):
    problem = recommendation_problem(path, "stars", **USER)
    n = problem.facts["rows"]
    train = torch.cat(problem.train.users)
    parts = [set(x.tolist()) for x in (train, problem.validation.asked, problem.test.asked)]
    assert len(parts[2]) == round(0.2 * n) and sum(map(len, parts)) == n == len(set().union(*parts))
    assert all(not (set(known.tolist()) & parts[2]) for known, _ in problem.test.users)
    other = recommendation_problem(path, "stars", seed=1, **USER)
    assert set(other.test.asked.tolist()) != parts[2]

    problem = recommendation_problem(path, **USER)
    time = problem.train.ratings.time
    for data in (problem.validation, problem.test):
        assert len(data) == 60
        for before, after in data.users:
            assert time[before].max() < time[after].min()
    learns = {k for rows, _ in problem.train.users for k in rows.tolist()}
    assert not learns & set(problem.validation.asked.tolist()) and not learns & set(
        problem.test.asked.tolist()
    )


def test_targets_lead_to_it(path):
    problem = problem_from_target(str(path), target_column="stars", **USER)
    assert problem.facts["kind"] == "ratings" and problem.metric.name == "rmse"
    assert problem.facts["options"] == {"target_column": "stars", **USER}
    assert problem.facts["time"] == "time" and problem.facts["features"] == ["title", "kind"]
    assert problem_from_target(str(path), **USER).metric.name == "ndcg@10"
    with pytest.raises(UsageError, match="both --user and --item"):
        problem_from_target(str(path), user="who")
    with pytest.raises(UsageError, match="--user"):
        problem_from_target(str(path), user="nobody", item="what")


def test_it_learns_who_likes_what(rated):
    # The noise alone has a standard deviation of 0.41; the items' means have 1.6.
    assert rated.facts["metrics"]["rmse/test"] < 0.75


def test_choices_are_learned_without_their_ratings(chosen):
    assert 0 < chosen.facts["metrics"]["ndcg@10/test"] <= 1
    assert chosen.facts["reader"]["columns"]["value"] is None


# What is told -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["rated", "chosen"])
def test_the_reader_goes_through_json(kind, request):
    run = request.getfixturevalue(kind)
    reader = RatingsReader.from_json(json.loads(json.dumps(run.reader.to_json())))
    assert reader == run.reader
    model = reader.model()
    model.load_state_dict(run.model.state_dict())
    again = descend.Run.open(run.folder)
    known = known_user(model.memory, 3)
    assert reader.recommend(model, known) == again.reader.recommend(again.model, known)


@pytest.mark.parametrize("kind", ["rated", "chosen"])
def test_reasons_sum_to_the_score(kind, request):
    run = request.getfixturevalue(kind)
    known = known_user(run.model.memory, 7)
    model = run.model
    for answer in run.reader.recommend(model, known, 5):
        wanted = torch.tensor([run.reader.items.index(answer["item"])])
        base, shares = run.reader._shares(model, known, wanted)
        total = float(base + shares.sum())
        assert answer["base"] == pytest.approx(float(base), abs=1e-5)
        if kind == "rated":
            low, high = model.bounds.tolist()
            assert answer["prediction"] == pytest.approx(min(max(total, low), high), abs=1e-4)
        else:
            assert answer["score"] == pytest.approx(total, abs=1e-3)
        named = {reason["item"]: reason["share"] for reason in answer["because"]}
        of = dict(zip((run.reader.items[k] for k in known.items.tolist()), shares[0].tolist(), strict=True))
        assert all(of[item] == pytest.approx(share, abs=1e-5) for item, share in named.items())


@pytest.mark.parametrize("kind", ["rated", "chosen"])
def test_what_was_had_is_not_recommended_again(kind, request):
    run = request.getfixturevalue(kind)
    for user in (0, 5, 24):
        known = known_user(run.model.memory, user)
        had = {run.reader.items[k] for k in known.items.tolist()}
        answers = run.reader.recommend(run.model, known, 1000)
        assert len(answers) == 40 - len(had) and not had & {a["item"] for a in answers}


def test_a_new_user_with_the_same_ratings_is_told_the_same(rated, path, tmp_path):
    frame = pl.read_csv(path)
    own = frame.filter(pl.col("who") == "u8")
    reader, model = rated.reader, rated.model
    for columns in (["what", "stars"], ["title", "stars"]):
        own.select(columns).write_csv(tmp_path / "mine.csv")
        known, notes = mine(rated, tmp_path / "mine.csv")
        assert notes == []
        new, old = (
            reader.recommend(model, known, 20),
            reader.recommend(model, known_user(model.memory, reader.user_number("u8")), 20),
        )
        assert [a["item"] for a in new] == [a["item"] for a in old]
        for a, b in zip(new, old, strict=True):
            assert a["prediction"] == pytest.approx(b["prediction"], abs=1e-4)


def test_pairs_are_told_and_a_known_rating_only_from_the_others(rated, path, tmp_path):
    frame = pl.read_csv(path)
    pairs = frame.filter(pl.col("who") == "u8").select("who", "what")
    unknown = pl.DataFrame({"who": ["u8", "new", "new"], "what": ["i999", "i1", "i999"]})
    missing = next(f"i{k}" for k in range(40) if f"i{k}" not in pairs["what"].to_list())
    fresh = pl.DataFrame({"who": ["u8"], "what": [missing]})
    pl.concat([fresh, unknown, pairs]).write_csv(tmp_path / "pairs.csv")
    answers = rated.predict(tmp_path / "pairs.csv")
    assert len(answers) == 4 + len(pairs) and [a["row"] for a in answers] == list(range(len(answers)))
    notes = [a["note"] for a in answers[:5]]
    assert notes == ["", "unknown item", "unknown user", "unknown user and item", ""]
    assert all(1 <= a["prediction"] <= 5 for a in answers)
    reader, model = rated.reader, rated.model
    recommended = {a["item"]: a for a in reader.recommend(model, known_user(model.memory, 8), 100)}
    assert answers[0]["prediction"] == pytest.approx(recommended[missing]["prediction"], abs=1e-4)
    # Told from the others: as a new user, who has all but this one, is told.
    item = pairs["what"][0]
    frame.filter((pl.col("who") == "u8") & (pl.col("what") != item)).write_csv(tmp_path / "others.csv")
    known, _ = mine(rated, tmp_path / "others.csv")
    others = {a["item"]: a for a in reader.recommend(model, known, 100)}
    assert answers[4]["prediction"] == pytest.approx(others[item]["prediction"], abs=1e-4)


def test_choices_are_scored_in_pairs(chosen, path, tmp_path):
    pl.DataFrame({"who": ["u8", "u8", "x"], "what": ["i1", "i2", "i1"]}).write_csv(tmp_path / "pairs.csv")
    answers = chosen.predict(tmp_path / "pairs.csv")
    assert all(math.isfinite(a["score"]) for a in answers) and answers[2]["note"] == "unknown user"


def test_bad_rows_of_a_new_user_are_counted(rated, tmp_path):
    (tmp_path / "mine.csv").write_text("what,stars\ni1,5\ni2,good\nnothing,3\n,4\ni1,2\n")
    known, notes = mine(rated, tmp_path / "mine.csv")
    assert known.values.tolist() == [2.0]
    assert notes == [
        "2 left out: an item that is not known",
        "1 left out: no rating",
        "1 left out: rated again later",
    ]
    (tmp_path / "mine.csv").write_text("what,stars\nnothing,3\n")
    with pytest.raises(DataError, match="known items"):
        mine(rated, tmp_path / "mine.csv")


def test_users_with_one_rating_are_survived(path, tmp_path):
    frame = pl.read_csv(path)
    alone = pl.DataFrame({"who": ["lone", "other"], "what": ["i1", "only"], "stars": [5.0, 2.0], "time": [1,
    2],
                          "title": ["The film 1", None], "kind": ["odd", None]})  # fmt: skip
    pl.concat([frame, alone]).write_csv(tmp_path / "more.csv")
    for column in ("stars", None):
        problem = recommendation_problem(tmp_path / "more.csv", column, **USER)
        assert "2 users with a single rating" in problem.facts["notes"]
        run = descend.fit(
            problem, until=descend.Until(steps=3), out=tmp_path / f"{column}", watch=False, threads=1
        )
        for name in ("lone", "other"):
            known = known_user(run.model.memory, run.reader.user_number(name))
            assert len(run.reader.recommend(run.model, known, 3)) == 3
