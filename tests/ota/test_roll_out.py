"""A roll-out: its arithmetic, its file, its refusals on the command line, a broker where nobody answers."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from edge.problem import Problem
from firmware.toolkit import bundle
from firmware.toolkit.bundle import BadBundle, Bundle
from firmware.toolkit.secrets import Secrets
from gateway.command.ota import ota
from gateway.ota import Delivery, Device, Parcel, Record, RecordError, State
from gateway.ota.record import staged
from tests.networks import school
from tests.servers import Mosquitto

SMALL = Bundle("node", "unix", "0.2.0", 7, (("lib/a.mpy", b"M\x06\x00\x1f" * 900),))


@given(st.integers(1, 500), st.lists(st.floats(0.001, 1.0), max_size=5))
def test_every_device_is_in_one_stage_and_stages_grow_by_their_shares(n: int, shares: list[float]) -> None:
    ordered = sorted({*shares, 1.0})
    stages = staged([str(i) for i in range(n)], ordered)
    assert list(stages.values()) == sorted(stages.values())
    assert len(stages) == n
    for stage, share in enumerate(ordered):
        passed = sum(found <= stage for found in stages.values())
        assert max(1, n * share - 1e-6) <= passed < max(2, n * share + 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(State), st.integers(0, 9), st.text(max_size=9)), min_size=1, max_size=20
    )
)
def test_a_record_comes_back_from_its_file(rows: list[tuple[State, int, str]]) -> None:
    devices = {
        str(i): Device(str(i), "hana", stage, state, i, 9, word)
        for i, (state, stage, word) in enumerate(rows)
    }
    record = Record(5, "0.2.0", "node", (0.05, 1.0), devices, "why")
    path = Path(__file__).with_name("record.tmp")
    try:
        record.save(path)
        again = Record.load(path)
    finally:
        path.unlink(missing_ok=True)
    assert again == record
    again.take_up()
    assert not {State.SENDING, State.AWAY} & {device.state for device in again.devices.values()}


def test_files_that_are_none() -> None:
    for path, error in ((Path("/nowhere"), RecordError), (Path(__file__), RecordError)):
        with pytest.raises(error):
            Record.load(path)
    with pytest.raises(BadBundle):
        bundle.load(Path(__file__))
    with pytest.raises(BadBundle):
        bundle.build("node", "unix", 0)


class Talk:
    """A delivery with what it sends written down."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.device = Device("n1", "hana", 0)
        parcel = Parcel(7, bundle.manifest(SMALL, "n1"), "00" * 32, SMALL.content)
        self.total = len(parcel.stream)
        self.delivery = Delivery(self.device, lambda: parcel, self._send, 10.0, 1.0)
        self.delivery.begin(0.0)

    def _send(self, leaf: str, payload: bytes) -> None:
        assert leaf == "cmd"
        assert len(payload) < 1024
        self.sent.append(msgspec.json.decode(payload))

    def hear(self, leaf: str, now: float = 1.0, **content: Any) -> None:
        self.delivery.hear(leaf, msgspec.json.encode(content), now)

    def answer(self, at: int, now: float = 1.0, op: str = "chunk") -> None:
        self.hear("reply", now, op=op, release=7, at=at, of=self.total)


def test_chunks_go_out_in_a_window_and_where_they_are_wanted() -> None:
    talk = Talk()
    assert talk.sent.pop(0)["op"] == "update"
    talk.answer(0, op="update")
    assert [chunk["at"] for chunk in talk.sent] == list(range(0, min(8192, talk.total), 512))
    talk.sent.clear()
    talk.answer(2048, op="update")  # a reboot: what is on flash ends here
    assert talk.sent[0]["at"] == 2048
    talk.sent.clear()
    talk.answer(talk.total)
    assert not talk.sent
    talk.hear("reply", op="update", release=7, trial=True)
    assert talk.device.state == State.TRIAL


