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
    "after": Column("Area of the class in the second year.", "area"),
    "agreement": Column(
        "1 less the distance between a driver's best and worst rank over methods, as a share of the largest "
        "distance possible: 1 where all methods rank it alike.",
        "1",
    ),
    "aic": Column("Akaike's information criterion, of psem summed over equations.", "1"),
    "aic_dsep": Column("Its d-sep form, C + 2K.", "1"),
    "aicc": Column("AIC corrected for small samples, summed over equations.", "1"),
    "aicc_dsep": Column("The d-sep form corrected for small samples, C + 2K n / (n - K - 1).", "1"),
    "applicable": Column(
        "Share of the stratum's pixels inside the area of applicability: no less like the training "
        "pixels than these are like those of other folds.",
        "1",
    ),
    "area": Column(
        "Area of pixels: in km2, or in squared units of the coordinates where their system is not known; "
        "empty where the size of a pixel is not known.",
        "area",
    ),
    "area_mean": Column("Mean of a series, each pixel with its area.", "series"),
    "auc": Column("Area under the ROC curve, for a binomial response.", "1"),
    "azimuth": Column(
        "Direction of the step from the year before, in degrees clockwise from north.",
        "degree",
    ),
    "bag_fraction": Column("Share of pixels behind each tree.", "1"),
    "baseline_chisq": Column("χ² of the model in which nothing is related, behind cfi and tli.", "1"),
    "baseline_df": Column("Its degrees of freedom.", "1"),
    "before": Column("Area of the class in the first year.", "area"),
    "bic": Column("Bayesian information criterion, of psem summed over equations.", "1"),
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
    "cfi_robust": Column("Comparative fit index corrected for pixels that are alike or not normal.", "1"),
    "change": Column(
        "Change of the stratum's mean between two neighbouring years, of the pixels that have both.",
        "series",
    ),
    "chisq": Column("χ² of the model against its saturated form.", "1"),
    "chisq_df": Column("Degrees of freedom of χ²: paths that are missing, or moments less parameters.", "1"),
    "chisq_difference": Column(
        "χ² less that of the step before, as if pixels were normal and independent.", "1"
    ),
    "chisq_p": Column("p-value of χ², or of chisq_scaled where it is scaled.", "1"),
    "chisq_p_classical": Column("p-value of χ² as if pixels were normal and independent.", "1"),
    "chisq_scaled": Column("χ² over chisq_scaling; empty where it is not scaled.", "1"),
    "chisq_scaling": Column(
        "What χ² is per degree of freedom where the model holds, for what `errors` or `test` count.", "1"
    ),
    "chosen": Column("Whether this candidate or setting is the one that the other rows use."),
    "class": Column(
        "A class of a driver: its number from the lowest, or the level of a categorical driver; in "
        "transfer_classes.csv a class of the series, such as a land use."
    ),
    "class_a": Column("The first class of a pair, as `class`."),
    "class_b": Column("The second class of a pair, as `class`."),
    "conf_high": Column("Upper end of the 95 % confidence interval of `estimate`.", "as estimate"),
    "conf_low": Column("Lower end of the 95 % confidence interval of `estimate`.", "as estimate"),
    "delta_aicc": Column("AICc after the step minus AICc before it.", "1"),
    "delta_c": Column("Fisher's C after the step minus Fisher's C before it.", "1"),
    "delta_deviance": Column("deviance less that of the forests with all drivers.", "1"),
    "density": Column("Density of the distribution at `x`, by a Gaussian kernel.", "per variable"),
    "deviance": Column("Mean deviance per pixel of the family, in gbm's convention.", "1"),
    "deviance_se": Column("Standard error of the mean deviance over folds.", "1"),
    "df": Column("Degrees of freedom of the test, the residual ones of an F; empty for a z test.", "1"),
    "df_residual": Column("Degrees of freedom of the denominator of an F; empty for χ².", "1"),
    "difference": Column("estimate_a less estimate_b.", "as estimate"),
    "distance": Column(
        "Length of the step from the year before, in units of the coordinates (km for longitude and "
        "latitude).",
        "coordinates",
    ),
    "driver": Column(
        "The cause: a driver, a dummy or product of drivers, or a composite; empty for a group."
    ),
    "driver_a": Column("The first driver of a pair."),
    "driver_b": Column("The second driver of a pair."),
    "dropped": Column("Pixels of the stratum with a missing value in the response or a driver.", "rows"),
    "easting": Column("Easting (or longitude) of the centre of gravity.", "coordinates"),
    "epc": Column("Change of the parameter that is expected when it is freed.", "as estimate"),
    "equivalence_bound": Column("|partial r| below which a missing path counts as negligible.", "1"),
    "equivalence_p": Column("p-value of the test that some claim's |partial r| reaches the bound.", "1"),
    "equivalence_verdict": Column("`equivalent`, `not equivalent` or `inconclusive`; empty without claims."),
    "errors": Column(
        "What standard errors and p-values count: `classical` (pixels), `effective` (independent pixels), "
        "`block` (spatial blocks), `bootstrap` (resampled blocks), or `GD`."
    ),
    "estimate": Column("The path coefficient, correlation, weight or effect.", "response per term"),
    "estimate_a": Column("The estimate in the first stratum.", "as estimate"),
    "estimate_b": Column("The estimate in the second stratum.", "as estimate"),
    "f_statistic": Column("F of the test.", "1"),
    "falling": Column("Years in which the stratum's mean lay below that of the year before.", "1"),
    "falling_share": Column("Share of the area that fell between two years.", "1"),
    "fdr_negative": Column(
        "Share of the area with a negative correlation that stands when the false discovery rate over all "
        "pixels of the table is controlled.",
        "1",
    ),
    "fdr_positive": Column("The same of positive correlations.", "1"),
    "fishers_c": Column("Fisher's C, -2 Σ ln p over the independence claims.", "1"),
    "fishers_c_classical": Column("Fisher's C as if pixels were independent.", "1"),
    "fishers_c_df": Column("Its degrees of freedom, twice the number of claims.", "1"),
    "fishers_c_p": Column("Its p-value.", "1"),
    "fishers_c_p_classical": Column("p-value of Fisher's C as if pixels were independent.", "1"),
    "fold": Column("Number of the fold, from 1; `all` for pooled out-of-fold predictions."),
    "folds": Column("Folds that a setting was tried on; fewer than the others' where it was given up.", "1"),
    "from": Column("Class in the first year."),
    "gain": Column("Area that came to the class from others.", "area"),
    "gap": Column(
        "Proven bound on how far natural breaks can be from the optimum, as a share of the "
        "total sum of squares; 0 is the optimum.",
        "1",
    ),
    "given": Column("What an independence claim is conditioned on."),
    "group": Column("The driver group that a driver belongs to; empty for none."),
    "growth": Column("Growth rate of the stratum's mean: its Theil-Sen slope.", "series per year"),
    "growth_share": Column("growth over the size of the stratum's mean over years.", "1"),
    "held_equal": Column(
        "What is held equal over strata in this step, beside what the steps before hold; `free` for nothing."
    ),
    "hurst": Column(
        "Mean of the pixels' Hurst exponents by rescaled range; without any memory it is about 0.6 over "
        "21 years, not 0.5.",
        "1",
    ),
    "hurst_above_half": Column(
        "Share of the area whose Hurst exponent is above 0.5, which papers call persistent, and most "
        "memory-free series of 21 years are.",
        "1",
    ),
    "kind": Column(
        "Of an effect: `direct`, `indirect` (one specific path), `total_indirect` (their sum) or `total`; "
        "of a curve: `partial` dependence or `accumulated` local effect."
    ),
    "learning_rate": Column("Shrinkage of each tree.", "1"),
    "level": Column("A level of a categorical driver; empty for a number."),
    "linear_slope": Column("Least-squares slope of the stratum's mean over years.", "series per year"),
    "log_p": Column("Natural logarithm of p_value, exact where p_value underflows to 0.", "1"),
    "logl": Column("Maximised log-likelihood, given the causes; of psem summed over equations.", "1"),
    "loss": Column("Area that went from the class to others.", "area"),
    "lower": Column(
        "Lower limit of a class, not in it unless it is the lowest; empty for a level.", "driver"
    ),
    "mae": Column("Mean absolute error of held-out predictions.", "response"),
    "max": Column("Largest value of the response, or of the series.", "response"),
    "max_partial_r": Column("The claim with the largest |partial r|: its partial r.", "1"),
    "max_partial_r_high": Column("Upper end of that partial r's 95 % confidence interval.", "1"),
    "max_partial_r_low": Column("Lower end of that partial r's 95 % confidence interval.", "1"),
    "mean": Column("Mean over pixels of the response, or of the series, each pixel alike.", "response"),
    "mean_a": Column("Mean of the response in the first class.", "response"),
    "mean_b": Column("Mean of the response in the second class.", "response"),
    "mean_falling": Column("Mean over pixels of the years that fell.", "1"),
    "mean_r": Column("Mean over pixels of their correlation.", "1"),
    "mean_rising": Column("Mean over pixels of the years that rose.", "1"),
    "mean_unchanged": Column("Mean over pixels of the years that stood still.", "1"),
    "measure": Column(
        "How importance is measured: `q`, `gain` (relative influence), `shap` (mean |SHAP|), `shapley` (of "
        "the game of groups), `permutation` (rise of the error); of an interaction `h_statistic` or `shap` "
        "(mean |SHAP interaction|)."
    ),
    "median": Column("Value that half of the pixels do not exceed.", "variable"),
    "message": Column("What a reader of the fit must know: why it failed, or what to be careful about."),
    "method": Column(
        "The method of a fit (`psem`, `geodetector`, `brt`); in q.csv and its kin the rule behind the breaks."
    ),
    "mi": Column("Fall of χ² that is expected when the parameter is freed, on one degree of freedom.", "1"),
    "min": Column("Smallest value of the response, or of the series.", "response"),
    "missing": Column("Pixels left out because some year of theirs is missing.", "rows"),
    "mk_p": Column("Two-sided p-value of the Mann-Kendall test; it takes the years as independent.", "1"),
    "mk_s": Column("Mann-Kendall S: pairs of years that rise less pairs that fall.", "1"),
    "mk_tau": Column("Kendall's tau-b of the series with its years.", "1"),
    "mk_z": Column("Z of the Mann-Kendall test, corrected for ties and for continuity.", "1"),
    "model": Column(
        "Name of the model file; `change` for change over years, `response` where the response alone is "
        "described."
    ),
    "mostly_falling": Column("Share of the area that fell in more years than it rose.", "1"),
    "mostly_rising": Column("Share of the area that rose in more years than it fell.", "1"),
    "n": Column(
        "Pixels: of the stratum (strata.csv), of a class, used by the fit or number, or with a value of the "
        "series (in that year).",
        "rows",
    ),
    "n_blocks": Column("Spatial blocks that hold pixels of the stratum.", "1"),
    "n_classes": Column("Number of classes.", "1"),
    "n_drivers": Column("Number of drivers.", "1"),
    "n_effective": Column("Number of independent pixels that the pixels are worth.", "rows"),
    "n_items": Column("What is ranked: how many drivers.", "1"),
    "n_parameters": Column("Free parameters.", "1"),
    "n_raters": Column("Rankings that are compared: strata, or methods.", "1"),
    "n_strata": Column("Strata that are compared.", "1"),
    "n_test": Column("Pixels that were predicted.", "rows"),
    "n_train": Column("Pixels that the forest was grown on.", "rows"),
    "n_trees": Column("Number of trees.", "1"),
    "n_years": Column("Years with a value.", "1"),
    "negative": Column("Share of the area with a negative correlation.", "1"),
    "net": Column("gain less loss.", "area"),
    "northing": Column("Northing (or latitude) of the centre of gravity.", "coordinates"),
    "note": Column("Why a row has no numbers; empty otherwise."),
    "of_stratum": Column("The stratum whose parameter it is."),
    "offset": Column(
        "How far the centre of gravity lies from the middle of the area of the same pixels, in units as "
        "`distance`.",
        "coordinates",
    ),
    "offset_azimuth": Column("In which direction, in degrees clockwise from north.", "degree"),
    "op": Column(
        "`~` path, `~~` covariance or correlated errors, `<~` weight of a composite's member, "
        "`=~` loading, `~1` intercept, `:=` defined parameter."
    ),
    "p_adjusted": Column(
        "p_value adjusted for the number of tests: for the false discovery rate over all tests of a kind in "
        "the study (Benjamini & Hochberg); in risk.csv for the pairs of a driver (Holm).",
        "1",
    ),
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
    "partner": Column("The series that `series` is correlated with."),
    "persistence_class": Column(
        "`persistent` or `anti-persistent` by the test against series without memory, else `no memory "
        "shown`; `unknown` with too few years."
    ),
    "pixel": Column("Row of the pixel in the table, from 0.", "1"),
    "pixels": Column("Pixels in a class of change, or with a value.", "rows"),
    "pixels_after": Column("Pixels of the class in the second year.", "rows"),
    "pixels_before": Column("Pixels of the class in the first year.", "rows"),
    "pooled": Column("Mean of the strata's estimates, weighted by 1 / variance.", "as estimate"),
    "positive": Column("Share of the area with a positive correlation.", "1"),
    "q": Column("Share of the response's variance between the classes of a driver, 1 - SSW / SST.", "1"),
    "q05": Column("Value that 5 % of the pixels do not exceed.", "variable"),
    "q25": Column("Value that a quarter of the pixels do not exceed.", "variable"),
    "q75": Column("Value that three quarters of the pixels do not exceed.", "variable"),
    "q95": Column("Value that 95 % of the pixels do not exceed.", "variable"),
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
    "quantity": Column(
        "What is compared: `path`, `total_effect` or `loading`, each also standardised (`std_path`, "
        "`std_total_effect`, `std_loading`), `q`, or `influence` (the share of a driver in the forest)."
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
    "rank_brt": Column("Rank by influence in boosted trees.", "1"),
    "rank_geodetector": Column("Rank by q.", "1"),
    "rank_psem": Column("Rank by the size of the standardised total effect.", "1"),
    "reason": Column(
        "Why a candidate has no breaks or no q, or why methods disagree about a driver; empty otherwise."
    ),
    "region_p": Column("Two-sided p-value of `region_r`; it takes the years as independent.", "1"),
    "region_r": Column("Correlation over years of the stratum's means of both series.", "1"),
    "residual": Column("Correlation in the sample less the one that the model implies.", "1"),
    "residual_z": Column(
        "The residual covariance over its standard error; empty where there is no error.", "1"
    ),
    "response": Column(
        "The effect: the variable or composite on the left of an equation; of a loading the indicator, "
        "of `:=` what is defined."
    ),
    "rising": Column("Years in which the stratum's mean lay above that of the year before.", "1"),
    "rising_share": Column("Share of the area that rose between two years.", "1"),
    "rmse": Column("Root mean squared error of held-out predictions.", "response"),
    "rmsea": Column(
        "Root mean square error of approximation: misfit per degree of freedom beyond what sampling gives.",
        "1",
    ),
    "rmsea_high": Column("Upper end of the 90 % confidence interval of rmsea.", "1"),
    "rmsea_low": Column("Lower end of the 90 % confidence interval of rmsea.", "1"),
    "rmsea_p_close": Column("p-value of the test that rmsea is at most 0.05.", "1"),
    "rmsea_robust": Column("rmsea with what alike or not normal pixels do to χ² taken out.", "1"),
    "scale": Column("Cell size as a multiple of the table's.", "1"),
    "scheme": Column(
        "How pixels were held out: `holdout`, `random` folds, folds of whole spatial `block`s, or `knndm` "
        "folds, as far from their training pixels as the map is from all of them."
    ),
    "sd": Column("Standard deviation over pixels, of the response or the series; divisor n - 1.", "response"),
    "selects_on_response": Column("Whether the stratum is cut on the response, which shrinks slopes."),
    "sen_intercept": Column("Level at year 0 of the line with the Theil-Sen slope.", "series"),
    "sen_slope": Column(
        "Theil-Sen slope: median of the slopes between all pairs of years.",
        "series per year",
    ),
    "series": Column("The series of years, as the spec names it."),
    "share": Column(
        "Pixels of the stratum over pixels of the table; importance over its sum over drivers, or of a group "
        "over groups; of change the share of the stratum's area that is in the class, or passed from one "
        "class to the other.",
        "1",
    ),
    "share_after": Column("`after` over the area with a class in both years.", "1"),
    "share_before": Column("`before` over the area with a class in both years.", "1"),
    "share_brt": Column("Share of a driver in the influence of all.", "1"),
    "share_error": Column(
        "Standard error of `share`, by leaving out each fold: of blocks, where there are such folds.", "1"
    ),
    "share_error_df": Column("Degrees of freedom of `share_error`: folds less one.", "1"),
    "share_fdr": Column(
        "Share of the area that is in the class and has a trend that stands when the false discovery rate "
        "over all pixels of the table is controlled.",
        "1",
    ),
    "share_gain": Column("`gain` over the area with a class in both years.", "1"),
    "share_geodetector": Column("q over the sum of q of all drivers.", "1"),
    "share_loss": Column("`loss` over the area with a class in both years.", "1"),
    "share_psem": Column("Size of the standardised total effect over the sum of all drivers'.", "1"),
    "side": Column("Which side of the threshold: `above` or `below`."),
    "sign": Column("Direction of the total effect: `+`, `-`, or `0` where its interval holds 0."),
    "significant_negative": Column(
        "Share of the area with a negative correlation that is significant, each pixel for itself.",
        "1",
    ),
    "significant_positive": Column("The same of positive correlations.", "1"),
    "sink_share": Column("Share of the area whose value is above 0: of NEP, the carbon sinks.", "1"),
    "source": Column("Where a planted number comes from: `paper`, `adjusted` or `filled`."),
    "spread": Column("Standard deviation over the forests of the folds.", "as value"),
    "srmr": Column("Standardised root mean square residual.", "1"),
    "statistic": Column(
        "t, z or, for a categorical driver's joint row, F (χ² for a GLM); of group_ladder.csv χ².", "1"
    ),
    "status": Column("`ok` or `failed`."),
    "stayed": Column("Area that the class held in both years.", "area"),
    "std_conf_high": Column("Upper end of the 95 % confidence interval of `std_estimate`.", "1"),
    "std_conf_low": Column("Lower end of the 95 % confidence interval of `std_estimate`.", "1"),
    "std_epc": Column("epc in standard deviations.", "1"),
    "std_error": Column(
        "Standard error of `estimate`; of a `value`, for the pixels that were sampled.", "as estimate"
    ),
    "std_estimate": Column("`estimate` in sds of the response per sd of the term.", "1"),
    "std_estimate_error": Column(
        "Standard error of `std_estimate`, the standard deviations in it estimated too.", "1"
    ),
    "step": Column("Number of the step, from 1.", "1"),
    "steps": Column("Pairs of neighbouring years that both have a mean.", "1"),
    "stratum": Column(
        "`all`, `family=level`, or `family=level,family=level`; of a comparison the family whose "
        "strata are compared."
    ),
    "stratum_a": Column("The first stratum of a pair, or the first run."),
    "stratum_b": Column("The second stratum of a pair, or the second run."),
    "strength": Column("Size of an interaction in units of the link: root of H's numerator.", "1"),
    "swap": Column(
        "Area lost in one place and gained in another, counted in both: 2 min(gain, loss).",
        "area",
    ),
    "term": Column(
        "The right side: a variable, function, dummy, product, or composite; of a loading the latent "
        "variable, of `:=` the expression."
    ),
    "threshold": Column("Value of the response at which pixels are cut.", "response"),
    "tli": Column("Tucker-Lewis index.", "1"),
    "tli_robust": Column("Tucker-Lewis index corrected for pixels that are alike or not normal.", "1"),
    "to": Column("Class in the second year."),
    "total": Column(
        "Sum over pixels of value times area; g C m-2 over km2 are tonnes of C. Empty where areas are not "
        "known.",
        "series times area",
    ),
    "tree_complexity": Column("Splits of a tree.", "1"),
    "trend_class": Column(
        "Class of a trend by sign of the Theil-Sen slope and |Z|, in words; `no change` for a slope of 0, "
        "`unknown` with too few years."
    ),
    "truncated_estimate": Column(
        "The path coefficient, allowing for the cut on the response that made the stratum (truncated "
        "regression).",
        "response per term",
    ),
    "truncated_std_error": Column("Standard error of `truncated_estimate`.", "response per term"),
    "type": Column(
        "Kind of interaction: `Enhance, nonlinear`, `Independent`, `Enhance, bi-`, `Weaken, "
        "uni-` or `Weaken, nonlinear`."
    ),
    "unchanged": Column("Years in which the stratum's mean stood still.", "1"),
    "unknown": Column("Pixels with too few common years, or with a series that does not vary.", "rows"),
    "upper": Column("Upper limit of a class, in it; empty for a level.", "driver"),
    "value": Column(
        "The importance, the height of a curve, or the SHAP value, in units of its measure.", "1"
    ),
    "variable": Column("The response, or a series: of it the mean that each pixel has over its years."),
    "verdict": Column(
        "The field's rule: `accepted` if P >= 0.05 and C/df <= 2, `rejected`, `saturated` (nothing to test), "
        "or `undecided` where there are too few independent pixels for a test."
    ),
    "via": Column("The path that the effect takes, `climate -> soil -> NEP`."),
    "w": Column("Kendall's coefficient of concordance: 0 no agreement of ranks, 1 full agreement.", "1"),
    "w_high": Column("Upper end of its 95 % confidence interval.", "1"),
    "w_low": Column("Lower end of its 95 % confidence interval.", "1"),
    "x": Column("A value of the driver, empty for a level; in density.csv of the variable.", "driver"),
    "year": Column("The year whose columns were used.", "1"),
    "year_from": Column("The first year.", "1"),
    "year_to": Column("The second year, or the last.", "1"),
    "z_from": Column("Least |Z| of the class; empty for a slope of 0.", "1"),
}

