"""Our controller in the trial: it sees the nodes' values alone, and learns its rooms from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge.choice import Choice, Options, Rooms, choose
from edge.decision import Policy, deviations
from edge.identify import Stream, identify
from edge.network import Room, Timetable
from edge.policy import combinations
from edge.readings import Array
from edge.room import Balance
from gateway.trial.day import LESSONS
from gateway.trial.house import PURIFIER, VENTILATOR, said
from gateway.trial.house import Rooms as TrueRooms
from gateway.trial.paces import Paces
from gateway.trial.ways import Sight

TABLE = combinations((len(PURIFIER), len(VENTILATOR)), ("purifier", "ventilator"))
STEP = 10
"""Minutes of a step of the stream from which rooms are identified."""
LEARN = 7
"""Days between two identifications, of the last `MEMORY` days."""
MEMORY = 28
SMOOTH, DRIFT = 0.35, 0.02
"""How much of a surprise is taken for the room's value, and for a change of what comes in, at each step."""
STATED = (1.0, 0.08)
"""The standard uncertainty of a calibrated node: [µg/m³] and as a share of its value."""
FORGET = 0.75
"""How fast [1/h] an unknown inflow is expected to end."""


def files(rooms: TrueRooms) -> list[Room]:
    """What the network files say of the rooms: volume and people, and the usual leaks."""
    table = Timetable(tuple((day, first, last) for day in range(5) for first, last in LESSONS))
    pairs = zip(rooms.volume.tolist(), rooms.people.tolist(), strict=True)
    return [Room(str(n), "", "", volume, table, occupants=round(p)) for n, (volume, p) in enumerate(pairs)]


