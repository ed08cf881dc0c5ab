import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any, get_args

import pytest
from small_sweep import Trial, finish, submit, write_example

from results.query.aggregate import aggregate
from results.query.outcomes import trial_outcomes
from results.report.render import Format, render
from results.store.store import Store

if TYPE_CHECKING:
    import pandas as pd


@pytest.fixture(scope="module")
def aggregated(tmp_path_factory: pytest.TempPathFactory) -> "pd.DataFrame":
    store = Store.create(tmp_path_factory.mktemp("example"))
    write_example(store)
    return aggregate(trial_outcomes(store))


@pytest.fixture
def example(aggregated: "pd.DataFrame") -> "pd.DataFrame":
    return aggregated.copy()


def test_text_golden(example: "pd.DataFrame") -> None:
    assert render(example, "text") == TEXT


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_fits_the_terminal_in_parts_that_lead_with_the_method(
    example: "pd.DataFrame", width: int
) -> None:
    lines = render(example, "text", width).splitlines()

    assert max(map(len, lines)) <= width
    headers = [line.split("  ")[0] for line in lines if line.startswith("Method")]
    assert len(headers) >= (2 if width < 100 else 1)
    together = " ".join(" ".join(lines).split())
    for cell in ("97.30 ± 0.36", "Retrain (s)", "MultAdds (M)", "1 failed (oom in search"):
        assert cell in together


def test_markdown_golden(example: "pd.DataFrame") -> None:
    assert render(example, "markdown") == MARKDOWN


def test_latex_golden(example: "pd.DataFrame") -> None:
    assert render(example, "latex") == LATEX


