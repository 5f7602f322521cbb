"""What the page says of a fit: whole sentences on what each verdict says, and on when not to trust it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_report_fake import FAILED, fake_run
from test_report_page import page_of, words_of

from drivers.report import RunTables
from drivers.report.fit_wording import as_sentence, verdict
from drivers.report.wording import BLOCKS, CLASSICAL, EFFECTIVE, REFUSED, TRUNCATED, cautions, notes

FIT: dict[str, object] = {
    "status": "ok",
    "verdict": "rejected",
    "errors": "effective",
    "fishers_c": 20.574,
    "fishers_c_df": 2,
    "fishers_c_p": 3.4e-5,
    "c_per_df": 10.287,
    "fishers_c_classical": 465.16,
    "fishers_c_p_classical": 0.0,
    "max_partial_r": 0.1068,
    "max_partial_r_low": 0.0564,
    "max_partial_r_high": 0.1566,
    "equivalence_bound": 0.05,
    "equivalence_p": 0.986,
    "equivalence_verdict": "not equivalent",
    "rmsea": 0.1039,
}
SHRINKS = ": that P shrinks with the number of pixels alone, until every diagram is rejected."
SIZE = "This verdict is about size: more pixels make it surer, not stricter."


def test_a_rejected_diagram_in_four_sentences() -> None:
    found = verdict(FIT)
    assert (found.key, found.word, found.symbol) == ("rejected", "rejected", "✕")
    assert found.sentences == (
        "Rejected by the field’s rule, P between 0.05 and 1 and C/df between 0 and 2 (P is below 0.05 and "
        "C/df is above 2): Fisher’s C = 20.57 on 2 df, P < 0.001, C/df = 10.3, counting independent "
        "pixels. Some path that the diagram leaves out is there; P does not say that it is large.",
        f"As if every pixel were independent, C would be 465.2, P < 0.001{SHRINKS}",
        "The largest partial correlation among the claims is r = 0.107 (95 % interval 0.0564 to 0.157); at "
        f"least one claim lies beyond ±0.050, so a path that matters is missing (equivalence test P = "
        f"0.986). {SIZE}",
        "RMSEA = 0.104, a poor fit by the usual bounds (0.05, 0.08, 0.10): beyond chance, the missing "
        "paths have partial correlations of about this size. It is a size, not a test.",
    )


def test_an_accepted_diagram() -> None:
    good = {
        **FIT,
        "verdict": "accepted",
        "errors": "block",
        "fishers_c": 1.18,
        "fishers_c_p": 0.555,
        "c_per_df": 0.59,
        "fishers_c_classical": 1.31,
        "fishers_c_p_classical": 0.52,
        "equivalence_verdict": "inconclusive",
        "rmsea": 0.0,
    }
    rule, classical, size, rmsea = verdict(good).sentences
    assert rule == (
        "Accepted by the field’s rule, P between 0.05 and 1 and C/df between 0 and 2: Fisher’s C = 1.180 "
        "on 2 df, P = 0.555, C/df = 0.590, counting spatial blocks. No path that the diagram leaves out "
        "can be told from chance; that is no proof that there is none."
    )
    assert classical == "As if every pixel were independent, C would be 1.310, P = 0.520."
    assert "whether all claims lie within ±0.050 cannot be told from these pixels" in size
    assert rmsea == "RMSEA = 0: what the diagram leaves out is no larger than chance makes it."


def test_rejected_by_the_ratio_alone() -> None:
    (rule, *_) = verdict({**FIT, "fishers_c_p": 0.061, "c_per_df": 2.79}).sentences
    assert rule.endswith("C/df = 2.79, counting independent pixels. P alone would not reject the diagram.")
    assert "(C/df is above 2)" in rule


def test_an_undecided_diagram_is_neither() -> None:
    unknown = {"fishers_c": np.nan, "fishers_c_p": np.nan, "c_per_df": np.nan, "rmsea": np.nan}
    found = verdict({**FIT, **unknown, "verdict": "undecided", "equivalence_verdict": "inconclusive"})
    assert (found.key, found.word, found.symbol) == ("undecided", "undecided", "?")
    assert found.sentences[0] == (
        "Undecided: at least one independence claim rests on too few independent pixels for a test, so "
        "Fisher’s C cannot be summed. This neither accepts nor rejects the diagram."
    )
    assert found.sentences[1].startswith("As if every pixel were independent")
    assert not any("nan" in sentence for sentence in found.sentences)


def test_classical_errors_are_not_set_beside_themselves() -> None:
    found = verdict({**FIT, "errors": "classical"}).sentences
    assert not any("As if every pixel" in sentence for sentence in found)
    assert "C/df = 10.3. Some path" in found[0]


def test_a_saturated_and_a_failed_fit_say_one_thing() -> None:
    assert len(verdict({**FIT, "verdict": "saturated"}).sentences) == 1
    assert verdict({"status": "failed", "message": "only 9 pixels"}).sentences == ("Only 9 pixels.",)
    assert as_sentence("") == ""


@pytest.mark.parametrize(
    ("rmsea", "word"), [(0.05, "close"), (0.06, "fair"), (0.0999, "mediocre"), (0.11, "poor")]
)
def test_rmsea_in_the_usual_words(rmsea: float, word: str) -> None:
    assert f"a {word} fit by the usual bounds" in verdict({**FIT, "rmsea": rmsea}).sentences[-1]


def with_fit(**cells: object) -> RunTables:
    """The fake run with some cells of fit.csv set in every fit that did not fail."""
    run = fake_run()
    fit = run.tables["fit"].copy()
    for name, value in cells.items():
        fit[name] = np.where(fit["status"] == "ok", value, None)
    return RunTables({**run.tables, "fit": fit}, run.meta)


def of(run: RunTables, stratum: str = "all") -> list[str]:
    return cautions(run, "nep-paths", stratum)


def test_what_p_values_count_is_said_once_and_by_the_errors_that_were_chosen() -> None:
    assert of(with_fit(errors="classical", n_effective=1211.2)) == [CLASSICAL]
    assert of(with_fit(errors="effective", n_effective=1211.2)) == [
        f"{EFFECTIVE} The fewest behind any test here are 1\u202f211."
    ]
    assert of(with_fit(errors="block", n_blocks=109)) == [f"{BLOCKS} Here there are 109 blocks."]
    assert of(with_fit(errors="effective", n_effective=12.0), FAILED) == []


def test_without_coordinates_nothing_is_said_of_neighbours() -> None:
    run = with_fit(errors="classical")
    bare = RunTables(run.tables, {**run.meta, "table": {"n": 40000}})
    assert of(bare) == []


def test_too_little_to_judge_by() -> None:
    few = of(with_fit(errors="effective", n_effective=23.4))
    assert few[1] == (
        "Fewer than 40 independent pixels stand behind some tests: their p-values are rough, and only "
        "strong paths can be seen."
    )
    blocks = of(with_fit(errors="block", n_blocks=12))
    assert blocks[1] == (
        "There are fewer than 20 blocks: errors over so few are rough, and so are the p-values and "
        "intervals made of them."
    )


def test_messages_of_the_fit_that_the_page_says_itself_are_left_out() -> None:
    message = "only 23 independent pixels behind some tests: their p-values are rough; `a:b` is odd"
    run = with_fit(errors="effective", n_effective=23.4, message=message)
    assert notes(run, "nep-paths", "all") == ["`a:b` is odd."]
    run = with_fit(errors="block", n_blocks=12, message="only 12 blocks: errors over fewer than 20 are rough")
    assert notes(run, "nep-paths", "all") == []
    run = with_fit(message="only 23 independent pixels behind some tests: their p-values are rough")
    assert notes(run, "nep-paths", "all") == [
        "Only 23 independent pixels behind some tests: their p-values are rough."
    ]


def test_a_refusal_says_what_it_does_not_say() -> None:
    run = with_fit(
        errors="effective",
        n_effective=4.0,
        verdict="undecided",
        message="too few independent pixels for a test of `NEP ~ soil`, `a ⫫ b`",
    )
    said = "Too few independent pixels for a test of `NEP ~ soil`, `a ⫫ b`."
    assert notes(run, "nep-paths", "all") == [f"{said} {REFUSED}"]
    words = words_of(page_of(run))
    assert said.replace("`", "") in words
    assert "? undecided" in words


def test_a_stratum_cut_on_the_response_points_to_truncated_slopes() -> None:
    run = fake_run()
    assert not any(TRUNCATED in said for said in of(run, "balance=sink"))
    rows = run.tables["coefficients"].assign(truncated_estimate=np.nan)
    rows.loc[rows["stratum"] == "balance=sink", "truncated_estimate"] = 1.5
    run = RunTables({**run.tables, "coefficients": pd.DataFrame(rows)}, run.meta)
    assert of(run, "balance=sink")[0].endswith(TRUNCATED)
    assert not any(TRUNCATED in said for said in of(run, "balance=source"))
