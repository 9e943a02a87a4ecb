"""`python -m tests.policy.compare`: ten school days, five ways to run a purifier, as one table."""

import numpy as np

from edge.decision import Policy
from edge.learn.train import train
from tests.policy import day as days
from tests.policy.day import NETWORK, Day, always, live, with_policy
from tests.policy.test_days import earlier

DATES = (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)


def made(number: int) -> Day:
    """A December school day with an outdoor rise of its own."""
    rng = np.random.default_rng(number)
    peak, high, base = rng.uniform(8, 14), rng.uniform(40, 200), rng.uniform(10, 40)
    rise, fall = peak - rng.uniform(1, 4), peak + rng.uniform(1, 5)
    outdoor = [[0, base], [rise, base + 5], [peak, high], [fall, base], [24, base]]
    gain = [[0, 0], [8.9, 0], [9, rng.uniform(0, 15)], [16, 5], [16.1, 0], [24, 0]]
    return days.of({"date": f"2025-12-{DATES[number]:02d}", "outdoor": outdoor, "gain": gain})


def main() -> None:
    """Print the means over the ten days."""
    past = days.past_of(earlier(), [number % 4 for number in range(10)])
    model, _ = train(past.series(NETWORK, made(0).start * days.SECOND))
    policy = Policy()
    ways = {
        "off": (always(0), None),
        "without forecasts": (with_policy(policy, blind=True), None),
        "persistence": (with_policy(policy), None),
        "trained": (with_policy(policy), model),
        "always on": (always(3), None),
    }
    print("                   h > 35  µg/m³ occupied     Wh  switches")
    for name, (choose, used) in ways.items():
        lived = [live(made(number), choose, used, seed=number) for number in range(10)]
        rows = [(one.hours_above, one.exposure, one.energy, one.switches) for one in lived]
        hours, exposure, energy, switches = np.mean(rows, axis=0)
        print(f"{name:18} {hours:6.2f} {exposure:15.1f} {energy:6.0f} {switches:9.1f}")


if __name__ == "__main__":
    main()
