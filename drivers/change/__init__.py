"""Change over years: trend, persistence, frequency, correlation, centre, transfer, description."""

from drivers.change.run import Changed, check_change, run_change
from drivers.change.years import ChangeColumns, change_columns

__all__ = ["ChangeColumns", "Changed", "change_columns", "check_change", "run_change"]
