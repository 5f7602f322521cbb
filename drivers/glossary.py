"""Every output column with its meaning and unit, and the columns of every table in order.

One word has one meaning in all tables; a test runs every result through this file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of an output table means."""

    meaning: str
    unit: str = ""
    """`1` for pure numbers, `response`, `response per term`, `rows`; empty for text."""


COLUMNS: dict[str, Column] = {
    "action": Column("What a step did: `drop` a path, or `suggest` one to add."),
    "aic": Column("Akaike's information criterion, summed over equations.", "1"),
    "aic_dsep": Column("Its d-sep form, C + 2K.", "1"),
    "aicc": Column("AIC corrected for small samples, summed over equations.", "1"),
    "aicc_dsep": Column("The d-sep form corrected for small samples, C + 2K n / (n - K - 1).", "1"),
    "applicable": Column(
        "Share of the stratum's pixels inside the area of applicability: no less like the training "
        "pixels than these are like those of other folds.",
        "1",
    ),
    "auc": Column("Area under the ROC curve, for a binomial response.", "1"),
    "bag_fraction": Column("Share of pixels behind each tree.", "1"),
    "bic": Column("Bayesian information criterion, summed over equations.", "1"),
    "block_side": Column(
        "Side of the spatial blocks, in units of the coordinates (km for longitude and latitude).", "1"
    ),
    "breaks": Column(
        "Limits of the classes from the lowest value to the highest, joined by `;`; of a "
        "categorical driver its levels. Classes are closed on the right; a level that holds `;` is quoted."
    ),
    "c_per_df": Column("Fisher's C over its degrees of freedom.", "1"),
    "cell_size": Column(
        "Side of a cell at this scale, in units of the coordinates (km for longitude and "
        "latitude); empty without one.",
        "1",
    ),
    "cfi": Column("Comparative fit index.", "1"),
    "chisq": Column("χ² of the model against its saturated form.", "1"),
    "chisq_df": Column("Degrees of freedom of χ²: paths that are missing.", "1"),
    "chisq_p": Column("p-value of χ².", "1"),
    "chosen": Column("Whether this candidate or setting is the one that the other rows use."),
    "class": Column("A class of a driver: its number from the lowest, or the level of a categorical driver."),
    "class_a": Column("The first class of a pair, as `class`."),
    "class_b": Column("The second class of a pair, as `class`."),
    "conf_high": Column("Upper end of the 95 % confidence interval of `estimate`.", "as estimate"),
    "conf_low": Column("Lower end of the 95 % confidence interval of `estimate`.", "as estimate"),
    "delta_aicc": Column("AICc after the step minus AICc before it.", "1"),
    "delta_c": Column("Fisher's C after the step minus Fisher's C before it.", "1"),
    "delta_deviance": Column("deviance less that of the forests with all drivers.", "1"),
    "deviance": Column("Mean deviance per pixel of the family, in gbm's convention.", "1"),
    "deviance_se": Column("Standard error of the mean deviance over folds.", "1"),
    "df": Column("Degrees of freedom of the test, the residual ones of an F; empty for a z test.", "1"),
    "driver": Column(
        "The cause: a driver, a dummy or product of drivers, or a composite; empty for a group."
    ),
    "driver_a": Column("The first driver of a pair."),
    "driver_b": Column("The second driver of a pair."),
    "dropped": Column("Pixels of the stratum with a missing value in the response or a driver.", "rows"),
    "equivalence_bound": Column("|partial r| below which a missing path counts as negligible.", "1"),
    "equivalence_p": Column("p-value of the test that some claim's |partial r| reaches the bound.", "1"),
    "equivalence_verdict": Column("`equivalent`, `not equivalent` or `inconclusive`; empty without claims."),
    "errors": Column("What p-values count: `classical` (pixels), `effective` (independent pixels), or `GD`."),
    "estimate": Column("The path coefficient, correlation, weight or effect.", "response per term"),
    "f_statistic": Column("F of the test.", "1"),
    "fishers_c": Column("Fisher's C, -2 Σ ln p over the independence claims.", "1"),
    "fishers_c_df": Column("Its degrees of freedom, twice the number of claims.", "1"),
    "fishers_c_p": Column("Its p-value.", "1"),
    "fold": Column("Number of the fold, from 1; `all` for pooled out-of-fold predictions."),
    "folds": Column("Folds that a setting was tried on; fewer than the others' where it was given up.", "1"),
    "gap": Column(
        "Proven bound on how far natural breaks can be from the optimum, as a share of the "
        "total sum of squares; 0 is the optimum.",
        "1",
    ),
    "given": Column("What an independence claim is conditioned on."),
    "group": Column("The driver group that a driver belongs to; empty for none."),
    "kind": Column(
        "Of an effect: `direct`, `indirect` (one specific path), `total_indirect` (their sum) or `total`; "
        "of a curve: `partial` dependence or `accumulated` local effect."
    ),
    "learning_rate": Column("Shrinkage of each tree.", "1"),
    "level": Column("A level of a categorical driver; empty for a number."),
    "log_p": Column("Natural logarithm of p_value, exact where p_value underflows to 0.", "1"),
    "logl": Column("Maximised log-likelihood, summed over equations.", "1"),
    "lower": Column(
        "Lower limit of a class, not in it unless it is the lowest; empty for a level.", "driver"
    ),
    "mae": Column("Mean absolute error of held-out predictions.", "response"),
    "max": Column("Largest value of the response.", "response"),
    "max_partial_r": Column("The claim with the largest |partial r|: its partial r.", "1"),
    "max_partial_r_high": Column("Upper end of that partial r's 95 % confidence interval.", "1"),
    "max_partial_r_low": Column("Lower end of that partial r's 95 % confidence interval.", "1"),
    "mean": Column("Mean of the response.", "response"),
    "mean_a": Column("Mean of the response in the first class.", "response"),
    "mean_b": Column("Mean of the response in the second class.", "response"),
    "measure": Column(
        "How importance is measured: `q`, `gain` (relative influence), `shap` (mean |SHAP|), `shapley` (of "
        "the game of groups), `permutation` (rise of the error); of an interaction `h_statistic` or `shap` "
        "(mean |SHAP interaction|)."
    ),
    "message": Column("What a reader of the fit must know: why it failed, or what to be careful about."),
    "method": Column(
        "The method of a fit (`psem`, `geodetector`, `brt`); in q.csv and its kin the rule behind the breaks."
    ),
    "min": Column("Smallest value of the response.", "response"),
    "model": Column("Name of the model file."),
    "n": Column("Pixels: of the stratum (strata.csv), of a class, or used by the fit or number.", "rows"),
    "n_classes": Column("Number of classes.", "1"),
    "n_drivers": Column("Number of drivers.", "1"),
    "n_effective": Column("Number of independent pixels that the pixels are worth.", "rows"),
    "n_test": Column("Pixels that were predicted.", "rows"),
    "n_train": Column("Pixels that the forest was grown on.", "rows"),
    "n_trees": Column("Number of trees.", "1"),
    "op": Column("`~` path, `~~` correlated errors, `<~` weight of a composite's member."),
    "p_adjusted": Column("p_value adjusted for the number of pairs of classes of the driver (Holm).", "1"),
    "p_block": Column("p-value from spatial blocks.", "1"),
    "p_classical": Column("p-value as if pixels were independent.", "1"),
    "p_max": Column(
        "p-value of the largest q over all candidates: the share of surrogate responses, "
        "with the response's own spatial correlation, whose best candidate is as good.",
        "1",
    ),
    "p_value": Column("Two-sided p-value; which errors it rests on is the model's option `errors`.", "1"),
    "partial_r": Column(
        "Partial correlation of the two sides of a claim; of a factor, its multiple one.", "1"
    ),
    "partial_r_high": Column("Upper end of its 95 % confidence interval.", "1"),
    "partial_r_low": Column("Lower end of its 95 % confidence interval.", "1"),
    "pixel": Column("Row of the pixel in the table, from 0.", "1"),
    "q": Column("Share of the response's variance between the classes of a driver, 1 - SSW / SST.", "1"),
    "q_a": Column("q of the first driver on the pixels of the pair.", "1"),
    "q_ab": Column("q of the crossed classes of both drivers.", "1"),
    "q_adjusted": Column(
        "q less what classes of no meaning would reach, (q - E) / (1 - E) with E their "
        "expected q; adjusted for the classes, not for having chosen them.",
        "1",
    ),
    "q_b": Column("q of the second driver on the pixels of the pair.", "1"),
    "q_crossfit": Column(
        "Share of variance that classes chosen, and class means learnt, on other spatial "
        "blocks predict; below 0 they do not carry over.",
        "1",
    ),
    "r2": Column(
        "Share of variance accounted for: by the fixed part, Nagelkerke's for binomial and poisson.", "1"
    ),
    "r2_block": Column("R² of predictions for other spatial blocks, pooled.", "1"),
    "r2_conditional": Column("Share accounted for by fixed part and random intercept together.", "1"),
    "r2_gap": Column("r2_random - r2_block: what random folds owe to neighbours.", "1"),
    "r2_holdout": Column("R² on the holdout.", "1"),
    "r2_knndm": Column(
        "R² of predictions for folds that are as far from their training pixels as the pixels to be "
        "predicted are from all of them, pooled.",
        "1",
    ),
    "r2_random": Column("R² of predictions for random folds, pooled.", "1"),
    "rank": Column("1 for the largest, among the rows of a model, stratum and kind.", "1"),
    "reason": Column("Why a candidate has no breaks or no q; empty where it has."),
    "response": Column("The effect: the variable or composite on the left of an equation."),
    "rmse": Column("Root mean squared error of held-out predictions.", "response"),
    "rmsea": Column("Root mean square error of approximation.", "1"),
    "scale": Column("Cell size as a multiple of the table's.", "1"),
    "scheme": Column(
        "How pixels were held out: `holdout`, `random` folds, folds of whole spatial `block`s, or `knndm` "
        "folds, as far from their training pixels as the map is from all of them."
    ),
    "sd": Column("Standard deviation of the response, divisor n - 1.", "response"),
    "selects_on_response": Column("Whether the stratum is cut on the response, which shrinks slopes."),
    "share": Column(
        "Pixels of the stratum over pixels of the table; importance over its sum over drivers, or of a group "
        "over groups.",
        "1",
    ),
    "source": Column("Where a planted number comes from: `paper`, `adjusted` or `filled`."),
    "spread": Column("Standard deviation over the forests of the folds.", "as value"),
    "srmr": Column("Standardised root mean square residual.", "1"),
    "statistic": Column("t, z or, for a categorical driver's joint row, F (χ² for a GLM).", "1"),
    "status": Column("`ok` or `failed`."),
    "std_error": Column(
        "Standard error of `estimate`; of a `value`, for the pixels that were sampled.", "as estimate"
    ),
    "std_estimate": Column("`estimate` in sds of the response per sd of the term.", "1"),
    "step": Column("Number of the step, from 1.", "1"),
    "stratum": Column("`all`, `family=level`, or `family=level,family=level`."),
    "strength": Column("Size of an interaction in units of the link: root of H's numerator.", "1"),
    "term": Column("The right side: a variable, function, dummy, product, or composite."),
    "tli": Column("Tucker-Lewis index.", "1"),
    "tree_complexity": Column("Splits of a tree.", "1"),
    "type": Column(
        "Kind of interaction: `Enhance, nonlinear`, `Independent`, `Enhance, bi-`, `Weaken, "
        "uni-` or `Weaken, nonlinear`."
    ),
    "upper": Column("Upper limit of a class, in it; empty for a level.", "driver"),
    "value": Column(
        "The importance, the height of a curve, or the SHAP value, in units of its measure.", "1"
    ),
    "verdict": Column("The field's rule: `accepted` if P >= 0.05 and C/df <= 2, `rejected`, or `saturated`."),
    "via": Column("The path that the effect takes, `climate -> soil -> NEP`."),
    "x": Column("A value of the driver; empty for a level.", "driver"),
    "year": Column("The year whose columns were used.", "1"),
}

