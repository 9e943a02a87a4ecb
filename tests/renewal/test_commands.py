"""`gongi ca`, `gongi broker`, `gongi node`: as a person calls them, with devices at a real Mosquitto."""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from click.testing import CliRunner, Result

from firmware.toolkit import authority, register
from firmware.toolkit.secrets import Secrets
from gateway import command
from gateway.command import ca, certificates
from gateway.renewal import RecordError, alone
from tests.networks import network, school
from tests.renewal.behaving import ROOT, Behaving
from tests.servers import wait_until

NODES = ("n1", "n2", "n3")
BOTH = ("hana", "duri")
BROKERS = pytest.mark.parametrize("desk", ["mosquitto", "nats"], indirect=True)
WIFI = """
[[network]]
ssid = "school"
password = "sesame-open"

[[broker]]
host = "old"
port = 1
"""


class Desk:
    """The operator's folder, and three devices at the broker, the third switched off."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.secrets = folder / "secrets"
        self.server = self.secrets / "mosquitto" / "server.crt"
        (folder / "network.toml").write_text(school(*NODES))
        (folder / "wifi.toml").write_text(WIFI)
        keys = Secrets(self.secrets)
        self.devices = {node: Behaving(port, node, keys.of(node).key) for node in NODES}

    def call(self, *words: str, talks: bool = True) -> Result:
        group, *rest = words
        fixed = ["--secrets", str(self.secrets), "--json"]
        if talks:
            fixed += ["--network", str(self.folder / "network.toml"), "--patience", "0.5"]
            fixed += ["--broker", f"127.0.0.1:{self.port}", "--register", str(self.folder / "flashed.csv")]
        return CliRunner().invoke(command.gongi, [group, *rest, *fixed])

    def say(self, *words: str, status: int = 0, talks: bool = True) -> dict[str, Any]:
        """What a call answers, which must end so."""
        done = self.call(*words, talks=talks)
        assert done.exit_code == status, (done.output, done.exception)
        return dict(json.loads(done.stdout))

    def by(self, path: Path) -> str:
        """The authority of a certificate."""
        files = [self.secrets / name for name in ("ca.pem", "ca-next.pem")]
        found = [one for one in files if one.exists() and authority.signed_by(path, one)]
        return authority.describe(found[0], "authority").id

    def retained(self) -> dict[str, bytes]:
        """What the broker keeps."""
        heard: dict[str, bytes] = {}
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        done: list[int] = []
        client.on_message = lambda c, d, message: heard.update({message.topic: message.payload})
        client.on_connect = lambda c, *rest: c.subscribe(f"{ROOT}/#")
        client.on_subscribe = lambda c, d, mid, *rest: c.publish("end", b"", 1)
        client.on_publish = lambda c, d, mid, *rest: done.append(mid)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        wait_until(lambda: done)
        client.disconnect()
        client.loop_stop()
        return heard


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """At a Mosquitto, where the test doesn't name another broker."""
    desk = Desk(tmp_path, request.getfixturevalue(getattr(request, "param", "mosquitto")).port)
    for node in NODES[:2]:
        desk.devices[node].on()
    yield desk
    for device in desk.devices.values():
        device.off()


def devices(rows: list[dict[str, Any]]) -> list[str]:
    return [row["device"] for row in rows]


