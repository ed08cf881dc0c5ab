"""Generates `docs/tables.md` from the schema and the questions.

`make docs` writes it (`python -m results.report.dictionary docs/tables.md`); a test compares it.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from results.query.views import ALPHAS, OPS, OUTCOMES, REFERENCE, VIEWS
from results.report.questions import QUESTIONS, Question
from results.schema import ATTEMPTS, EPOCHS, GENOTYPES, RETRAINS, TRIALS, Column, Table

ABOUT = {
    TRIALS.name: "Every planned trial, also those that never ran. A trial of two sweeps has a row "
    "in each.",
    OUTCOMES.name: "Every planned trial, joined with its genotype, its retraining and how it "
    "ended. Most questions need only this table.",
    ATTEMPTS.name: "Every process that tried to compute a stage. Sums of time belong here: every "
    "second of computing is in it once, with failed and lost attempts. (A stage that copies the "
    "rows of another, see `retrains.trained_as`, has copied times in `epochs` and `retrains`.)",
    EPOCHS.name: "Every epoch of the searches and retrainings.",
    ALPHAS.name: "The lists `alphas` and `gates` of `epochs` as rows with names, unfolded while a "
    "query runs. Give a stage or an epoch where you can: a search has thousands of rows. In a "
    "join, write it first: what is written first is not held in memory.",
    OPS.name: "What each position of the lists `epochs.alphas` and `epochs.gates` stands for, in "
    "every search space of the trials. `alphas` has these names already.",
    GENOTYPES.name: "Every genotype that was derived, sampled or given.",
    RETRAINS.name: "Every finished retraining.",
    REFERENCE.name: "What the Fair DARTS paper prints, as it prints it. These numbers were not "
    "measured here, and each says how it was counted: never average them with others.",
}
JOINS = {
    TRIALS.name: (
        "search_key = epochs.stage_key",
        "search_key = alphas.stage_key",
        "derive_key = genotypes.stage_key",
        "sample_key = genotypes.stage_key",
        "retrain_key = retrains.stage_key",
        "retrain_key = epochs.stage_key",
    ),
    OUTCOMES.name: ("the same as `trials`",),
    ATTEMPTS.name: ("stage_key = any key of `trials`",),
    EPOCHS.name: ("stage_key = trials.search_key", "stage_key = trials.retrain_key"),
    ALPHAS.name: ("stage_key = trials.search_key",),
    OPS.name: ("space = trials.space", "position = alphas.position"),
    GENOTYPES.name: (
        "stage_key = trials.derive_key",
        "stage_key = trials.sample_key",
        "search_key = trials.search_key",
    ),
    RETRAINS.name: ("stage_key = trials.retrain_key", "derive_key = genotypes.stage_key"),
    REFERENCE.name: ("method = trials.method",),
}
"""What a table is joined by. Trials may share a stage, so a join can repeat rows of the stage."""

BEGINNING = """# Tables

`make docs` generates this page from the schema; change `results/schema.py`, not this page.

`fairdarts results sql`, `results.open_store` in Python and `fairdarts results export` all give
these tables. Of each stage they have the rows of its highest attempt (`attempts` has all attempts),
and of each sweep the trials of its newest submission; `--all-submissions` adds the older ones.

Percentages run from 0 to 100, times are in seconds, timestamps are UTC. NaN is a measured value (a
loss that diverged); null means "not measured". JSON has no NaN and no infinity, so `--format json`
writes null for them, as text does within lists; pandas has NaN for null. The other formats and
frames keep the difference. The unit 1 is a count, a ratio or text.

An answer in SQL has only types that every format has. Sums of integers are 64-bit integers (text if
one is larger), decimals are doubles, times are in UTC. Intervals, times of day, unions, bytes and
other types that only DuckDB has are text; a time that is infinite or not in the years 1 to 9999 is
an error. Of columns with one name the later ones are numbered (`a`, `a_1`).
"""
ENDING = """## Reading `live/` with other programs

The files in `live/` of a store are written by many processes, for `fairdarts` to read. Another
program that reads them has to know five things; files of `fairdarts results export` have none of
these pitfalls:

- **Mixed versions.** A store keeps files of older versions, with fewer columns. pandas, pyarrow and
  DuckDB take the columns of the first file, so the newer columns vanish without a word or raise an
  error, depending on the order of files. Give a schema, or in DuckDB `union_by_name = true`.
- **Two attempts.** While a new attempt at a stage begins, the file of the older one is still there
  (`KEY.a0001.parquet` beside `KEY.a0002.parquet`), and its epochs are read twice. Only the highest
  number of each key counts.
- **Killed attempts.** A process that is killed cannot end its row in `live/attempts`, which says
  `running` until the next attempt at the stage begins. The tables here call it lost at once.
- **Several submissions.** `live/trials` has a file for each submission of a sweep. A join of
  `trials` and `retrains` counts a trial once for each. Only the newest submission counts.
- **Damage.** pandas and DuckDB do not verify the checksums of pages, so a damaged file can read as
  wrong numbers. `fairdarts store check` finds it. polars also reads the `.tmp` files of a running
  write if it is given a folder.
"""


def page() -> str:
    """The whole page."""
    tables = [_table(table) for table in VIEWS.values()]
    questions = ["## Questions\n", *(_question(question) for question in QUESTIONS)]
    return "\n".join([BEGINNING, *tables, *questions, ENDING])


def _table(table: Table) -> str:
    return "\n".join(
        [
            f"## {table.name}\n",
            ABOUT[table.name] + "\n",
            f"Key: {', '.join(f'`{name}`' for name in table.key)}. "
            f"Joins: {'; '.join(map(_join, JOINS[table.name]))}.\n",
            *column_lines(_own_columns(table)),
            "",
        ]
    )


def column_lines(columns: Iterable[Column]) -> list[str]:
    """A table in Markdown with the type, unit and meaning of some columns."""
    head = ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    return [*head, *map(_column, columns)]


def _own_columns(table: Table) -> Iterator[Column]:
    """The columns, without those that a table shares with `trials`, which stands before it."""
    shared = frozenset(column.name for column in TRIALS.columns) if table is OUTCOMES else ()
    if shared:
        yield Column("...", pa.string(), "all columns of `trials`")
    yield from (column for column in table.columns if column.name not in shared)


def _join(text: str) -> str:
    return text if "`" in text else f"`{text}`"


def _column(column: Column) -> str:
    type_ = "" if column.name == "..." else str(column.type).replace("item: ", "")
    meaning = column.description.replace("|", "\\|")
    return f"| `{column.name}` | {type_} | {column.unit if type_ else ''} | {meaning} |"


def _question(question: Question) -> str:
    return f"**{question.text}**\n\n```sql\n{question.sql}\n```\n\n```\n{question.line}\n```\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
