"""Tables, figures and the HTML report: the only room that rounds, labels or formats."""

from drivers.report.run_tables import RunTables
from drivers.report.sections import SECTIONS, Section
from drivers.report.write import check_target, read_report, write_report

__all__ = ["SECTIONS", "RunTables", "Section", "check_target", "read_report", "write_report"]