@BROKERS
def test_an_authority_is_renewed_while_a_device_is_away(desk: Desk) -> None:
    desk.say("ca", "make", "--host", "localhost", talks=False)
    old = authority.describe(desk.secrets / "ca.pem", "authority").id
    first = authority.der(desk.secrets / "ca.pem")
    for device in desk.devices.values():
        device.config["ca"] = [b64encode(first).decode()]
        device.proves = lambda: desk.by(desk.server)
    planned = desk.say("ca", "rotate", "--dry-run")
    assert planned["dry_run"]
    assert "3 devices" in planned["next"]
    assert not (desk.secrets / "ca-next.pem").exists()
    said = desk.say("ca", "rotate", status=1)
    assert devices(said["lacking"]) == ["n3"]
    assert said["lacking"][0]["heard"] is None
    assert said["counts"]["trusts both"] == 2
    assert desk.by(desk.server) == old, "while one doesn't trust the next, the broker keeps its certificate"
    early = desk.say("ca", "retire", status=1)
    assert devices(early["lacking"]) == ["n1", "n2", "n3"]
    desk.devices["n3"].on()
    said = desk.say("ca", "rotate")
    assert said["counts"]["proved"] == 3
    new = desk.by(desk.server)
    assert new != old
    assert desk.by(desk.server.with_name("server-before.crt")) == old
    assert desk.devices["n1"].facts["turn"] > 0
    desk.devices["n2"].off()
    away = desk.say("ca", "retire", status=1)
    assert devices(away["lacking"]) == ["n2"]
    assert away["lacking"][0]["heard"], "it was heard during the rotation"
    assert (desk.secrets / "ca-next.pem").exists()
    desk.devices["n2"].on()
    assert desk.say("ca", "retire")["complete"]
    assert authority.describe(desk.secrets / "ca.pem", "authority").id == new
    assert not (desk.secrets / "ca-next.pem").exists()
    assert desk.by(desk.server.with_name("server-before.crt")) == new
    assert authority.signed_by(desk.server, desk.secrets / "ca.pem")
    assert {len(device.config["ca"]) for device in desk.devices.values()} == {1}
    shown = desk.say("ca", "show", talks=False)
    assert [row["role"] for row in shown["certificates"]] == ["authority", "server", "server"]


def test_who_never_comes_is_left_behind_by_name(desk: Desk) -> None:
    to = ("--to", "new:8883", "--wifi", str(desk.folder / "wifi.toml"))
    said = desk.say("broker", "move", *to, status=1)
    assert devices(said["lacking"]) == ["n3"]
    assert desk.devices["n1"].config["brokers"] == [["new", 8883], ["old", 1]]
    assert devices(desk.say("broker", "retire", status=1)["lacking"]) == ["n3"]
    assert "new:8883 is under way" in str(desk.call("broker", "move", "--to", "else:1").exception)
    assert "there is no n9" in str(desk.call("broker", "retire", "--without", "n9").exception)
    done = desk.call("broker", "retire", "--without", "n3", "--ca", str(desk.folder / "wifi.toml"))
    assert "this is no certificate" in str(done.exception)
    said = desk.say("broker", "retire", "--without", "n3")
    assert said["complete"]
    assert said["counts"]["left behind"] == 1
    assert desk.devices["n2"].config["brokers"] == [["new", 8883]]
    assert "no move is under way" in str(desk.call("broker", "retire").exception)


def test_with_wait_a_move_ends_by_itself_and_a_refusal_is_named(desk: Desk) -> None:
    desk.devices["n2"].word = "key"
    to = ("--to", "new:8883", "--from", "old:1", "--without", "n3", "--wait")
    said = desk.say("broker", "move", *to, status=1)
    assert [(row["device"], row["word"]) for row in said["lacking"]] == [("n2", "key")]
    desk.devices["n2"].word = ""
    assert desk.say("broker", "move", *to)["complete"]
    assert desk.devices["n1"].config["brokers"] == [["new", 8883]]


def test_a_killed_call_is_taken_up_where_it_was(desk: Desk) -> None:
    fixed = ["--network", str(desk.folder / "network.toml"), "--secrets", str(desk.secrets), "--json"]
    fixed += ["--broker", f"127.0.0.1:{desk.port}", "--register", str(desk.folder / "flashed.csv")]
    words = ["broker", "move", "--to", "new:8883", "--from", "old:1", "--wait"]
    first = subprocess.Popen([sys.executable, "-m", "gateway", *words, *fixed], stdout=subprocess.DEVNULL)
    record = desk.secrets / "renewals" / "broker.json"
    wait_until(lambda: record.exists() and json.loads(record.read_bytes())["counts"]["proved"] == 2, 30)
    first.kill()
    first.wait(10)
    boots = desk.devices["n1"].boots
    desk.devices["n3"].on()
    assert desk.say(*words)["complete"]
    assert desk.devices["n1"].boots == boots + 1, "the old address goes; nothing before that is asked again"
    assert [device.config["brokers"] for device in desk.devices.values()] == [[["new", 8883]]] * 3