def test_what_makes_a_device_good_and_what_does_not() -> None:
    talk = Talk()
    talk.hear("obs", boot=4, pm25=[1.0])
    talk.hear("info", release=7, trial=None, failed=None, boot=5)
    talk.hear("obs", boot=4, pm25=[1.0])  # a batch of the boot before
    talk.hear("obs", boot=5, pm25=[None])
    assert talk.device.state == State.TRIAL
    talk.hear("obs", boot=5, pm25=[None, 0])
    assert talk.device.state == State.GOOD


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"release": 3, "trial": None, "failed": [7, "sensor"]}, "sensor"),
        ({"release": 3, "trial": None, "failed": [6, "sensor"]}, ""),
        ({"release": 3, "trial": 7, "failed": None}, ""),
    ],
)
def test_info_tells_of_a_roll_back(content: dict[str, Any], word: str) -> None:
    talk = Talk()
    talk.hear("info", **content)
    assert talk.device.word == word
    assert (talk.device.state == State.FAILED) == bool(word)


def test_who_never_answers_is_away_and_who_stays_on_trial_has_failed() -> None:
    talk = Talk()
    talk.delivery.tick(3.0)
    assert len(talk.sent) == 2
    talk.delivery.tick(11.0)
    assert talk.device.state == State.AWAY
    talk = Talk()
    talk.hear("info", release=3, trial=7, failed=None)
    talk.delivery.tick(62.0)
    assert (talk.device.state, talk.device.word) == (State.FAILED, "silent")


@given(st.binary(max_size=60), st.sampled_from(["info", "reply", "obs", "state", "status"]))
def test_nothing_that_a_device_says_breaks_it(payload: bytes, leaf: str) -> None:
    talk = Talk()
    talk.delivery.hear(leaf, payload, 1.0)
    talk.delivery.hear(leaf, b'{"release":7,"at":"x","trial":[],"error":{}}', 1.0)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "network.toml").write_text(school("n0", "n1", "n2"))
    bundle.save(SMALL, tmp_path / "r.gongi")
    Secrets(tmp_path / "secrets").of("n0")
    return tmp_path


def call(desk: Path, *words: str) -> Result:
    fixed = ["--network", str(desk / "network.toml"), "--secrets", str(desk / "secrets"), "--json"]
    return CliRunner().invoke(ota, ["roll", str(desk / "r.gongi"), *fixed, *words])


def test_nobody_answers_and_going_on(desk: Path, mosquitto: Mosquitto) -> None:
    where = ("--broker", f"127.0.0.1:{mosquitto.port}", "--patience", "0.3")
    said = call(desk, *where)
    assert said.exit_code == 1
    found = json.loads(said.stdout)
    assert found["halted"] == "nobody answered in stage 1"
    assert found["counts"]["away"] == 1
    again = call(desk, *where)
    assert isinstance(again.exception, Problem)
    assert "--go-on" in str(again.exception)
    assert json.loads(call(desk, *where, "--go-on").stdout)["halted"]
    status = CliRunner().invoke(ota, ["status", str(desk / "r.gongi")])
    assert status.exit_code == 1
    assert "nobody answered" in status.stdout


def test_wrong_calls_say_what_to_do(desk: Path) -> None:
    assert "there is no node n9" in str(call(desk, "--only", "n9").exception)
    Record(8, "0.2.0", "node", (1.0,)).save(desk / "r.gongi.json")
    assert "release 8" in str(call(desk).exception)
    (desk / "secrets" / "master.key").unlink()
    (desk / "r.gongi.json").unlink()
    assert "keys aren't here" in str(call(desk).exception)


def test_a_bundle_is_compiled_bytecode_that_is_saved_the_same_twice(tmp_path: Path) -> None:
    made = CliRunner().invoke(ota, ["build", "--release", "9", "--out", str(tmp_path / "a.gongi"), "--json"])
    assert json.loads(made.stdout)["release"] == 9
    first = bundle.load(tmp_path / "a.gongi")
    names = [name for name, _ in first.files]
    assert {"lib/update.mpy", "node/app.mpy", "board_esp32.mpy"} <= set(names)
    assert not {"main.py", "boot.py", "slots.mpy"} & set(names)
    assert all(data[:3] == b"M\x06\x00" for _, data in first.files)
    bundle.save(first, tmp_path / "b.gongi")
    assert (tmp_path / "a.gongi").read_bytes() == (tmp_path / "b.gongi").read_bytes()
