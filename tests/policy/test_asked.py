"""A person's level beside the policy's: it stands, and the rest is planned around it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.readings import SECOND
from gateway.live import Override
from tests.policy.test_gateway_control import NOON, Bench, network


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path, network(most_w=70.0))
    yield one
    one.journal.close()


def asked(bench: Bench, actuator: str, level: int) -> None:
    until = (NOON + 600) * SECOND
    bench.live.overrides[actuator] = Override(actuator, level, bench.live.now, until, "kim")


def levels(bench: Bench) -> dict[str, list[object]]:
    """What each actuator was told, in order, each once."""
    found: dict[str, dict[object, None]] = {}
    for topic, said in bench.sent:
        found.setdefault(topic.split("/")[3], {})[said["level"]] = None
    return {name: list(told) for name, told in found.items()}


def test_a_persons_level_stands_against_the_policy_until_its_time_is_over(bench: Bench) -> None:
    bench.turn()
    asked(bench, "a-p", 0)
    bench.at(61, a_n=80.0, b_n=5.0, yard=90.0)
    assert bench.turn()["a-p"] == (None, "hand"), "the policy leaves it alone"
    assert levels(bench)["a-p"] == [0]
    said = dict(bench.sent)["gongi/v1/hana/a-p/set"]
    assert said["reason"] == "a person asked for it, for 10 min"
    for second in range(65, 590, 5):
        bench.at(second)
        bench.actuate.tick(bench.live.now)
    assert levels(bench)["a-p"] == [0]
    issued = [int(str(said["issued"])) for topic, said in bench.sent if topic.endswith("a-p/set")]
    assert max(issued) - min(issued) > 300, "renewed beyond one command's life, though nobody decided"

    del bench.live.overrides["a-p"]
    bench.at(661, a_n=80.0, b_n=5.0, yard=90.0)
    assert bench.turn()["a-p"] == (2, "over")


def test_the_power_that_a_person_takes_is_missing_elsewhere(bench: Bench) -> None:
    bench.turn()
    asked(bench, "b-p", 2)
    bench.at(61, a_n=80.0, b_n=5.0, yard=90.0)
    assert bench.turn()["a-p"] == (0, "power"), "10 W are left of 70"
    assert levels(bench) == {"b-p": [2], "a-p": [0]}


def test_what_changed_files_no_longer_have_is_not_sent(bench: Bench) -> None:
    bench.turn()
    asked(bench, "a-p", 3)
    asked(bench, "gone", 1)
    bench.at(61)
    bench.actuate.tick(bench.live.now)
    assert bench.sent == []