_MODEL = ("model", "stratum")

TABLES: dict[str, tuple[str, ...]] = {
    "strata": ("stratum", "n", "dropped", "share", "mean", "sd", "min", "max", "selects_on_response"),
    "coefficients": (
        *_MODEL,
        *("response", "op", "term", "group", "estimate", "std_error", "statistic", "df", "p_value", "log_p"),
        *("std_estimate", "conf_low", "conf_high", "p_classical", "p_block", "n_effective"),
        *("std_estimate_error", "p_adjusted", "truncated_estimate", "truncated_std_error"),
    ),
    "coefficient_errors": (
        *_MODEL,
        *("response", "op", "term", "errors", "estimate", "std_error", "df", "p_value", "log_p"),
        *("conf_low", "conf_high", "std_estimate", "std_estimate_error", "std_conf_low", "std_conf_high"),
    ),
    "dsep": (
        *_MODEL,
        *("response", "term", "given", "statistic", "df", "p_value", "log_p", "p_classical", "n_effective"),
        *("partial_r", "partial_r_low", "partial_r_high", "p_block", "p_adjusted"),
    ),
    "fit": (
        *_MODEL,
        *("method", "n", "n_effective", "fishers_c", "fishers_c_df", "fishers_c_p", "c_per_df"),
        *("chisq", "chisq_df", "chisq_p", "aic", "aicc", "bic", "logl", "cfi", "tli", "rmsea", "srmr"),
        *("r2", "status", "message", "aic_dsep", "aicc_dsep", "verdict"),
        *("max_partial_r", "max_partial_r_low", "max_partial_r_high"),
        *("equivalence_bound", "equivalence_p", "equivalence_verdict", "errors"),
        *("n_trees", "r2_holdout", "r2_random", "r2_block", "r2_gap", "applicable"),
        *("r2_knndm", "block_side", "n_blocks", "fishers_c_classical", "fishers_c_p_classical"),
        *("n_parameters", "chisq_p_classical", "chisq_scaled", "chisq_scaling"),
        *("baseline_chisq", "baseline_df", "rmsea_low", "rmsea_high", "rmsea_p_close"),
        *("cfi_robust", "tli_robust", "rmsea_robust"),
    ),
    "r2": (*_MODEL, "response", "r2", "r2_conditional"),
    "modification_indices": (*_MODEL, "response", "op", "term", "mi", "epc", "std_epc"),
    "residual_correlations": (*_MODEL, "response", "term", "residual", "residual_z"),
    "group_ladder": (
        *_MODEL,
        *(
            "held_equal",
            "status",
            "chisq",
            "chisq_df",
            "chisq_p",
            "chisq_difference",
            "df",
            "statistic",
            "p_value",
        ),
        *("p_classical", "aic", "bic", "cfi", "rmsea", "srmr", "message"),
    ),
    "group_release": (*_MODEL, "held_equal", "of_stratum", "response", "op", "term", "mi", "p_value", "epc"),
    "effects": (
        *_MODEL,
        *("driver", "group", "response", "kind", "via"),
        *("estimate", "std_estimate", "std_error", "conf_low", "conf_high", "p_value"),
        *("df", "std_estimate_error", "std_conf_low", "std_conf_high", "p_adjusted"),
    ),
    "effect_errors": (
        *_MODEL,
        *("driver", "group", "response", "kind", "via", "errors", "estimate", "std_error", "df", "p_value"),
        *("conf_low", "conf_high", "std_estimate", "std_estimate_error", "std_conf_low", "std_conf_high"),
    ),
    "threshold_sweep": (
        *_MODEL,
        *(
            "threshold",
            "side",
            "n",
            "response",
            "term",
            "estimate",
            "std_estimate",
            "r2",
            "truncated_estimate",
        ),
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
        *("share_error", "share_error_df"),
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
        *("std_error", "p_adjusted"),
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
    "ecological": (*_MODEL, "driver_a", "driver_b", "f_statistic", "p_value", "df", "p_adjusted"),
    "q_scales": (
        *_MODEL,
        *("scale", "cell_size", "driver", "group", "method", "n_classes", "q", "q_adjusted", "rank", "n"),
    ),
    "q_years": (
        *_MODEL,
        *("year", "driver", "group", "method", "n_classes", "q", "f_statistic", "p_value", "rank"),
        *("p_max", "q_adjusted", "n"),
    ),
    "comparison": (
        *_MODEL,
        *("driver", "quantity", "stratum_a", "stratum_b", "estimate_a", "estimate_b", "difference"),
        *("std_error", "statistic", "p_value", "p_adjusted"),
        *("response", "group", "df", "log_p", "conf_low", "conf_high"),
    ),
    "comparison_omnibus": (
        *_MODEL,
        *("driver", "quantity", "response", "group", "n_strata", "pooled", "statistic", "df", "df_residual"),
        *("p_value", "log_p", "p_adjusted"),
    ),
    "rank_agreement": (
        *_MODEL,
        *("quantity", "response", "n_raters", "n_items", "w", "w_low", "w_high", "p_value"),
    ),
    "consensus": (
        *_MODEL,
        *("driver", "group", "rank_psem", "rank_brt", "rank_geodetector", "sign", "agreement"),
        *("share_psem", "share_brt", "share_geodetector", "reason"),
    ),
    "trend": (*_MODEL, "series", "trend_class", "z_from", "pixels", "area", "share", "share_fdr"),
    "persistence": (
        *_MODEL,
        *(
            "series",
            "trend_class",
            "persistence_class",
            "pixels",
            "area",
            "share",
            "hurst",
            "hurst_above_half",
        ),
    ),
    "frequency": (
        *_MODEL,
        *("series", "steps", "rising", "falling", "unchanged", "pixels"),
        *("mean_rising", "mean_falling", "mean_unchanged", "mostly_rising", "mostly_falling"),
    ),
    "frequency_years": (
        *_MODEL,
        *("series", "year_from", "year_to", "area", "change", "rising_share", "falling_share"),
    ),
    "centre": (
        *_MODEL,
        *("series", "year", "easting", "northing", "distance", "azimuth", "offset", "offset_azimuth"),
        *("n", "missing", "note"),
    ),
    "transfer": (*_MODEL, "series", "year_from", "year_to", "from", "to", "area", "pixels", "share"),
    "transfer_classes": (
        *_MODEL,
        *("series", "year_from", "year_to", "class", "before", "after", "stayed", "gain", "loss", "net"),
        *("swap", "pixels_before", "pixels_after", "share_before", "share_after", "share_gain", "share_loss"),
    ),
    "correlation": (
        *_MODEL,
        *("series", "partner", "pixels", "unknown", "area", "mean_r", "positive", "negative"),
        *("significant_positive", "significant_negative", "fdr_positive", "fdr_negative"),
        *("n_years", "region_r", "region_p"),
    ),
    "series": (
        *_MODEL,
        *("series", "year", "n", "area", "mean", "area_mean", "sd", "min", "max", "sink_share", "total"),
    ),
    "series_trend": (
        *_MODEL,
        *("series", "n_years", "sen_slope", "sen_intercept", "linear_slope"),
        *("mk_s", "mk_z", "mk_p", "mk_tau", "trend_class", "note"),
    ),
    "distribution": (*_MODEL, "variable", "n", "min", "q05", "q25", "median", "q75", "q95", "max"),
    "density": (*_MODEL, "variable", "x", "density"),
    "description": (
        *_MODEL,
        *("series", "year_from", "year_to", "n_years", "n", "area", "mean", "area_mean", "sd", "min", "max"),
        *("sink_share", "growth", "growth_share", "linear_slope", "note"),
    ),
    "planted": ("stratum", "response", "op", "term", "std_estimate", "estimate", "source"),
}
"""The columns of every table, in the order of the files (DESIGN, section 5)."""
