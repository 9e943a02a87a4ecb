from lib import ticks as tick
from lib.clock import Clock


class Ticks:
    speed = 1

    def __init__(self, start: int) -> None:
        self.ms = start

    def now(self) -> int:
        return self.ms & 0x3FFFFFFF


def test_differences_over_the_wrap() -> None:
    assert tick.diff(5, 0x3FFFFFFE) == 7
    assert tick.diff(0x3FFFFFFE, 5) == -7
    for start in (0, 1, 1 << 29, 0x3FFFFFFF):
        for span in (0, 1, 100000, (1 << 29) - 1):
            assert tick.diff((start + span) & tick.MASK, start) == span


def test_uptime_goes_on_over_many_wraps() -> None:
    ticks = Ticks(0x3FFFFFFF - 12345)
    clock = Clock(ticks)
    for _ in range(50):
        ticks.ms += 400000000
        clock.up()
    assert clock.up() == 20000000
    ticks.ms += 999
    assert clock.up() == 20000000
    assert clock.until(20000003) == 2001
    assert clock.until(20000000) == -999


def test_utc_is_none_until_somebody_says_it() -> None:
    ticks = Ticks(0)
    clock = Clock(ticks)
    ticks.ms += 100000
    assert clock.utc() is None
    assert clock.at(5) is None
    assert clock.offer(1763778000)
    assert (clock.utc(), clock.at(0), clock.steps) == (1763778000, 1763777900, 1)
    ticks.ms += 10000
    assert not clock.offer(1763778011)
    assert clock.utc() == 1763778010


def test_a_message_ahead_is_believed_at_once_and_one_behind_only_with_patience() -> None:
    ticks = Ticks(0)
    clock = Clock(ticks)
    clock.offer(1763778000)
    assert not clock.offer(1763777990)  # one that was on its way for ten seconds
    assert clock.utc() == 1763778000
    assert clock.offer(1763778003)
    assert clock.utc() == 1763778003
    for i in range(7):
        assert not clock.offer(1763777000 - i)
    assert clock.offer(1763777001)
    assert clock.utc() == 1763777001
    assert clock.steps == 3


def test_impossible_times_are_refused() -> None:
    clock = Clock(Ticks(0))
    for utc in (0, -5, 946684812, 4102444801, 10**30):
        try:
            clock.offer(utc)
        except ValueError:
            continue
        raise AssertionError(utc)
    assert clock.utc() is None
