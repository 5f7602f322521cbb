"""What a study asks about change over years, checked against its series and strata."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from drivers.errors import Fault, Place, propose
from drivers.spec.change_shapes import (
    METHODS,
    CentreOptions,
    ChangeShape,
    CorrelationOptions,
    DescribeOptions,
    FrequencyOptions,
    OfSeries,
    PersistenceOptions,
    TransferOptions,
    TrendOptions,
)
from drivers.spec.places import KeyPath, Places
from drivers.spec.series import Series
from drivers.spec.strata import ALL, Family, LevelFamily, read_over
from drivers.stats.persistence import block_sizes

CHANGE = "change"
"""What stands for the model's name in the tables of change: they come from no model file."""

_Kind = TypeVar("_Kind", bound=OfSeries)

CLASSES = ("transfer",)
"""Methods of classes; all others are of quantities."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked of which series; None for what is not asked."""

    series: tuple[Series, ...]
    """Those that something is asked of, in the spec's order."""
    trend: TrendOptions | None
    persistence: PersistenceOptions | None
    frequency: FrequencyOptions | None
    centre: CentreOptions | None
    transfer: TransferOptions | None
    correlation: CorrelationOptions | None
    describe: DescribeOptions | None
    over: tuple[tuple[str, ...], ...]
    """Families that are crossed, for each item; () is the stratum of all pixels. Zones stand last."""
    zones: tuple[LevelFamily, ...]
    """Families of strata of `change` alone."""
    places: dict[str, Place] = field(compare=False)
    """Where each method is asked for."""


def read_change(
    shape: ChangeShape,
    series: Sequence[Series],
    strata: Sequence[Family],
    overs: Sequence[tuple[str, ...]],
    places: Places,
    faults: list[Fault],
    *,
    sound: bool = True,
) -> Change:
    """Read `change`.

    Parameters
    ----------
    shape : what the document says
    series : that the study declares
    strata : families that the study declares
    overs : crossings that `fit` asks for, which `change` follows where it names none
    places : where the parts of the document stand
    faults : grows by what is wrong
    sound : whether the shape was right; if not, nothing is said about what is missing
    """
    return _Reader(shape, series, strata, places, faults).read(overs, sound)


