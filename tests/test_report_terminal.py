"""Tables in a terminal: nothing is broken inside a word or a number, whatever the width."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console, RenderableType
from test_report_fake import fake_run

from drivers.report import RunTables
from drivers.report.terminal import KEYS, LAST, overview, print_to, terminal_table

MESSAGE = "the errors are classical, as if neighbouring pixels were independent"


def shown(what: RenderableType, width: int | None) -> str:
    stream = io.StringIO()
    terminal = width is not None
    print_to(Console(file=stream, width=width or 80, force_terminal=terminal, color_system=None), what)
    return stream.getvalue()


def header_of(output: str) -> list[str]:
    lines = output.splitlines()
    rule = next(k for k, line in enumerate(lines) if line.startswith("──"))
    return lines[rule - 1].split()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("name", list(fake_run().tables))
def test_headers_and_numbers_stay_whole_and_lines_fit(name: str, width: int) -> None:
    frame = fake_run().tables[name]
    output = shown(terminal_table(frame, name), width)
    assert max(map(len, output.splitlines())) <= width
    header = header_of(output)
    assert set(header) <= set(frame.columns)
    wanted = {c for c in frame.columns if c in KEYS and frame[c].notna().any()}
    assert wanted - set(header) <= {"model", "stratum", *LAST}
    left_out = [c for c in frame.columns if c not in header and frame[c].notna().any() and c not in KEYS]
    words = " ".join(output.split())
    for column in left_out:
        assert f"{column}," in words or f"{column}; tables/{name}.csv has all columns" in words
    for pair in ("conf", "partial_r", "max_partial_r"):
        assert (f"{pair}_low" in header) == (f"{pair}_high" in header)


def test_the_parts_of_a_long_table_are_headed_by_their_fit() -> None:
    output = shown(terminal_table(fake_run().tables["coefficients"], "coefficients"), 80)
    assert "\nnep-paths on balance=sink\n" in output
    assert "0.1" in output
    assert "p_classical" not in output.split("left out")[0]


def test_a_pipe_gets_every_column_on_one_line_without_trailing_blanks() -> None:
    frame = fake_run().tables["fit"].assign(message=MESSAGE * 3)
    lines = shown(terminal_table(frame, "fit"), None).splitlines()
    assert lines[1].split() == list(frame.columns)
    assert len(lines) == 3 + len(frame)
    assert all(line == line.rstrip() for line in lines)
    assert "left out" not in "".join(lines)


def test_a_long_message_folds_between_words() -> None:
    frame = pd.DataFrame({"stratum": ["a" * 30, "b"], "message": [MESSAGE, ""], "n": [1, 2]})
    output = shown(terminal_table(frame, "fit"), 80)
    assert header_of(output) == ["stratum", "message", "n"]
    assert all(word in output.split() for word in MESSAGE.split())


def test_of_several_models_none_is_hidden() -> None:
    one = fake_run().tables["fit"]
    both = pd.concat([one, one.assign(model="other")])
    assert "model" not in header_of(shown(terminal_table(one, "fit"), 80))
    assert "model: nep-paths" in shown(terminal_table(one, "fit"), 80)
    assert "model" in header_of(shown(terminal_table(both, "fit"), 120))


def test_where_not_even_the_keys_fit_no_number_is_cut() -> None:
    frame = pd.DataFrame(
        {
            "response": ["a_very_long_response_name"] * 2,
            "term": ["another_long_name"] * 2,
            "std_estimate": [0.1234, -0.5678],
            "p_value": [4.196e-214, 1e-9],
        }
    )
    output = shown(terminal_table(frame, "coefficients"), 44)
    assert header_of(output) == ["response", "term", "std_estimate", "p_value"]
    assert "4.2e-214" in output
    assert "std_estimate" not in header_of(shown(terminal_table(frame, "coefficients"), 20))


def test_the_overview_fits_and_says_why_a_fit_failed() -> None:
    output = shown(overview(fake_run()), 80)
    assert max(map(len, output.splitlines())) <= 80
    assert "verdict" in header_of(output)
    assert "failed: nep-paths on landuse=unused" in output


def test_empty_tables_are_shown() -> None:
    empty = RunTables({name: frame.iloc[:0] for name, frame in fake_run().tables.items()}, {})
    for width in (80, None):
        shown(overview(empty), width)
        assert "status" in shown(terminal_table(empty.tables["fit"], "fit"), width)
        shown(terminal_table(pd.DataFrame(), "x"), width)