@dataclass
class Ours:
    """The controller: an observer on the identified balance looks ahead, `edge.choice` chooses."""

    truth: TrueRooms
    policy: Policy = field(default_factory=Policy)
    name: str = "ours"
    learns: bool = True
    exact: bool = False
    rooms: list[Room] = field(init=False)
    balances: list[Balance] = field(init=False)
    paces: Paces = field(init=False)
    told: Array = field(init=False)

    def __post_init__(self) -> None:
        count = self.truth.volume.size
        self.rooms = files(self.truth)
        self.paces = Paces(count)
        self.told = np.zeros((count, 2), np.int64)
        self._take([Balance.of(room) for room in self.rooms])
        self._value, self._unknown = np.full(count, np.nan), np.zeros(count)
        self._doubt = np.full(count, 0.3)
        self._due: list[tuple[float, Array, Array]] = []
        self._last: tuple[Array, Array, float] | None = None
        self._stream: list[tuple[Array, ...]] = []
        self._days = 0

    def __call__(self, sight: Sight) -> Array:
        """What it told a machine last counts as its level: the report of that may still be on its way."""
        sight = replace(sight, level=self.told)
        self.told = self._decide(sight)
        self.paces.see(self.told, sight.second)
        return self.told

    def _decide(self, sight: Sight) -> Array:
        self._observe(sight)
        self._judge(sight)
        coming = sight.used or sight.arrive <= self.policy.lead_s / 60
        if not coming:
            return np.zeros_like(sight.level)
        rooms, options = self._rooms(sight), self._options(sight)
        choice = self._choose(sight, rooms, options)
        self._due.append((sight.second + self.policy.lead_s, self._expected(choice), TABLE[choice.best]))
        return TABLE[choice.best]

    # -- what it knows --------------------------------------------------------------------------------------

    def _take(self, balances: Sequence[Balance]) -> None:
        self.balances = list(balances)
        self._know = {
            name: np.array([getattr(one, name) for one in balances]) for name in Balance.__dataclass_fields__
        }

    def _machines(self, level: Array) -> tuple[Array, Array]:
        volume = self.truth.volume
        clean = said(PURIFIER, "cadr")[level[..., 0]] * self._know["delivered"] / volume
        return clean, said(VENTILATOR, "flow")[level[..., 1]] * self.truth.ventilated / volume

    def _own(self, used: Array | bool, name: str) -> Array:
        own: Array = np.where(used, self._know["busy_" + name], self._know[name])
        return own

    def _advance(self, value: Array, outside: Array, used: bool, level: Array, hours: float) -> Array:
        clean, flow = self._machines(level)
        loss = self._own(used, "loss") + clean + flow
        gain = (self._own(used, "inward") + flow * self._know["passing"]) * outside
        gain = gain + self._know["source"] * used + self._unknown
        left = np.exp(-loss * hours)
        after: Array = value * left + np.maximum(gain, 0.0) / loss * (1 - left)
        return after

    def _observe(self, sight: Sight) -> None:
        """Correct what is believed by what is measured; what the balance can't explain is an unknown
        inflow."""
        if self._last is None or np.isnan(self._value).any():
            self._value = sight.inside
        else:
            outside, level, second = self._last
            hours = (sight.second - second) / 3600
            expected = self._advance(self._value, outside, sight.used, level, hours)
            surprise = sight.inside - expected
            self._value = expected + SMOOTH * surprise
            fade = np.exp(-FORGET * hours)
            self._unknown = np.clip(fade * self._unknown + DRIFT * surprise / max(hours, 1 / 60), -150, 300)
        self._last = (sight.outside, sight.level, sight.second)

    def _judge(self, sight: Sight) -> None:
        """Widen or narrow the doubt by how often the forecasts of half an hour ago were passed."""
        while self._due and self._due[0][0] <= sight.second:
            due, expected, level = self._due.pop(0)
            same = (level == sight.level).all(axis=1) & (sight.second - due < 300)
            relative = (sight.inside - expected) / (expected + 5.0)
            asked = 1.0 - self.policy.confidence
            step = 0.02 * ((relative > self._doubt) - asked)
            self._doubt = np.where(same, np.clip(self._doubt + step, 0.02, 1.5), self._doubt)

    # -- what it asks ---------------------------------------------------------------------------------------

    def _rooms(self, sight: Sight) -> Rooms:
        policy = self.policy
        hours = np.arange(1, policy.steps + 1) * (policy.lead_s / 3600 / policy.steps)
        likely = self._ahead(sight, hours)
        doubt = self._doubt[:, None] * (likely + 5.0) * np.sqrt(hours / hours[-1])
        risk = likely + np.hypot(doubt, self._margin()[:, None])
        return self._block(sight, hours, likely, risk)

    def _margin(self) -> Array:
        """What the uncertainty that the nodes' calibration states adds."""
        stated = np.hypot(STATED[0], STATED[1] * self._value) * (not self.exact)
        margin: Array = deviations(self.policy.confidence) * stated
        return margin

    def _ahead(self, sight: Sight, hours: Array) -> Array:
        value, found, unknown = self._value, [], self._unknown
        for length in np.diff(hours, prepend=0.0):
            self._unknown = self._unknown * np.exp(-FORGET * length)
            value = self._advance(value, sight.outside, sight.used, sight.level, float(length))
            found.append(value)
        self._unknown = unknown
        return np.stack(found, axis=1)

    def _block(self, sight: Sight, hours: Array, likely: Array, risk: Array) -> Rooms:
        count = self.truth.volume.size
        people = np.broadcast_to(hours > sight.arrive / 60, (count, hours.size))
        own = {
            name: np.stack([self._own(bool(one), name) for one in people[0]], axis=1)
            for name in ("loss", "inward", "air")
        }
        whole = np.ones(count)
        return Rooms(
            hours=hours,
            now=self._value,
            likely=likely,
            risk=risk,
            outdoor=np.repeat(sight.outside[:, None], hours.size, axis=1),
            people=people,
            **own,
            co2=sight.co2,
            breath=people * self._know["breath"][:, None],
            limit=self.policy.limit * whole,
            co2_limit=self.policy.co2_limit * whole,
            heat=0.0 * whole,
            price=self.policy.price * whole,
            budget=np.inf * whole,
        )

    def _options(self, sight: Sight) -> Options:
        clean, flow = self._machines(TABLE[:, None])
        was_clean, was_flow = self._machines(sight.level)
        codes = self.paces.codes(self.policy, sight.second)
        changed = TABLE[None] != sight.level[:, None]
        shape = flow.T.shape
        power = said(PURIFIER, "power")[TABLE[:, 0]] + said(VENTILATOR, "power")[TABLE[:, 1]]
        # A room without a ventilator has one that can't be moved.
        missing = (TABLE[:, 1] > 0) & ~self.truth.ventilated[:, None]
        return Options(
            clean=clean.T,
            flow=flow.T,
            passing=np.broadcast_to(self._know["passing"][:, None], shape),
            power=np.broadcast_to(power, shape),
            volume_flow=flow.T * self.truth.volume[:, None],
            starts=(changed & (sight.level[:, None] == 0)).sum(axis=2),
            changes=(changed & (sight.level[:, None] > 0) & (TABLE[None] > 0)).sum(axis=2),
            hand=missing,
            quiet=np.zeros(shape),
            pace=(codes[:, 0][:, TABLE[:, 0]] > 0) + 1 * (codes[:, 1][:, TABLE[:, 1]] > 0),
            was_clean=was_clean,
            was_flow=was_flow,
            was_inflow=was_flow * self._know["passing"],
        )

    def _choose(self, sight: Sight, rooms: Rooms, options: Options) -> Choice:
        return choose(rooms, options, self.policy.prices)

    def _expected(self, choice: Choice) -> Array:
        expected: Array = choice.outcome.value[np.arange(choice.best.size), choice.best]
        return expected

    # -- what it learns -------------------------------------------------------------------------------------

    def keep(self, cells: tuple[Array, ...]) -> None:
        """A day's stream (each N × 144): inside, outside, CO2, busy, and nominal clean and outdoor air
        [1/h]."""
        self._stream = [*self._stream[-MEMORY + 1 :], cells]
        self._days += 1
        if self.learns and self._days % LEARN == 0 and len(self._stream) >= LEARN:
            parts = [np.concatenate(column, axis=1) for column in zip(*self._stream, strict=True)]
            found = identify(Stream(STEP / 60, *parts), self.rooms)
            self._take([found.balance(n, room) for n, room in enumerate(self.rooms)])
