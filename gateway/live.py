"""The gateway's present: what the river last saw, for the console, the policy and the summary.

One writer (the river's thread) and any number of readers: every entry is a frozen object that is replaced
whole, so a reader sees either the old or the new one, never half of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.decision import Decision
from edge.network import Network
from edge.room import Balance


@dataclass(frozen=True, slots=True)
class Value:
    """A quantity's newest value in its unit: raw, calibrated, standard uncertainty, QARTOD flag, and the mask
    of the tests that spoke."""

    raw: float
    value: float
    u: float
    flag: int
    tests: int = 0


@dataclass(frozen=True, slots=True)
class Latest:
    """A node's newest timed sample: `time` [ns UTC], its values by quantity, and what calibrated them."""

    time: int
    values: Mapping[str, Value]
    cal: str = ""


@dataclass(frozen=True, slots=True)
class Horizon:
    """One forecast: for `target` [ns UTC], expected value with its 90 % interval, in the quantity's unit."""

    horizon_s: int
    target: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """A node's newest forecasts of `quantity`, issued at [ns UTC] by the model whose id is `model`."""

    quantity: str
    issued: int
    model: str
    horizons: tuple[Horizon, ...]


@dataclass(frozen=True, slots=True)
class Acting:
    """An actuator: the level that it reports and why, what it was last told (level, reason, id), and when
    [ns UTC]; `acknowledged`: its state names the last command; `online` by status or fresh state; `power` [W]
    that it drew when it last said so."""

    level: int | None = None
    cause: str = ""
    state_at: int = 0
    filter_h: float | None = None
    told: int | None = None
    reason: str = ""
    command: str = ""
    told_at: int = 0
    acknowledged: bool = False
    online: bool = False
    power: float | None = None
    power_at: int = 0


@dataclass(frozen=True, slots=True)
class Override:
    """A level that a person asked for, from `since` to `until` [ns UTC]; `who` is as typed, not proved."""

    actuator: str
    level: int
    since: int
    until: int
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person should know: `kind` names its text in the word catalogue, `about` the device,
    `site` where, `since` [ns UTC], `details` what fills the text's placeholders."""

    kind: str
    about: str
    site: str
    since: int
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stranger:
    """The newest samples of a node that no network file names: when they came [ns UTC], and as they came."""

    at: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """A room's balance as identified, and how far ahead [s] it must be looked after."""

    balance: Balance
    lead_s: int


@dataclass(frozen=True, slots=True)
class Official:
    """What a reference station says: the beginning of its newest hour [ns UTC], that hour's means by
    quantity, and the level of each alert in force."""

    time: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    alerts: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Live:
    """What is known right now; `now` [ns UTC] by the gateway's clock; `births`: how often a Home Assistant
    has started."""

    network: Network
    now: int = 0
    latest: dict[str, Latest] = field(default_factory=dict)
    outlook: dict[str, Outlook] = field(default_factory=dict)
    acting: dict[str, Acting] = field(default_factory=dict)
    overrides: dict[str, Override] = field(default_factory=dict)
    online: dict[str, bool] = field(default_factory=dict)
    info: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    alarms: dict[tuple[str, str], Alarm] = field(default_factory=dict)
    quarantine: dict[str, int] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)
    balances: dict[tuple[str, str], Known] = field(default_factory=dict)
    windows: dict[tuple[str, str], Decision] = field(default_factory=dict)
    official: Mapping[str, Official] = field(default_factory=dict)
    births: int = 0
    rooms: str = ""
    refused: str = ""
