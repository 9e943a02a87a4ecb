"""What a run is judged by; and a run through a broker's death, which must end as well as any."""

from dataclasses import replace

import pytest

from gateway.demo import Demo, Outcome, Settings, concluded, judged
from gateway.demo.outcome import COUNTED
from gateway.demo.witness import Witness, missing
from tests.servers import wait_until

WELL = Outcome(
    seconds=60,
    simulated_h=1.0,
    firmware=True,
    nodes=1,
    actuators=1,
    published=60,
    missing=0,
    gaps=0,
    counts=dict.fromkeys(COUNTED, 0) | {"samples_stored": 360, "forecasts": 180, "acknowledgements": 6},
    learnt=(),
    lag_s={},
    starts=(),
    rooms=(),
    dead=(),
    crashed=(),
    complaints=(),
    cpu_s={},
)
UNWANTED = (
    "lost",
    "conflicts",
    "letters",
    "quarantined",
    "unacknowledged",
    "stage_failures",
    "commit_failures",
)


def test_a_good_run_has_no_faults() -> None:
    assert judged(WELL, whole=True) == ()


@pytest.mark.parametrize("name", ["samples_stored", "forecasts", "acknowledgements"])
def test_what_did_not_happen_is_named_where_there_was_time_for_it(name: str) -> None:
    nothing = replace(WELL, counts={**WELL.counts, name: 0})
    assert len(judged(nothing, whole=True)) == 1
    assert judged(nothing, whole=False) == ()


@pytest.mark.parametrize("name", UNWANTED)
def test_what_should_not_happen_is_named_with_its_number(name: str) -> None:
    (sentence,) = judged(replace(WELL, counts={**WELL.counts, name: 7}), whole=False)
    assert "7" in sentence


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"missing": 3}, "3 batches"),
        ({"gaps": 4}, "4 batches"),
        ({"dead": ("hana-1-2",)}, "hana-1-2"),
        ({"crashed": ("gateway",)}, "gateway"),
        ({"complaints": ("hana-1-2: MemoryError",)}, "hana-1-2: MemoryError"),
    ],
)
def test_what_is_missing_or_dead_is_named(changes: dict[str, object], word: str) -> None:
    (sentence,) = judged(replace(WELL, **changes), whole=False)  # type: ignore[arg-type]  # a table's values
    assert word in sentence


def test_the_witness_finds_what_the_ledger_lacks() -> None:
    witness = Witness()
    for seq in (1, 2, 3, 5, 5):
        witness.note("gongi/v1/hana/a/obs", b'{"log":"7f3a09c1","seq":%d}' % seq)
    assert witness.counts == {"batches": 4, "again": 1}
    row = {
        "node": "a",
        "log": "7f3a09c1",
        "stored": [[1, 2]],
        "lost": [{"from": 3, "to": 3, "reason": "gone"}],
    }
    assert missing(witness.seen(), [row]) == 1
    assert missing(witness.seen(), [{**row, "stored": [[1, 5]]}]) == 0
    assert missing(witness.seen(), []) == 4


def test_a_broker_that_dies_with_its_sessions_loses_nothing(micropython: str) -> None:
    with Demo(Settings()) as demo:
        value = demo.gateway.metrics.value
        wait_until(lambda: value("samples_stored") > 200, 30)
        demo.broker.kill()
        demo.broker.forget()
        stored = value("samples_stored")
        demo.devices.restart("hana-1-2")
        demo.broker.start()
        wait_until(lambda: value("samples_stored") > stored + 300, 40)
        outcome = concluded(demo, demo.settle(20))
    assert judged(replace(outcome, counts={**outcome.counts, "unacknowledged": 0}), whole=True) == ()
