"""The forms that a correction may take, from the simplest to the richest: one row each."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from edge.correction.inputs import MASSES
from edge.correction.term import served
from edge.fit.solve import RIDGE, Solution, best_one, huber, monotone, orthogonal, theil_sen
from edge.readings import Array

Solver = Callable[[Array, Array], Solution]


@dataclass(frozen=True, slots=True)
class Form:
    """How a form is applied (`kind` of a correction) and fitted: by least squares of its `terms`, shrunk
    towards the fleet, where it names no `solver` of its own; `fixed` forms have nothing to fit.

    `tier` is how simple it is: 0 nothing to fit, 1 a few numbers about this hour, 2 about the hour before
    too, 3 a dozen and more.
    """

    name: str
    kind: str
    terms: tuple[str, ...] = ("raw",)
    solver: Solver | None = None
    penalty: float = 0.0
    stretch: float = 0.0
    needs: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    tier: int = 1

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to fit."""
        return self.kind not in ("linear", "curve")

    def fits(self, quantity: str, columns: Collection[str]) -> bool:
        """Whether the form is made for the quantity and a device with these columns."""
        known = not self.quantities or quantity in self.quantities
        return known and set(self.needs) <= set(columns) and served(self.terms, quantity, columns)


STRETCH = 0.25
HUMID = ("raw", "rh")
CLIMATE = ("raw", "rh", "temp")
LAG = ("raw", "raw.1", "rh", "temp")
LAGS = ("raw", "raw.1", "raw.2", "raw.3", "rh", "temp")
FEATURES = (*LAGS, "dry", "root")
PRODUCTS = ("raw*rh", "raw*temp", "temp*rh")
MIXED = ("raw", "root", "rh", "temp", *PRODUCTS)
KAPPAS = ("dry:0.05", "dry:0.1", "dry:0.2", "dry:0.3", "dry:0.4")
CHANNELS = ("low", "high", "low.1", "high.1")
WAVES = ("sin", "cos", "sin2", "cos2")


def _published(name: str) -> Form:
    return Form(name, name, needs=("rh",), quantities=("pm25",), tier=0)


def _rich(name: str, terms: tuple[str, ...]) -> Form:
    return Form(name, "linear", terms, penalty=RIDGE, stretch=STRETCH, quantities=MASSES, tier=3)


FORMS = (
    Form("identity", "identity", tier=0),
    _published("barkjohn-2021"),
    _published("barkjohn-2022"),
    _published("epa-2021"),
    Form("gain-offset", "linear"),
    Form("orthogonal", "linear", solver=orthogonal),
    Form("theil-sen", "linear", solver=theil_sen),
    Form("multilinear-rh", "linear", HUMID),
    Form("growth", "linear", KAPPAS, solver=best_one, quantities=MASSES),
    Form("multilinear", "linear", CLIMATE),
    Form("huber", "linear", CLIMATE, solver=huber),
    Form("monotone", "curve", solver=monotone),
    Form("previous-hour", "linear", LAG, tier=2),
    _rich("interactions", MIXED),
    _rich("interactions+channels", (*MIXED, "channels")),
    _rich("features", FEATURES),
    _rich("features+day", (*FEATURES, *WAVES)),
    _rich("features+channels", (*FEATURES, *CHANNELS)),
    _rich("features+channels+day", (*FEATURES, *CHANNELS, *WAVES)),
    _rich("features+interactions", (*FEATURES, *PRODUCTS)),
    _rich("everything", (*FEATURES, *PRODUCTS, *CHANNELS, "channels", *WAVES)),
    Form("huber-features", "linear", FEATURES, solver=huber, quantities=MASSES, tier=3),
)
"""The candidates, in the order of their simplicity."""


def candidates(quantity: str, columns: Collection[str]) -> Iterator[Form]:
    """The forms that a table with these columns can be fitted with."""
    return (form for form in FORMS if form.fits(quantity, columns))