@pytest.mark.parametrize("back", ["", "wifi"])
def test_wifi_networks_are_tried_and_the_result_told(desk: Desk, back: str) -> None:
    desk.devices["n1"].given_back = back
    words = ("node", "wifi", "n1", "--networks", str(desk.folder / "wifi.toml"))
    done = desk.call(*words)
    assert done.exit_code == (1 if back else 0)
    said = json.loads(done.stdout)
    assert said["devices"] == {"n1": f"given back: {back}" if back else "joined"}
    assert said["networks"] == ["school"]
    assert "sesame" not in done.output
    assert (desk.devices["n1"].config["wifi"] == [["school", "sesame-open"]]) != bool(back)
    assert not [path for path in desk.secrets.rglob("*") if path.is_file() and b"sesame" in path.read_bytes()]


def test_wifi_of_who_is_not_there(desk: Desk) -> None:
    words = ("node", "wifi", "n3", "--networks", str(desk.folder / "wifi.toml"))
    assert desk.say(*words, status=1)["devices"] == {"n3": "not heard"}
    assert desk.say(*words, "--dry-run")["dry_run"]


@BROKERS
def test_a_device_moves_to_another_site_and_its_old_address_is_cleared(desk: Desk) -> None:
    for node in NODES:
        entry = dict.fromkeys(register.COLUMNS, "") | {"node": node, "kind": "node", "site": "hana"}
        register.enter(desk.folder / "flashed.csv", entry)
    (desk.folder / "network.toml").write_text(network({"n1": BOTH, "n2": ("hana",), "n3": BOTH}, sites=BOTH))
    said = desk.say("node", "move", status=1)
    assert said["moved"] == ["n1"]
    assert devices(said["lacking"]) == ["n3"]
    assert desk.devices["n1"].config["site"] == "duri"
    assert desk.devices["n2"].last == 0
    assert {topic.split("/")[2] for topic in desk.retained() if "/n1/" in topic} == {"duri"}
    (desk.folder / "network.toml").write_text(network(dict.fromkeys(NODES, BOTH), sites=BOTH))
    assert sorted(desk.say("node", "move", "n2", status=1)["moved"]) == ["n1", "n2"], "n3 isn't forgotten"
    desk.devices["n3"].on()
    said = desk.say("node", "move")
    assert sorted(said["moved"]) == ["n1", "n2", "n3"]
    assert said["complete"]
    assert {row["site"] for row in register.newest(desk.folder / "flashed.csv").values()} == {"duri"}
    assert desk.say("node", "move")["moved"] == []


def writing(monkeypatch: pytest.MonkeyPatch, torn: int) -> None:
    """Cut the power before this one of the files that are written, whoever writes it."""
    real, count = authority.write_private, iter(range(99))

    def write(path: Path, data: bytes, anew: bool = False) -> None:
        if next(count) == torn:
            raise KeyboardInterrupt
        real(path, data, anew)

    monkeypatch.setattr(authority, "write_private", write)


