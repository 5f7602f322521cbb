"""The delete-a-group jackknife."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.stats.jackknife import delete_group_jackknife


def test_of_a_mean_it_is_the_error_of_the_mean_of_groups() -> None:
    groups = np.random.default_rng(1).normal(size=(10, 3))
    without = (groups.sum(axis=0) - groups) / 9
    found = delete_group_jackknife(without)
    np.testing.assert_allclose(found.std_error, groups.std(axis=0, ddof=1) / np.sqrt(10), rtol=1e-12)
    assert found.df == 9


def test_it_needs_two_groups() -> None:
    with pytest.raises(ValueError, match="the jackknife needs two groups, not 1"):
        delete_group_jackknife(np.ones((1, 2)))


def test_what_is_unknown_in_one_is_unknown() -> None:
    found = delete_group_jackknife(np.array([[1.0, np.nan], [2.0, 1.0], [3.0, 1.0]]))
    assert np.isnan(found.std_error).tolist() == [False, True]
