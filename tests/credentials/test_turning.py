"""Rotation, proof, retirement and revocation, taken over by running brokers."""

import pytest

from edge.problem import Problem
from firmware.toolkit import register
from firmware.toolkit.secrets import Revoked, Secrets
from tests.credentials.conftest import Place, Ready, RenderedMosquitto, RenderedNats
from tests.servers import wait_until

OBS = "gongi/v1/hana/3-2-a/obs"


def test_both_generations_are_valid_until_the_new_one_is_proved(
    place: Place, broker: RenderedMosquitto | RenderedNats
) -> None:
    reload = ("--reload", broker.pid_file)
    old = place.password("3-2-a")
    with broker.connect(*old, "gongi-3-2-a") as node, broker.connect(*place.password("gateway")) as gateway:
        gateway.subscribe(OBS)
        assert place.call("rotate", "3-2-a", *reload)["devices"] == {"3-2-a": ["3-2-a", "3-2-a.2"]}
        new = place.password("3-2-a")
        assert old != new
        wait_until(lambda: broker.lets_in(*new))  # SIGHUP is taken up when the broker comes to it
        wait_until(lambda: broker.lets_in(*old))  # in the instant of its reload NATS refuses everyone
        assert node.publish(OBS, b"old")
        gateway.hear(OBS, b"old")
    # A board that hasn't been flashed keeps its old ones.
    if isinstance(broker, RenderedNats):  # it tells of those alone who are connected now
        assert place.call("retire", *broker.proof, *reload, status=1)["unproved"] == ["3-2-a"]
        wait_until(lambda: broker.lets_in(*old))
    assert place.call("retire", *reload, status=1)["unproved"] == ["3-2-a"]
    wait_until(lambda: broker.lets_in(*new))
    with broker.connect(*new, "gongi-3-2-a") as node:
        done = place.call("retire", *broker.proof, *reload)
        assert (done["devices"], done["unproved"]) == ({"3-2-a": ["3-2-a.2"]}, [])
        wait_until(lambda: not broker.lets_in(*old))
        assert node.lives()
    wait_until(lambda: broker.lets_in(*new))


def test_a_revoked_device_is_out_at_once_and_can_come_back(place: Place, broker: Ready) -> None:
    reload = ("--reload", broker.pid_file)
    lost, other = place.password("3-2-a"), place.password("5-1-a")
    with broker.connect(*lost) as thief, broker.connect(*other) as node:
        assert thief.lives()
        assert place.call("revoke", "3-2-a", *reload)["devices"] == {"3-2-a": []}
        wait_until(lambda: not thief.lives())
        assert node.lives()
    assert not broker.lets_in(*lost)
    with pytest.raises(Revoked, match="revoked"):
        Secrets(place.secrets).of("3-2-a")
    assert place.call("rotate", "3-2-a", *reload)["devices"] == {"3-2-a": ["3-2-a.2"]}
    wait_until(lambda: broker.lets_in(*place.password("3-2-a")))
    assert not broker.lets_in(*lost)


def test_the_register_proves_what_the_gateway_has_heard(place: Place) -> None:
    place.call("render")
    place.call("rotate", "3-2-a", "yard")
    heard = {"at": "", "kind": "node", "site": "hana", "generation": 2}
    register.enter(place.register, heard | {"node": "3-2-a", "values": {"pm25": 12.1}})
    register.enter(place.register, heard | {"node": "yard", "values": {}})
    done = place.call("retire", status=1)
    assert (done["devices"], done["unproved"]) == ({"3-2-a": ["3-2-a.2"]}, ["yard"])
    assert place.call("retire", "yard", "--without-proof")["devices"] == {"yard": ["yard.2"]}


def test_during_a_rotation_updates_are_signed_with_what_the_device_has(place: Place) -> None:
    place.call("render")
    secrets = Secrets(place.secrets)
    old = secrets.of("3-2-a")
    place.call("rotate", "--all")
    assert secrets.held("3-2-a") == old != secrets.of("3-2-a")
    place.call("retire", "3-2-a", "--without-proof")
    assert secrets.held("3-2-a") == secrets.of("3-2-a")


def test_a_rotation_is_not_begun_twice(place: Place) -> None:
    place.call("render")
    place.call("rotate", "3-2-a")
    with pytest.raises(Problem, match="3-2-a is being rotated already"):
        place.call("rotate", "3-2-a")
    turned = place.call("rotate", "--all")["devices"]
    assert "3-2-a" not in turned
    assert turned["gateway"] == ["gateway", "gateway.2"]


def test_a_device_nobody_knows_is_named(place: Place) -> None:
    for verb in ("rotate", "revoke", "retire", "show"):
        with pytest.raises(Problem, match="there is no 9-9-x"):
            place.call(verb, "9-9-x")


@pytest.mark.parametrize("pid", ["4194305", "0", "-1", "", "9" * 30])  # the first is above the greatest
def test_a_pid_file_of_nobody_is_named(place: Place, pid: str) -> None:
    path = place.folder / "pid"
    path.write_text(f"{pid}\n")
    with pytest.raises(Problem, match="names no process"):
        place.call("render", "--reload", path)
