"""One device on its way: what it is sent, and what each of its words means."""

import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.command.renewing import sign
from gateway.renewal import RENEWALS, Course, Member, Pace, Record, RecordError
from gateway.renewal.course import MOST_BYTES, TooLong

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "reconfigure.json").read_text("utf-8"))
NOW, NEXT = "aaaaaaaa", "bbbbbbbb"
CA = {"current": {"id": NOW, "der": "AAAA"}, "next": {"id": NEXT, "der": "BBBB"}}
BROKER = {"to": [["new", 8883]], "from": [["old", 8883], ["new", 8883]]}
UTC = 1_795_338_898


class Talk:
    """A course with what it sends written down."""

    def __init__(self, kind: str, facts: dict[str, Any], begun: int = UTC) -> None:
        self.sent: list[dict[str, Any]] = []
        self.cleared: list[str] = []
        self.member = Member("n1", "hana")
        steps, lane = RENEWALS[kind](facts, "n1"), tuple(RENEWALS).index(kind)
        self.course = Course(
            self.member, steps, "gongi/v1", lambda *_: "00" * 32, self._send, Pace(), begun, lane
        )

    def _send(self, end: str, payload: bytes, retain: bool) -> None:
        if retain:
            assert payload == b""
            self.cleared.append(end)
        else:
            self.sent.append(msgspec.json.decode(payload) | {"to": end})

    def hear(
        self, leaf: str, now: float = 1.0, site: str = "hana", live: bool = True, **content: Any
    ) -> None:
        self.course.hear(site, leaf, msgspec.json.encode(content), now, UTC + int(now), live)

    def info(self, now: float = 1.0, site: str = "hana", live: bool = True, **said: Any) -> None:
        self.hear("info", now, site, live, **{"turn": 0, "turning": None, "turned": None, **said})

    def tick(self, now: float, upto: int = 3) -> dict[str, Any]:
        """What is sent at this time, empty for nothing."""
        before = len(self.sent)
        self.course.tick(now, UTC + int(now), upto)
        return self.sent[-1] if len(self.sent) > before else {}

    def taken(self, now: float) -> None:
        """It is asked, takes the change, and comes back with it in force."""
        turn = self.tick(now)["turn"]
        self.hear("reply", now, op="reconfigure", turn=turn, trial=True)
        self.info(now, turn=turn)


@pytest.mark.parametrize("case", VECTORS["mac"])
def test_the_seal_is_the_device_s(case: dict[str, Any]) -> None:
    assert sign(bytes.fromhex(case["key"]), case["turn"], case["change"]) == case["mac"]
    text = b"reconfigure\n" + str(case["turn"]).encode() + b"\n" + case["change"].encode()
    assert hmac.new(bytes.fromhex(case["key"]), text, "sha256").hexdigest() == case["mac"]


def test_the_documentation_s_example_is_sealed_as_it_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "wire.md").read_text("utf-8")
    shown = json.loads(text.split("## Reconfigure")[1].split("```json\n")[1].split("```")[0])
    assert sign(bytes(range(32)), shown["turn"], shown["change"]) == shown["mac"]


def test_who_is_not_there_is_sent_nothing_and_who_comes_is_asked_at_once() -> None:
    talk = Talk("broker", BROKER)
    assert not talk.tick(0)
    talk.info(live=False)
    talk.course.hear("hana", "status", b"offline", 1.0, UTC, False)
    assert not talk.tick(2)
    talk.course.hear("hana", "status", b"online", 3.0, UTC, True)
    sent = talk.tick(3)
    assert (sent["op"], sent["to"]) == ("reconfigure", "hana/n1/cmd")
    assert json.loads(sent["change"]) == {"brokers": [["new", 8883], ["old", 8883]]}
    assert not talk.tick(4)
    assert talk.tick(5)["turn"] == sent["turn"], "no answer: the same turn again"


