"""The controller with a perfect forecast: what is lost for want of knowledge."""

from dataclasses import dataclass

import numpy as np

from edge.choice import TAIL, Choice, Options, Outcome, Rooms, choose
from edge.readings import Array
from gateway.trial.house import Houses, advance
from gateway.trial.ours import TABLE, Ours
from gateway.trial.ways import Sight


@dataclass
class Oracle(Ours):
    """The same cost, but it knows the rooms and what will happen to them: no controller can do better by
    knowing more."""

    houses: Houses | None = None
    place: int = 0
    name: str = "oracle"
    learns: bool = False

    def _choose(self, sight: Sight, rooms: Rooms, options: Options) -> Choice:
        return choose(rooms, options, self.policy.prices, self._future(sight, rooms))

    def _future(self, sight: Sight, rooms: Rooms) -> Outcome:
        """What truly becomes of each combination."""
        houses = self.houses
        assert houses is not None, "an oracle needs its world"
        state = np.repeat(houses.state[self.place][None], len(TABLE), axis=0)
        level = np.repeat(TABLE[:, None], state.shape[1], axis=1)
        clean, flow = houses.drive(level, houses.ran[self.place])
        limit, co2_limit = self.policy.limit, self.policy.co2_limit * self._borne(sight)
        dust, excess, peak = (np.zeros(state.shape[:2]) for _ in range(3))
        at = (
            np.searchsorted(sight.day.start, sight.second + 3600 * (rooms.hours - rooms.hours[0]), "right")
            - 1
        )
        for place, length in zip(at.tolist(), np.diff(rooms.hours, prepend=0.0).tolist(), strict=True):
            state = advance(self.truth, state, sight.day, place, length, clean, flow)
            value, co2 = state[..., 0, 0] + state[..., 1, 0], state[..., 2, 0]
            last = place == at[-1]
            counts = (length + TAIL * last) * sight.day.used[place]
            dust += counts * np.maximum(value - limit, 0)
            excess += counts * np.maximum(co2 - co2_limit, 0)
            peak = np.maximum(peak, value)
        return Outcome(value.T, value.T, peak.T, co2.T, dust.T, excess.T)

    def _borne(self, sight: Sight) -> Array:
        foul = sight.outside > self.policy.limit
        borne: Array = np.where(foul, self.policy.prices.foul, 1.0)
        return borne
