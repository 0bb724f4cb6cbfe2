"""Understanding text: what a review, a letter or a report amounts to. How many stars it stands for, say.

**The function** adds up what speaks for each answer: of the words that are in a text, of pairs of neighbours,
of how longer words begin, so that *disappointed* helps to understand *disappointment*, and of what stands
behind a *not* (:class:`descend.functions.words.BagOfWords`). Other columns beside the text have a function
of their own (:class:`descend.functions.wide_and_deep.WideAndDeep`), and both are added.
**Its parameters** are a number for each of these and each answer: what it speaks for, and how loudly. All are
zero at first, and of what is never seen they stay so.
**The loss** is how much the right answer surprises it: the negative logarithm of its probability, averaged
(cross-entropy); of amounts, the squared error.
**The data** are a table with a column of texts, each cell some words or some hundred, and a column to learn.
What is rare weighs more (TF-IDF); what was never seen in training says nothing.
**The descent** goes by plain gradients with momentum, so that a word moves as often as it occurs, and its
decay is strong: words are many and texts are few, and what only one of them says is learned by heart. Beside
other columns it goes by AdamW, and a third of each text is left out by chance in place of that.

Change first: the texts, for more of them help more than anything here; then ``--set weight_decay``.
A net that reads the words in order, and vectors of words with a layer behind them, were no better with 4,000
texts.
"""

from pathlib import Path
from typing import Any

from descend.applications.tables import table_problem
from descend.errors import DataError
from descend.functions.problem import Problem
from descend.functions.tables import TableReader


def understanding_problem(path: str | Path, target: str, *, seed: int = 0, **options: Any) -> Problem:
    """Make the problem of predicting a column of a table in which there are texts.

    ``descend fit FILE --target COLUMN`` makes the same, for any table; here texts are insisted on.

    Args:
        path: a CSV or Parquet file.
        target: the column to predict: classes or amounts.
        seed: draws the parts and the initial parameters.
        options: as for :func:`descend.applications.tables.table_problem`: ``test`` with another file, all of
            which is the test; ``task``, ``metric`` and ``log``.

    Returns:
        The problem; its inputs are the numbers of what is in the texts, int32 (n, most), then what other
        columns there are, see :meth:`descend.functions.tables.TableReader.inputs`.

    Raises:
        DataError: where there is no column of texts, or the table cannot be learned from.
        UsageError: where an option is unknown.
    """
    problem = table_problem(path, target, seed=seed, **options)
    assert isinstance(problem.reader, TableReader)
    if not problem.reader.texts:
        columns = ", ".join(column.name for column in problem.reader.columns[:8])
        raise DataError(
            f"a column of texts in {path}: different ones, mostly of several words",
            f"none among {columns}",
            "name a table that has one",
        )
    return problem
