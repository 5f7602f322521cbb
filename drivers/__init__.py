"""What drives the pixels: path models on every stratum of a pixel table, from one study spec.

>>> import drivers as dr
>>> chain = dr.simulate("chain", pixels=1000).frame
>>> result = dr.fit("m ~ x + z; y ~ m + z", chain)
"""

from drivers.effects import effects
from drivers.errors import DriversError, FitError, SpecError, TableError
from drivers.forests import read_forest
from drivers.notebook import fit
from drivers.simulate import simulate
from drivers.spec import read_model, read_spec
from drivers.study import run
from drivers.table import read_table

__version__ = "0.1.0"

__all__ = [
    "DriversError",
    "FitError",
    "SpecError",
    "TableError",
    "effects",
    "fit",
    "read_forest",
    "read_model",
    "read_spec",
    "read_table",
    "run",
    "simulate",
]