def test_what_an_old_broker_keeps_does_not_hide_who_is_at_the_new_one() -> None:
    talk = Talk("broker", BROKER)
    for payload in (b"online", b"offline"):
        talk.course.hear("hana", "status", payload, 1.0, UTC, False)
    assert not talk.tick(1), "which turn it has isn't known yet"
    talk.info(live=False, turn=UTC + 5)
    assert talk.tick(1)["turn"] > UTC + 5
    talk.course.hear("hana", "status", b"offline", 2.0, UTC, True)
    assert not talk.tick(9)


def test_an_authority_is_changed_in_three_steps_and_only_so_far_as_it_may() -> None:
    talk = Talk("ca", CA)
    talk.info(trusts=[NOW], ca=NOW)
    assert json.loads(talk.tick(1)["change"]) == {"ca": ["AAAA", "BBBB"]}
    turn = talk.sent[-1]["turn"]
    talk.hear("reply", op="reconfigure", turn=turn, trial=True)
    assert talk.course.trying
    talk.info(turning=turn, trusts=[NOW, NEXT], ca=NEXT)
    assert talk.member.done == 0, "on trial nothing is proved"
    talk.info(turn=turn, trusts=[NOW, NEXT], ca=NOW)
    assert talk.member.done == 1
    assert not talk.tick(2, upto=1)
    assert talk.tick(2)["op"] == "reboot"
    talk.info(3, turn=turn, trusts=[NOW, NEXT], ca=NOW)
    assert not talk.tick(4), "so soon it isn't asked to start again"
    talk.info(5, turn=turn, trusts=[NOW, NEXT], ca=NEXT)
    assert talk.member.done == 2
    assert not talk.tick(6, upto=2)
    assert json.loads(talk.tick(6)["change"]) == {"ca": ["BBBB"]}
    talk.info(7, turn=talk.sent[-1]["turn"], trusts=[NEXT], ca=NEXT)
    assert talk.member.done == 3


def test_a_device_that_needs_no_change_gets_none() -> None:
    talk = Talk("ca", CA)
    talk.info(trusts=[NEXT, NOW], ca=NEXT)
    assert talk.member.done == 2
    assert not talk.tick(1, upto=2)


def test_what_a_broker_kept_from_earlier_times_proves_nothing() -> None:
    talk = Talk("broker", BROKER)
    talk.info(live=False, turn=UTC - 9, broker="new:8883")
    assert talk.member.done == 0
    talk.info(live=False, turn=UTC + 9, broker="new:8883")
    assert talk.member.done == 2


def test_an_older_turn_is_followed_by_a_higher_one() -> None:
    talk = Talk("broker", BROKER)
    talk.info(turn=UTC + 500)
    first = talk.tick(1)["turn"]
    assert first > UTC + 500
    talk.hear("reply", 2, op="reconfigure", turn=first, error="older")
    second = talk.tick(2)["turn"]
    assert second > first
    talk.info(3, turn=second)
    talk.hear("reply", 4, op="reconfigure", turn=second, error="older")
    assert talk.member.done == 1
    assert talk.tick(4)["op"] == "reboot", "a doubled message is no refusal"


def test_two_renewals_in_one_second_are_not_taken_for_each_other() -> None:
    talks = [Talk("ca", CA), Talk("broker", BROKER)]
    for talk in talks:
        talk.info(trusts=[NOW], ca=NOW, broker="old:8883")
    turn, _ = (talk.tick(1)["turn"] for talk in talks)
    for talk in talks:  # the device takes the first alone
        talk.hear("reply", op="reconfigure", turn=turn, trial=True)
        talk.info(turn=turn, trusts=[NOW, NEXT], ca=NOW, broker="old:8883")
    assert [talk.member.done for talk in talks] == [1, 0]


def test_who_was_flashed_in_the_middle_begins_anew() -> None:
    talk = Talk("broker", BROKER)
    talk.info()
    talk.taken(1)
    talk.info(2, turn=talk.member.turn, broker="new:8883")
    assert talk.member.done == 2
    talk.info(3, broker="old:8883")
    assert talk.member.done == 0
    before = talk.member.turn
    talk.taken(4)
    assert (talk.member.done, talk.member.turn > before) == (1, True)


