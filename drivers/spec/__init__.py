"""What a user writes: formulas, model files, study specs; every value knows its file, line and column."""

from drivers.spec.bind import bind
from drivers.spec.bound import BoundModel, Composite, Driver, DriverModel, Equation, PathModel
from drivers.spec.condition import Condition, parse_condition
from drivers.spec.model import ModelFile, model_from_text, read_model
from drivers.spec.options import BrtOptions, GeodetectorOptions, PsemOptions
from drivers.spec.roles import Variable
from drivers.spec.strata import ConditionFamily, LevelFamily
from drivers.spec.study import FitRequest, StudySpec, read_spec
from drivers.spec.table_source import TableSource
from drivers.spec.vocabulary import Vocabulary

__all__ = [
    "BoundModel",
    "BrtOptions",
    "Composite",
    "Condition",
    "ConditionFamily",
    "Driver",
    "DriverModel",
    "Equation",
    "FitRequest",
    "GeodetectorOptions",
    "LevelFamily",
    "ModelFile",
    "PathModel",
    "PsemOptions",
    "StudySpec",
    "TableSource",
    "Variable",
    "Vocabulary",
    "bind",
    "model_from_text",
    "parse_condition",
    "read_model",
    "read_spec",
]
