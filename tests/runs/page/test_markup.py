import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.runs.page.markup import Markup, duration, label, moment, number, percent, plain, tag, text


def test_strings_are_escaped_and_markup_is_kept():
    inner = tag("b", "<&>", title='"quoted" & <b>')
    assert inner == '<b title="&quot;quoted&quot; &amp; &lt;b&gt;">&lt;&amp;&gt;</b>'
    assert tag("p", inner, " & ", None, ["x", Markup("<br>")]) == f"<p>{inner} &amp; x<br></p>"


def test_attributes_can_be_left_out_or_bare():
    assert tag("a", class_="c", aria_label=None, hidden=True, open=False) == '<a class="c" hidden></a>'


@given(st.text())
def test_no_text_ends_its_element(given_text):
    inside = text(given_text)
    assert "<" not in inside
    assert ">" not in inside
    assert '"' not in inside


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (0.0, "0"),
        (12345, "12,345"),
        (-12345, "−12,345"),
        (0.049834, "0.04983"),
        (2.31, "2.31"),
        (2.0, "2"),
        (123456.7, "123,457"),
        (1e7, "1e7"),
        (1.23456e-7, "1.235e−7"),
        (-2.5e30, "−2.5e30"),
        (9.99996, "10"),
        (10**20, "1e20"),
        (math.nan, "not a number"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (True, "True"),
        ("text", "text"),
    ],
)
def test_numbers(value, shown):
    assert number(value) == shown


@given(st.floats(-1e300, 1e300))
def test_a_number_reads_back_to_four_digits(value):
    read = float(number(value).replace("−", "-").replace(",", ""))
    assert read == pytest.approx(value, rel=1e-3, abs=1e-320)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.9833, "98.3%"),
        (1.0, "100%"),
        (1.16, "116%"),
        (12.3, "12.3 ×"),
        (None, "–"),
        (math.nan, "not a number"),
    ],
)
def test_shares(value, shown):
    assert percent(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0008, "0.8 ms"),
        (0.61, "610 ms"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600 * 3 + 20 * 60, "3 h 20 min"),
        (86_400 * 2 + 4 * 3600, "2 d 4 h"),
        (None, "–"),
        (math.inf, "∞"),
    ],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


def test_moments():
    assert moment("2026-11-23T12:00:00+02:00") == "23 November 2026, 10:00 UTC"
    assert moment("2026-11-03T09:05:00") == "3 November 2026, 09:05"
    assert moment("yesterday") == "yesterday"
    assert moment(None) == "–"


def test_any_json_value_is_a_line_of_words():
    assert plain(None) == "none"
    assert plain(True) == "yes"
    assert plain([0.9, 0.999]) == "0.9, 0.999"
    assert plain({"a_b": [1, {"c": None}]}) == "a b 1, c none"
    assert plain(list(range(14))).endswith("11, … and 2 more")
    assert plain([]) == "none"


def test_keys_become_words():
    assert label("batch_size") == "batch size"
    assert label("memory(GiB)") == "memory (GiB)"
    assert label("examples/train") == "examples/train"