_MODEL = ("model", "stratum")

TABLES: dict[str, tuple[str, ...]] = {
    "strata": ("stratum", "n", "dropped", "share", "mean", "sd", "min", "max", "selects_on_response"),
    "coefficients": (
        *_MODEL,
        *("response", "op", "term", "group", "estimate", "std_error", "statistic", "df", "p_value", "log_p"),
        *("std_estimate", "conf_low", "conf_high", "p_classical", "p_block", "n_effective"),
    ),
    "dsep": (
        *_MODEL,
        *("response", "term", "given", "statistic", "df", "p_value", "log_p", "p_classical", "n_effective"),
        *("partial_r", "partial_r_low", "partial_r_high"),
    ),
    "fit": (
        *_MODEL,
        *("method", "n", "n_effective", "fishers_c", "fishers_c_df", "fishers_c_p", "c_per_df"),
        *("chisq", "chisq_df", "chisq_p", "aic", "aicc", "bic", "logl", "cfi", "tli", "rmsea", "srmr"),
        *("r2", "status", "message", "aic_dsep", "aicc_dsep", "verdict"),
        *("max_partial_r", "max_partial_r_low", "max_partial_r_high"),
        *("equivalence_bound", "equivalence_p", "equivalence_verdict", "errors"),
        *("n_trees", "r2_holdout", "r2_random", "r2_block", "r2_gap", "applicable"),
        *("r2_knndm", "block_side"),
    ),
    "r2": (*_MODEL, "response", "r2", "r2_conditional"),
    "effects": (
        *_MODEL,
        *("driver", "group", "response", "kind", "via"),
        *("estimate", "std_estimate", "std_error", "conf_low", "conf_high", "p_value"),
    ),
    "trail": (
        *_MODEL,
        *("step", "action", "response", "term", "p_value"),
        *("fishers_c", "fishers_c_df", "fishers_c_p", "aicc", "delta_c", "delta_aicc"),
    ),
    "importance": (
        *_MODEL,
        *("driver", "group", "measure", "value", "share", "rank"),
        *("spread", "std_error", "n"),
    ),
    "cv": (
        *_MODEL,
        *("scheme", "fold", "n_train", "n_test", "r2", "rmse", "mae"),
        *("deviance", "auc"),
    ),
    "tuning": (
        *_MODEL,
        *("tree_complexity", "learning_rate", "bag_fraction", "n_trees", "rmse", "r2", "chosen"),
        *("deviance", "folds"),
    ),
    "simplify": (
        *_MODEL,
        *(
            "step",
            "driver",
            "group",
            "n_drivers",
            "deviance",
            "delta_deviance",
            "deviance_se",
            "r2",
            "chosen",
        ),
    ),
    "tree_interactions": (
        *_MODEL,
        *("driver_a", "driver_b", "measure", "value", "rank"),
        *("strength", "std_error", "n"),
    ),
    "shap_values": (*_MODEL, "pixel", "driver", "group", "x", "level", "value"),
    "curves": (*_MODEL, "driver", "group", "kind", "x", "level", "value"),
    "q": (
        *_MODEL,
        *("driver", "group", "method", "n_classes", "q", "f_statistic", "p_value", "rank"),
        *("log_p", "p_classical", "p_max", "q_adjusted", "q_crossfit", "n", "n_effective"),
    ),
    "breaks": (*_MODEL, "driver", "method", "n_classes", "breaks", "q", "chosen", "reason", "gap"),
    "risk_means": (
        *_MODEL,
        *("driver", "class", "lower", "upper", "n", "mean", "sd", "std_error", "conf_low", "conf_high"),
        "n_effective",
    ),
    "q_interaction": (*_MODEL, "driver_a", "driver_b", "q_a", "q_b", "q_ab", "type", "q_adjusted", "n"),
    "risk": (
        *_MODEL,
        *("driver", "class_a", "class_b", "mean_a", "mean_b", "statistic", "df", "p_value"),
        *("p_adjusted", "p_classical"),
    ),
    "ecological": (*_MODEL, "driver_a", "driver_b", "f_statistic", "p_value", "df"),
    "q_scales": (
        *_MODEL,
        *("scale", "cell_size", "driver", "group", "method", "n_classes", "q", "q_adjusted", "rank", "n"),
    ),
    "q_years": (
        *_MODEL,
        *("year", "driver", "group", "method", "n_classes", "q", "f_statistic", "p_value", "rank"),
        *("p_max", "q_adjusted", "n"),
    ),
    "planted": ("stratum", "response", "op", "term", "std_estimate", "estimate", "source"),
}
"""The columns of every table, in the order of the files (DESIGN, section 5)."""
