"""The virtual school: air, people, weather, sensors and machines of a network, faster than the clock.

Build it from a network, start it, read it, stop it:

    network = gateway.network.load(Path("examples/school/network.toml"))
    start = datetime(2026, 11, 24, 9, 0, tzinfo=ZoneInfo("Asia/Seoul")).timestamp()
    haze = Episode(since=start + 600, hours=6, pm25=90, pm10=130)
    stuck = Fault("P-2603", "stuck", start)
    world = World(network, start=start, seed=1, speed=60, episodes=(haze,), faults=(stuck,))
    with world, devices(world, folder, Brokers((("127.0.0.1", broker.port),))) as nodes:
        world.second()              # what `{root}/time` has to say, at least once a real second (UTC seconds)
        world.air("hana", "3-2")    # the truth: Air(pm1, pm25, pm10, co2, temp, rh); "" is outdoors
        world.level("3-2-p")        # what an actuator's output does; world.press("3-2-p") presses its button
        world.wiring.running        # False when the world ended by a fault of its own
        world.wiring.connected      # {("uart1", "3-2-a"), …}; world.wiring.port is on 127.0.0.1
        nodes.dead                  # devices that don't run; nodes.kill, switch_on, restart, erase (id)
    world.summary()                 # exposures by (site, room) as commanded, with all off, with all full on

`start()` and `stop()` do what the `with` does. `devices` (of `gateway.world.devices`; `Brokers` is in
`gateway.world.configuration`) starts MicroPython processes with the firmware, or, where there is no
MicroPython, Python's nodes of `gateway.world.virtual`, and logs one line that says so.

Outdoor air is `Weather(seed, start)`, or a table's of one place: `table = gateway.table.read(path)`, then
`weather=Recorded(table.time / 1e9, table.numbers, start, rest=Weather(seed, start - 2 * 86400))`; episodes
are laid over either. Without wires `world.settle(); world.live(until)` runs the physics alone, as fast as it
goes. `gateway.world.workbench` is the wiring with known, steady air for firmware tests.

Nothing in `edge` can see any of it: no controller reads its simulator's parameters.
"""

from gateway.world.air import Air
from gateway.world.pace import Pace
from gateway.world.school import SCENARIOS, Exposure
from gateway.world.sensing import FAULTS, Fault
from gateway.world.weather import Episode, Recorded, Weather
from gateway.world.world import Summary, Wired, World, wired

__all__ = [
    "FAULTS",
    "SCENARIOS",
    "Air",
    "Episode",
    "Exposure",
    "Fault",
    "Pace",
    "Recorded",
    "Summary",
    "Weather",
    "Wired",
    "World",
    "wired",
]