@pytest.mark.parametrize("torn", range(1, 6))
def test_a_making_that_was_torn_is_finished(
    tmp_path: Path, torn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ["ca", "make", "--host", "localhost", "--secrets", str(tmp_path / "secrets"), "--json"]
    folder = tmp_path / "secrets" / "mosquitto"
    with monkeypatch.context() as patch:
        writing(patch, torn)
        assert CliRunner().invoke(command.gongi, call).exit_code
    again = CliRunner().invoke(command.gongi, call)
    if torn == 1:  # the key alone: the certificate may have been lost
        assert "a key is here without its certificate" in str(again.exception)
        return
    assert again.exit_code == 0
    assert authority.fits(folder / "server.crt")
    assert authority.fits(folder / "server-before.crt")
    assert "already" in str(CliRunner().invoke(command.gongi, call).exception)


@pytest.mark.parametrize("torn", range(6))
def test_a_certificate_by_the_next_whose_issue_was_torn_is_issued(
    tmp_path: Path, torn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = Secrets(tmp_path / "secrets")
    current = authority.make(secrets)
    place = certificates.Place(secrets.folder, None, ())
    place.issue("ca.pem", ["localhost"])
    told: list[Path] = []
    monkeypatch.setattr(certificates.Place, "tell", lambda self: told.append(self.server))
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        writing(patch, torn)
        later = authority.make(secrets, "ca-next.pem")
        ca.issue_next(place, ())
    later = secrets.folder / "ca-next.pem"
    if not later.exists():
        authority.make(secrets, "ca-next.pem")
    ca.issue_next(place, ())
    assert told
    for name, by in (("server", later), ("server-before", current)):
        path = place.folder / f"{name}.crt"
        assert authority.fits(path)
        assert authority.signed_by(path, by)


def test_two_calls_of_one_renewal_are_refused_and_a_killed_one_is_none(tmp_path: Path) -> None:
    with alone(tmp_path / "deep" / "ca.json"):
        with alone(tmp_path / "deep" / "broker.json"):
            pass
        refused = pytest.raises(RecordError, match="another call")
        with refused, alone(tmp_path / "deep" / "ca.json"):
            pass
    with alone(tmp_path / "deep" / "ca.json"):
        pass


def test_who_was_flashed_while_nobody_listened_begins_anew(desk: Desk) -> None:
    to = ("--to", "new:8883", "--from", "old:1", "--without", "n3")
    said = desk.say("broker", "move", *to)
    turn = desk.devices["n1"].last
    at = datetime.fromtimestamp(turn + 9, UTC).isoformat()
    entry = dict.fromkeys(register.COLUMNS, "") | {"node": "n1", "kind": "node", "site": "hana", "at": at}
    register.enter(desk.folder / "flashed.csv", entry)
    assert said["counts"]["proved"] == 2
    assert desk.say("broker", "retire", "--dry-run", status=0)["counts"]["proved"] == 1


@pytest.mark.parametrize("torn", range(4))
def test_a_succession_that_was_torn_is_finished(
    tmp_path: Path, torn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step the power is cut at, the next call ends with the next authority and its own key."""
    secrets = Secrets(tmp_path / "secrets")
    authority.make(secrets)
    authority.make(secrets, "ca-next.pem")
    wanted = (secrets.folder / "ca-next.pem").read_bytes(), (secrets.folder / "ca-next.key").read_bytes()
    steps = 0
    for name in ("unlink", "replace"):
        real = getattr(Path, name)

        def cut(self: Path, *rest: Any, _real: Any = real, **more: Any) -> Any:
            nonlocal steps
            steps += self.suffix in (".pem", ".key")
            if steps == torn and self.suffix in (".pem", ".key"):
                raise OSError("power cut")
            return _real(self, *rest, **more)

        monkeypatch.setattr(Path, name, cut)
    if torn:
        with pytest.raises(OSError, match="power cut"):
            authority.succeed(secrets)
    monkeypatch.undo()
    authority.succeed(secrets)
    authority.succeed(secrets)
    found = (secrets.folder / "ca.pem").read_bytes(), (secrets.folder / "ca.key").read_bytes()
    assert found == wanted
    assert not (secrets.folder / "ca-next.pem").exists()


def test_a_certificate_near_its_end_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "SERVER_YEARS", 0.2)
    call = [*("--host", "localhost", "--secrets", str(tmp_path / "secrets"), "--json")]
    assert CliRunner().invoke(command.gongi, ["ca", "make", *call]).exit_code == 0
    shown = CliRunner().invoke(command.gongi, ["ca", "show", *call[2:]])
    assert shown.exit_code == 1
    warnings = [row["warning"] for row in json.loads(shown.stdout)["certificates"]]
    assert warnings[0] is None
    assert "ends in 7" in warnings[1]
    again = CliRunner().invoke(command.gongi, ["ca", "make", *call])
    assert "there is an authority already" in str(again.exception)
    monkeypatch.undo()
    assert CliRunner().invoke(command.gongi, ["ca", "issue", *call[2:]]).exit_code == 0
    renewed = CliRunner().invoke(command.gongi, ["ca", "show", *call[2:]])
    assert json.loads(renewed.stdout)["certificates"][1]["warning"] is None
