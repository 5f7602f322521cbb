"""Trim the project's shared reference numbers to what the tests read.

    .venv/bin/python tests/golden/copy_from_shared.py [folder, by default ../shared/golden]

Numbers are copied as they stand; what is left out are printed (rounded) forms and R's display order.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "golden"

KEPT = (
    "call",
    "nobs",
    "n_claims",
    "dSep",
    "fisherC",
    "LLchisq",
    "AIC_loglik",
    "AIC_dsep",
    "coefs",
    "coefs_range",
    "coefs_with_intercepts",
    "rsquared",
    "logLik",
    "effects_std",
    "effects_unstd",
)
"""What of a piecewiseSEM model is kept."""

MODELS = (
    "keeley_docs",
    "keeley_partial_mediation",
    "keeley_fork_cerror",
    "keeley_extra_node",
    "keeley_saturated",
    "keeley_poisson",
    "keeley_logit",
    "keeley_interaction",
    "meadows_jutila",
)
PROBES = (
    "poisson_needs_direction",
    "poisson_direction",
    "poisson_direction2",
    "grace2006_correct_LLchisq",
    "aic_dsep_drops_cerror",
    "cerror_one_sided",
    "rsquared_lme_NA_rows",
    "std_with_NA",
)
RAW = ("lme_DD_lat_site_ML", "sleep_lmer_ML", "glmer_live_site")
SEM = ("model", "call", "nobs", "estimates", "fit", "r2", "std_se", "modindices")
"""What of a lavaan model is kept."""


PROBED = ("shift_invariance", "scale_invariance", "na_in_x_rows_dropped", "singleton", "perfect")
"""What GD does with odd input."""


def _gd(gd: dict[str, Any]) -> dict[str, Any]:
    """GD on ndvi_40: q of every candidate, and the detectors with its optimal breaks."""
    kept = ("factor", "risk_mean", "risk_ttest", "interaction", "ecological_F_as_GD", "ecological_textbook")
    return {
        **{key: gd[key] for key in ("dataset", "n", "response", "methods", "k", "versions", "optidisc")},
        "gdm": {key: gd["gdm"][key] for key in kept},
    }


def _gbm(gbm: dict[str, Any]) -> dict[str, Any]:
    """gbm on ndvi_40; dismo's gbm.step on Anguilla with five seeds, and with the driver that lacks values."""
    kept = ("n_trees", "cv_deviance", "cv_deviance_se", "cv_auc", "test_auc", "contributions")
    return {
        "versions": gbm["versions"],
        "ndvi_40_gaussian": {
            key: gbm["ndvi_40_gaussian"][key]
            for key in ("settings", "cv_R2_mean", "cv_R2_sd", "rel_inf_mean", "rel_inf_sd")
        },
        "deterministic_bag1_numeric": {
            key: gbm["deterministic_bag1_numeric"][key] for key in ("settings", "initF", "train_error")
        },
        "anguilla": [{key: run[key] for key in kept} for run in gbm["runs"]],
        "anguilla_with_missing": {key: gbm["with_LocSed"][key] for key in kept},
    }


def _trim(model: dict[str, Any]) -> dict[str, Any]:
    return {key: model[key] for key in KEPT if key in model}


def _of_lavaan(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in SEM if key in found}


def trimmed(shared: Path) -> dict[str, dict[str, Any]]:
    """Every file of this folder with its content."""
    psem, mixed, probes, lavaan = (
        json.loads((shared / name).read_text(encoding="utf-8"))
        for name in ("psem.json", "psem_mixed.json", "psem_probes.json", "lavaan.json")
    )
    gbm = json.loads((shared / "gbm.json").read_text(encoding="utf-8"))
    gd, behaviour, gdverse, geodetector, exact = (
        json.loads((shared / name).read_text(encoding="utf-8"))
        for name in (
            "gd.json",
            "gd_behaviour.json",
            "gdverse.json",
            "geodetector.json",
            "q_exact_pvalues.json",
        )
    )
    orders = {
        name: {"C": run["C"], "n_claims": run["n_claims"], "LLchisq": run["LLchisq"]}
        for name, run in probes["order_dependence"].items()
    }
    site = "shipley_complete_lme_ML_site"
    return {
        "psem.json": {"versions": psem["versions"], **{name: _trim(psem[name]) for name in MODELS}},
        "psem_mixed.json": {
            "versions": mixed["versions"],
            site: _trim(mixed[site]),
            **{name: mixed["raw_fits"][name] for name in RAW},
        },
        "psem_probes.json": {
            "versions": probes["versions"],
            "keeley_poisson_conserve": _trim(probes["keeley_poisson_conserve"]),
            "order_dependence": orders,
            **{name: probes[name] for name in PROBES},
        },
        "lavaan.json": {
            "version": lavaan["version"],
            "note": lavaan["note"],
            **{name: _of_lavaan(found) for name, found in lavaan.items() if "fit" in found},
        },
        "gbm.json": _gbm(gbm),
        "gd.json": _gd(gd),
        "gd_behaviour.json": {key: behaviour[key] for key in PROBED},
        "gdverse.json": gdverse,
        "geodetector.json": {key: geodetector[key] for key in ("version", "n", "factor", "GD_on_same")},
        "q_exact_pvalues.json": exact,
    }


def main() -> None:
    shared = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    for name, content in trimmed(shared).items():
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (HERE / name).write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