def rows_of(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_holds_every_number_in_full_precision(example: "pd.DataFrame") -> None:
    rows = rows_of(render(example, "csv"))

    for name in ("top1_pct_mean", "top1_pct_std", "params_m_mean", "search_s_mean"):
        assert float(rows[0][name]) == example[name].iloc[0]
    assert (rows[0]["n"], rows[0]["planned"], rows[0]["complete"]) == ("3", "5", "False")
    assert rows[0]["notes"].startswith("1 failed (oom in search")
    assert rows[1]["top1_pct_std"] == ""


def test_json_holds_every_number_in_full_precision_and_null_for_nan(
    example: "pd.DataFrame",
) -> None:
    rows = json.loads(render(example, "json"))

    assert list(rows[0]) == list(example.columns)
    for name in ("top1_pct_mean", "top1_pct_std", "params_m_mean", "search_s_mean"):
        assert rows[0][name] == example[name].iloc[0]
    assert (rows[0]["n"], rows[0]["planned"], rows[0]["complete"]) == (3, 5, False)
    assert rows[0]["notes"][0].startswith("1 failed (oom in search")
    assert rows[1]["top1_pct_std"] is None


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_csv_cell_never_starts_a_formula_but_a_number_stays_one(
    example: "pd.DataFrame", start: str
) -> None:
    example["group_label"] = f"{start}cmd()"
    example["top1_pct_mean"] = -1.5

    row = rows_of(render(example, "csv"))[0]

    assert row["group_label"] == f"'{start}cmd()"
    assert row["top1_pct_mean"] == "-1.5"


@pytest.mark.parametrize("format", get_args(Format))
def test_control_characters_are_never_printed(example: "pd.DataFrame", format: Format) -> None:
    example["group_label"] = "a\x1b[31m\nb\u202e"
    example["notes"] = [("1 failed (\x1b]0;title\x07)",)] * 2

    text = render(example, format)

    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "\na\n" not in text


def test_two_hyphens_stay_two_in_latex(example: "pd.DataFrame") -> None:
    example["group_label"] = "--all---of"
    assert "-{}-all-{}-{}-of" in render(example, "latex")


def test_markup_in_labels_is_escaped(example: "pd.DataFrame") -> None:
    example["group_label"] = r"a|b_<i>\x & 50% [c]"

    assert r"| a\|b\_\<i\>\\x & 50% \[c\] |" in render(example, "markdown")
    expected = r"a\textbar{}b\_\textless{}i\textgreater{}\textbackslash{}x \& 50\% {[}c] &"
    assert expected in render(example, "latex")


def test_each_recipe_has_a_block_of_its_own(store: Store) -> None:
    trials = [Trial("darts", 0), Trial("darts", 0, recipe="cifar-1600")]
    submit(store, "exp", 1, trials)
    for trial in trials:
        finish(store, trial, 97.0)

    first, second = render(aggregate(trial_outcomes(store))).split("\n\n")

    assert "recipe cifar-600\n" in first
    assert "recipe cifar-1600\n" in second


@pytest.mark.parametrize("mean", [0.0, 1e-9, 123456.0, math.nan])
def test_any_mean_can_be_printed(example: "pd.DataFrame", mean: float) -> None:
    example["params_m_mean"] = mean

    assert "fairdarts w=10" in render(example)


@pytest.mark.parametrize("format", ["text", "markdown", "latex"])
def test_no_groups_print_nothing(store: Store, format: Format) -> None:
    assert render(aggregate(trial_outcomes(store)), format) == ""


TEXT = """\
exp · cifar10 · space s1 · recipe cifar-600
test top-1 at the last epoch · mean ± sample std over n searches or samples, 95% t-interval · ok, failed and invalid count trials
Method          n searches  ok trials  Failed  Invalid  Top-1 (%)     95% interval    Params (M)   MultAdds (M)  Skips  Search (s)  Retrain (s)
fairdarts w=10  3 of 5      3 of 5 ▲   1       0        97.30 ± 0.36  [96.40, 98.20]  3.10 ± 0.26  465 ± 40      2.0    201         5000
random M=2      1 of 1      1 of 1     0       0        96.50         -               3.00         450           2.0    -           5000
▲ fairdarts w=10: 1 failed (oom in search, OutOfMemoryError: 2 GiB), such as trial bcca2e3133437f4b
▲ fairdarts w=10: 1 unfinished, such as trial 215f66ac7f46d1b0
± is missing where n = 1: one value has no standard deviation.
"""  # noqa: E501
MARKDOWN = r"""exp · cifar10 · space s1 · recipe cifar-600  
test top-1 at the last epoch · mean ± sample std over n searches or samples, 95% t-interval · ok, failed and invalid count trials

| Method | n searches | ok trials | Failed | Invalid | Top-1 (%) | 95% interval | Params (M) | MultAdds (M) | Skips | Search (s) | Retrain (s) |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| fairdarts w=10 | 3 of 5 | 3 of 5 ▲ | 1 | 0 | 97.30 ± 0.36 | \[96.40, 98.20\] | 3.10 ± 0.26 | 465 ± 40 | 2.0 | 201 | 5000 |
| random M=2 | 1 of 1 | 1 of 1 | 0 | 0 | 96.50 | - | 3.00 | 450 | 2.0 | - | 5000 |

- ▲ fairdarts w=10: 1 failed (oom in search, OutOfMemoryError: 2 GiB), such as trial bcca2e3133437f4b
- ▲ fairdarts w=10: 1 unfinished, such as trial 215f66ac7f46d1b0
- ± is missing where n = 1: one value has no standard deviation.
"""  # noqa: E501
LATEX = r"""% needs \usepackage{booktabs}
\begin{tabular}{llllllllllll}
\multicolumn{12}{l}{exp $\cdot$ cifar10 $\cdot$ space s1 $\cdot$ recipe cifar-600} \\
\multicolumn{12}{l}{test top-1 at the last epoch $\cdot$ mean $\pm$ sample std over n searches or samples, 95\% t-interval $\cdot$ ok, failed and invalid count trials} \\
\toprule
Method & n searches & ok trials & Failed & Invalid & Top-1 (\%) & 95\% interval & Params (M) & MultAdds (M) & Skips & Search (s) & Retrain (s) \\
\midrule
fairdarts w=10 & 3 of 5 & 3 of 5 $\triangle$ & 1 & 0 & 97.30 $\pm$ 0.36 & {[}96.40, 98.20] & 3.10 $\pm$ 0.26 & 465 $\pm$ 40 & 2.0 & 201 & 5000 \\
random M=2 & 1 of 1 & 1 of 1 & 0 & 0 & 96.50 & - & 3.00 & 450 & 2.0 & - & 5000 \\
\bottomrule
\multicolumn{12}{l}{$\triangle$ fairdarts w=10: 1 failed (oom in search, OutOfMemoryError: 2 GiB), such as trial bcca2e3133437f4b} \\
\multicolumn{12}{l}{$\triangle$ fairdarts w=10: 1 unfinished, such as trial 215f66ac7f46d1b0} \\
\multicolumn{12}{l}{$\pm$ is missing where n = 1: one value has no standard deviation.} \\
\end{tabular}
"""  # noqa: E501