class _Reader:
    def __init__(
        self,
        shape: ChangeShape,
        series: Sequence[Series],
        strata: Sequence[Family],
        places: Places,
        faults: list[Fault],
    ) -> None:
        self.shape, self.strata, self.places, self.faults = shape, strata, places, faults
        self.series = {one.name: one for one in series}
        self.used: dict[str, list[str]] = {}
        """Series -> the methods that it is asked for."""

    def read(self, overs: Sequence[tuple[str, ...]], sound: bool) -> Change:
        shape = self.shape
        trend = _options(TrendOptions, shape.trend)
        persistence = _options(PersistenceOptions, shape.persistence)
        frequency = _options(FrequencyOptions, shape.frequency)
        centre = _options(CentreOptions, shape.centre)
        transfer = _options(TransferOptions, shape.transfer)
        describe = _options(DescribeOptions, shape.describe)
        correlation = (
            CorrelationOptions(series=shape.correlation)
            if isinstance(shape.correlation, dict)
            else shape.correlation
        )
        asked = [name for name in METHODS if getattr(shape, name) is not None]
        if not asked and sound:
            hint = "known: " + ", ".join(METHODS)
            self._fault("`change` asks for nothing", self.places.key(("change",)), hint)
        for method in asked:
            for name, place in self._named(method):
                self._use(method, name, place)
        self._check_kinds()
        self._check_pairs(correlation)
        self._check_blocks(persistence)
        self._check_years(transfer)
        zones = self._zones()
        over = dict.fromkeys(self._over(overs))
        return Change(
            tuple(one for name, one in self.series.items() if name in self.used),
            trend,
            persistence,
            frequency,
            centre,
            transfer,
            correlation,
            describe,
            (*over, *((zone.name,) for zone in zones)),
            zones,
            {method: self.places.key(("change", method)) for method in asked},
        )

    def _fault(self, message: str, place: Place, hint: str = "") -> None:
        self.faults.append(Fault(message, place, hint))

    def _named(self, method: str) -> Iterator[tuple[str, Place]]:
        """Every series that a method names, with its place."""
        given = getattr(self.shape, method)
        at: KeyPath = ("change", method)
        if isinstance(given, (OfSeries, CorrelationOptions)):
            given, at = given.series, (*at, "series")
        if not isinstance(given, dict):
            yield from self._listed(given, at)
            return
        for name, others in given.items():
            yield name, self.places.key((*at, name))
            yield from self._listed(others, (*at, name))

    def _listed(self, given: str | list[str], at: KeyPath) -> Iterator[tuple[str, Place]]:
        if isinstance(given, str):
            yield given, self.places.value(at)
            return
        for index, name in enumerate(given):
            place = self.places.value((*at, index))
            if name in given[:index]:
                self._fault(f"`{name}` stands twice", place, "remove one of them")
            yield name, place

    def _use(self, method: str, name: str, place: Place) -> None:
        if name not in self.series:
            message = f"`{method}` names `{name}`, which is not under `series`"
            known = list(self.series)
            hint = propose(name, known) if known else f'add `series: {{{name}: "{name}_{{year}}"}}`'
            self._fault(message, place, hint)
            return
        methods = self.used.setdefault(name, [])
        if method not in methods:
            methods.append(method)
            self._check_kind(method, self.series[name], place)

    def _check_kind(self, method: str, series: Series, place: Place) -> None:
        if method not in CLASSES and series.categorical:
            message = f"`{series.name}` is categorical, and `{method}` is of quantities"
            self._fault(message, place, f"for classes there is: {', '.join(CLASSES)}")
        if method in CLASSES and series.categorical is False:
            message = f"`{series.name}` is not categorical, and `{method}` is of classes"
            self._fault(message, place, "remove `categorical: false`")

    def _check_kinds(self) -> None:
        """Nobody said what a series is, and it is used as both."""
        for name, methods in self.used.items():
            classes = [method for method in methods if method in CLASSES]
            others = [method for method in methods if method not in CLASSES]
            if classes and others and self.series[name].categorical is None:
                message = f"`{classes[0]}` takes `{name}` as classes, and `{others[0]}` as quantities"
                self._fault(message, self.places.key(("change", classes[0])), "a series is one of both")

    def _check_pairs(self, correlation: CorrelationOptions | None) -> None:
        for one, other in correlation.pairs if correlation is not None else ():
            if one == other:
                at: KeyPath = ("change", "correlation")
                path = (*at, one) if isinstance(self.shape.correlation, dict) else (*at, "series", one)
                self._fault(f"`{one}` is correlated with itself", self.places.key(path))

    def _check_blocks(self, persistence: PersistenceOptions | None) -> None:
        if persistence is None:
            return
        try:
            block_sizes(persistence.min_years, persistence.rule, persistence.smallest_block)
        except ValueError as error:
            given = persistence.model_fields_set & {"min_years", "smallest_block", "rule"}
            key = sorted(given)[0] if given else "series"
            self._fault(f"`persistence`: {error}", self.places.value(("change", "persistence", key)))

    def _check_years(self, transfer: TransferOptions | None) -> None:
        for index, year in enumerate(transfer.years or () if transfer is not None else ()):
            for name in transfer.names if transfer is not None else ():
                limits = self.series[name].years if name in self.series else None
                if limits is not None and not limits[0] <= year <= limits[1]:
                    place = self.places.value(("change", "transfer", "years", index))
                    there = f"the years of `{name}` are {limits[0]} to {limits[1]}"
                    self._fault(f"`transfer` asks for {year}, and {there}", place)

    def _zones(self) -> tuple[LevelFamily, ...]:
        known = [family.name for family in self.strata]
        found: list[LevelFamily] = []
        for name, place in self._listed(self.shape.zones or [], ("change", "zones")):
            if name in known or name == ALL:
                self._fault(f"the zones `{name}` have the name of strata", place, f"write `over: [{name}]`")
            elif not name.strip() or any(sign in name for sign in "=,*"):
                self._fault(f"the zones `{name}` cannot name strata", place, "no `=`, `,` or `*`")
            else:
                found.append(LevelFamily(name, name, None, place))
        return tuple(dict.fromkeys(found))

    def _over(self, overs: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
        if self.shape.over is None:
            yield ()
            yield from overs
            return
        for text, place in self._listed(self.shape.over, ("change", "over")):
            crossed = read_over(text, tuple(self.strata), place, self.faults)
            if crossed is not None:
                yield crossed


def _options(kind: type[_Kind], given: str | list[str] | _Kind | None) -> _Kind | None:
    """A bare name or list as the options that it stands for."""
    return kind(series=given) if isinstance(given, (str, list)) else given


def refuse_model_name(models: Collection[str], change: Change, faults: list[Fault]) -> None:
    """A model called `change` would share its rows' name with those of change over years."""
    if CHANGE in models:
        place = next(iter(change.places.values()), None)
        message = f"a model is called `{CHANGE}`, which is what the tables call change over years"
        faults.append(Fault(message, place, "rename the model's file"))
