"""Who may say and hear what: every user of the example school with every topic, on the real brokers."""

from collections.abc import Iterator
from contextlib import ExitStack

from edge.network import Network
from gateway.network import load
from tests.credentials.conftest import SCHOOL, Place, Ready

ROOT = "gongi/v1"
LEAVES = ("obs", "forecast", "status", "info", "cmd", "reply", "set", "state")
COMMON = (f"{ROOT}/time", f"{ROOT}/gateway/main/status")
# Said here once more, by hand: DESIGN's table, not the code's.
NODES = ("3-2-a", "5-1-a", "science-a", "yard")
ACTUATORS = ("3-2-p", "5-1-p", "science-p", "science-v")
LISTENS = {"3-2-p": "3-2-a", "5-1-p": "5-1-a", "science-p": "science-a", "science-v": "science-a"}
TOPICS = (
    *COMMON,
    *(
        f"{ROOT}/{site}/{device}/{leaf}"
        for site in ("hana", "elsewhere")
        for device in NODES + ACTUATORS
        for leaf in LEAVES
    ),
)
FORBIDDEN_FILTERS = ("#", f"{ROOT}/#", f"{ROOT}/+/+/obs", f"{ROOT}/hana/#", f"{ROOT}/+/+/cmd")


def may_write(device: str, topic: str) -> bool:
    leaves = (
        ("obs", "forecast", "status", "info", "reply")
        if device in NODES
        else ("state", "status", "info", "reply")
    )
    return device == "gateway" or topic in {f"{ROOT}/hana/{device}/{leaf}" for leaf in leaves}


def may_read(device: str, topic: str) -> bool:
    if device == "gateway":
        return True
    own = {f"{ROOT}/hana/{device}/{leaf}" for leaf in ("status", "cmd")} | {f"{ROOT}/time"}
    if device in ACTUATORS:
        own |= {f"{ROOT}/hana/{device}/set", f"{ROOT}/gateway/main/status"}
        own |= {f"{ROOT}/hana/{LISTENS[device]}/{leaf}" for leaf in ("obs", "forecast")}
    return topic in own


def users(place: Place) -> Iterator[tuple[str, str, str]]:
    for device in ("gateway", *NODES, *ACTUATORS):
        yield device, *place.password(device)


def test_the_example_has_these_devices() -> None:
    network: Network = load(SCHOOL)
    assert (tuple(network.nodes), tuple(network.actuators)) == (NODES, ACTUATORS)


def test_every_user_writes_its_own_topics_and_no_other(place: Place, broker: Ready) -> None:
    with broker.connect(*place.password("gateway")) as watch:
        watch.subscribe(f"{ROOT}/#")
        for _, user, password in (everyone := list(users(place))):
            said = _say_all(broker, user, password)
            assert said == len(TOPICS)
        watch.publish(f"{ROOT}/time", b"end")
        watch.hear(f"{ROOT}/time", b"end")
    wanted = {(t, user.encode()) for device, user, _ in everyone for t in TOPICS if may_write(device, t)}
    came = set(watch.heard) - {(f"{ROOT}/time", b"end")}
    assert came == wanted
    assert len(wanted) == len(TOPICS) + 4 * 5 + 4 * 4


def _say_all(broker: Ready, user: str, password: str) -> int:
    """Publish on every topic; a connection that the broker ends is made again."""
    said, link = 0, broker.connect(user, password)
    for topic in TOPICS:
        if not link.publish(topic, user.encode()):
            link.close()
            link = broker.connect(user, password)
        said += 1
    link.close()
    return said


def test_every_user_reads_its_own_topics_and_no_other(place: Place, broker: Ready) -> None:
    with ExitStack() as stack:
        everyone = {
            device: stack.enter_context(broker.connect(user, password))
            for device, user, password in users(place)
        }
        for client in everyone.values():
            for topic in (*FORBIDDEN_FILTERS, *TOPICS):
                client.subscribe(topic)
        say = stack.enter_context(broker.connect(*place.password("gateway")))
        for topic in TOPICS:
            assert say.publish(topic, b"word")
        say.publish(f"{ROOT}/time", b"end")
        for client in everyone.values():
            client.hear(f"{ROOT}/time", b"end")
    for device, client in everyone.items():
        came = {topic for topic, payload in client.heard if payload == b"word"}
        assert came == {topic for topic in TOPICS if may_read(device, topic)}, device


def test_what_lies_outside_the_root_is_nobodys(place: Place, broker: Ready) -> None:
    with broker.connect(*place.password("gateway")) as hear:
        for topic in ("$SYS/#", "other/root", "$JS/#"):
            hear.subscribe(topic)
        with broker.connect(*place.password("gateway")) as say:
            say.publish("other/root", b"word")
        assert hear.publish(f"{ROOT}/time", b"word") is True
        assert hear.heard == []


def test_strangers_and_wrong_passwords_stay_out(place: Place, broker: Ready) -> None:
    user, password = place.password("3-2-a")
    assert broker.lets_in(user, password)
    refused = [("5-1-a", password), (user, ""), (user, password + "x"), ("nobody", password), ("", "")]
    assert not [pair for pair in refused if broker.lets_in(*pair)]