@pytest.mark.parametrize("word", ["mac", "change", "key", "unknown op"])
def test_a_refusal_is_named_and_not_repeated(word: str) -> None:
    talk = Talk("broker", BROKER)
    talk.info()
    turn = talk.tick(1)["turn"]
    talk.hear("reply", 2, op="reconfigure", turn=turn, error=word)
    assert talk.member.word == word
    assert not talk.tick(500)


def test_another_trial_is_waited_for() -> None:
    talk = Talk("broker", BROKER)
    talk.info()
    turn = talk.tick(1)["turn"]
    talk.hear("reply", 1, op="reconfigure", turn=turn, error="trial")
    assert not talk.tick(20)
    assert talk.tick(31)["turn"] == turn


def test_what_is_given_back_says_why_and_may_be_tried_again(tmp_path: Path) -> None:
    talk = Talk("wifi", {"networks": [["a", "secret-1"]], "trial_s": 600})
    talk.info()
    turn = talk.tick(1)["turn"]
    talk.hear("reply", 1, op="reconfigure", turn=turn, trial=True)
    assert not talk.tick(700)
    talk.info(710, turned=[turn, "wifi"])
    assert talk.member.word == "given back: wifi"
    Record("wifi", {}, UTC, {"n1": talk.member}).take_up()
    talk.info(711, turned=[turn, "wifi"])
    assert talk.tick(712)["turn"] > turn


def test_silence_after_a_trial_is_named() -> None:
    talk = Talk("broker", BROKER)
    talk.info()
    talk.hear("reply", 1, op="reconfigure", turn=talk.tick(1)["turn"], trial=True)
    talk.tick(720)
    assert not talk.member.word
    talk.tick(722)
    assert talk.member.word == "silent since its trial"


def test_a_moved_device_leaves_nothing_at_its_old_addresses() -> None:
    talk = Talk("site", {"to": {"n1": "duri"}})
    talk.info(live=False, site="seti")
    talk.info()
    assert talk.tick(1)["to"] == "hana/n1/cmd"
    turn = talk.sent[-1]["turn"]
    assert not talk.cleared
    talk.info(2, site="duri", turn=turn)
    assert talk.member.done == 1
    cleared = {f"{site}/n1/{leaf}" for site in ("hana", "seti") for leaf in ("info", "status", "state")}
    assert set(talk.cleared) == cleared
    talk.course.hear("hana", "info", b"", 3.0, UTC, True)
    assert len(talk.cleared) == 6, "our own clearing comes back to us"
    talk.info(4, site="seti", live=False)
    assert len(talk.cleared) == 9, "what is told of late is cleared as well"


def test_a_change_that_no_buffer_holds_is_refused_here() -> None:
    big = {"current": {"id": NOW, "der": "A" * 1000}, "next": {"id": NEXT, "der": "B" * 1000}}
    talk = Talk("ca", big)
    talk.info()
    with pytest.raises(TooLong, match=str(MOST_BYTES)):
        talk.tick(1)


@given(
    st.sampled_from(["info", "reply", "status", "obs"]),
    st.one_of(
        st.binary(max_size=60),
        st.dictionaries(
            st.sampled_from(["op", "turn", "turning", "turned", "trusts", "ca", "broker", "trial", "error"]),
            st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2)),
        ).map(msgspec.json.encode),
    ),
)
def test_nothing_that_a_device_says_breaks_it(leaf: str, payload: bytes) -> None:
    for kind, facts in (("ca", CA), ("broker", BROKER), ("site", {"to": {"n1": "duri"}})):
        talk = Talk(kind, facts)
        talk.info()
        talk.tick(1)
        talk.course.hear("hana", leaf, payload, 2.0, UTC, True)
        talk.tick(3)


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    members = {"n1": Member("n1", "hana", 1, UTC, 0, "mac", UTC, True), "n2": Member("n2", "duri")}
    record = Record("ca", CA, UTC, members, 2)
    record.save(tmp_path / "deep" / "ca.json")
    assert Record.load(tmp_path / "deep" / "ca.json") == record
    assert [one.id for one in record.lacking(1)] == ["n2"]
    for path in (tmp_path / "none", Path(__file__)):
        with pytest.raises(RecordError):
            Record.load(path)
