"""Changes of the configuration: whose they are, what is refused, and the power cut at any moment."""

import json

import memory
from lib import seal, trust, turns
from sim.ramflash import PowerCut
from vectors import load, octets

VECTOR = load("reconfigure")["whole"]
KEY = octets(VECTOR["key"])
FLASH = "/ram"
OTHER = [["10.0.0.2", 8883], ["10.0.0.2", 443]]


class Slots:
    """No update is under way."""

    root = FLASH

    def __init__(self) -> None:
        self.facts = {"trial": None, "receiving": None}


class Device:
    """What the change asks of a device."""

    flash = FLASH

    def __init__(self) -> None:
        self.board = self
        self.slots = Slots()
        self.boot()

    def boot(self, **flashed: object) -> None:
        """Begin anew, as the flashed configuration and the turns say."""
        self.config = {"id": "1-2-a", "site": "hana", "brokers": [["10.0.0.1", 8883]], "wifi": [["a", "b"]]}
        self.config["update_key"] = VECTOR["key"]
        self.config.update(flashed)
        self.turns = turns.begin(FLASH, self.config)

    def told(self) -> tuple:
        """Return what is known of the turns."""
        return tuple(self.turns[name] for name in ("turn", "turning", "turned"))


def command(turn: int, change: object) -> dict:
    """Return a sealed command."""
    text = change if isinstance(change, str) else json.dumps(change)
    code = seal.mac(KEY, (b"reconfigure\n%d\n" % turn, text.encode()))
    return {"turn": turn, "change": text, "mac": "".join("%02x" % b for b in code)}


def new() -> Device:
    """Return a device on an empty flash."""
    memory.new()
    return Device()


def test_vectors() -> None:
    for case in load("reconfigure")["mac"]:
        parts = (b"reconfigure\n%d\n" % case["turn"], case["change"].encode())
        assert seal.holds(octets(case["key"]), parts, case["mac"]), case
        assert not seal.holds(octets(case["key"]), (parts[0], parts[1] + b" "), case["mac"]), case
    device = new()
    one = VECTOR["command"]
    assert command(one["turn"], one["change"])["mac"] == one["mac"]
    assert turns.take(device, dict(one, mac="0" * 64)) == "mac"
    assert turns.take(device, one) == ""
    device.boot()
    assert trust.prints(device.config, None) == VECTOR["prints"]
    assert trust.prints(device.config, VECTOR["prints"][1]) == VECTOR["prints"][::-1]
    wanted = json.loads(one["change"])
    assert all(device.config[name] == wanted[name] for name in ("brokers", "wifi", "site"))


def test_a_change_is_tried_kept_and_followed_by_the_next() -> None:
    device = new()
    assert device.told() == (0, None, None)
    assert turns.take(device, command(5, {"brokers": OTHER, "trial_s": 60})) == ""
    assert device.config["brokers"] == [["10.0.0.1", 8883]]  # until it begins anew
    device.boot()
    assert device.told() == (0, 5, None)
    assert (device.config["brokers"], device.turns["trial_s"]) == (OTHER, 60)
    turns.confirm(FLASH)
    assert turns.take(device, command(6, {"site": "duri"})) == ""
    device.boot()
    assert device.told() == (5, 6, None)
    assert (device.config["site"], device.config["brokers"]) == ("duri", OTHER)
    turns.give_back(FLASH, "refused")
    device.boot()
    assert device.told() == (5, None, [6, "refused"])
    assert (device.config["site"], device.config["brokers"]) == ("hana", OTHER)
    assert turns.take(device, command(6, {"site": "duri"})) == "older"


def test_a_trial_that_only_boots_is_given_back() -> None:
    device = new()
    assert turns.take(device, command(5, {"brokers": OTHER})) == ""
    for _ in range(turns.BOOTS):
        device.boot()
        assert device.told() == (0, 5, None)
    device.boot()
    assert device.told() == (0, None, [5, "crash"])
    assert device.config["brokers"] == [["10.0.0.1", 8883]]


def test_words_of_refusal() -> None:
    device = new()
    good = command(5, {"brokers": OTHER})
    for name in good:
        lies = dict(good)
        del lies[name]
        assert turns.take(device, lies) == "mac"
    for name, lie in (
        ("turn", 6),
        ("turn", "5"),
        ("change", good["change"] + " "),
        ("mac", "00"),
        ("mac", "zz"),
    ):
        assert turns.take(device, dict(good, **{name: lie})) == "mac", (name, lie)
    for change in (
        "",
        "{",
        "[]",
        "{}",
        '{"trial_s":60}',
        '{"trial_s":"x","site":"a"}',
        {"brokers": []},
        {"brokers": {}},
        {"brokers": [["a"]]},
        {"brokers": [["a", "b"]]},
        {"brokers": [["", 1]]},
        {"brokers": [["a", 65536]]},
        {"wifi": []},
        {"wifi": [["x" * 33, "p"]]},
        {"wifi": [["n"]]},
        {"wifi": [["n", "p"]] * 5},
        {"site": ""},
        {"site": "Hana"},
        {"site": "a/b"},
        {"site": 3},
        {"ca": []},
        {"ca": ["AAAA"]},
        {"ca": [3]},
        {"ca": json.loads(VECTOR["command"]["change"])["ca"] * 2},
        {"brokers": OTHER, "password": "x"},
    ):
        assert turns.take(device, command(5, change)) == "change", change
    device.config["update_key"] = ""
    assert turns.take(device, good) == "key"
    device.boot()
    for name in ("trial", "receiving"):
        device.slots.facts[name] = "a"
        assert turns.take(device, good) == "trial"
        device.slots.facts[name] = None
    assert turns.take(device, good) == ""
    assert turns.take(device, good) == "older"
    assert turns.take(device, command(6, {"site": "duri"})) == "trial"


def test_what_the_cable_writes_ends_all_turns() -> None:
    device = new()
    for turn in (5, 6):
        assert turns.take(device, command(turn, {"brokers": OTHER})) == ""
        device.boot()
        if turn == 5:
            turns.confirm(FLASH)
    device.boot(wifi=[["c", "d"]])
    assert device.told() == (0, None, None)
    assert (device.config["wifi"], device.config["brokers"]) == ([["c", "d"]], [["10.0.0.1", 8883]])
    assert turns.take(device, command(6, {"brokers": OTHER})) == "older"
    assert turns.take(device, command(7, {"brokers": OTHER})) == ""


def test_certificates_that_nobody_names_are_removed() -> None:
    import os

    device = new()
    both = json.loads(VECTOR["command"]["change"])["ca"]
    for turn, some, kept in ((5, both, 2), (6, both[:1], 3), (7, both[1:], 2)):
        assert turns.take(device, command(turn, {"ca": some})) == ""
        device.boot()
        assert len([name for name in os.listdir(FLASH) if name.startswith("turn-")]) == kept
        turns.confirm(FLASH)
        device.boot()
    assert trust.prints(device.config, None) == VECTOR["prints"][1:]
    assert [name for name in os.listdir(FLASH) if name.startswith("turn-")] == ["turn-7-0"]


def test_the_authority_that_proved_last_is_kept() -> None:
    device = new()
    assert device.turns["ca"] is None
    turns.proved(FLASH, "0badcafe")
    device.boot(wifi=[["c", "d"]])
    assert (device.told(), device.turns["ca"]) == ((0, None, None), "0badcafe")


CHANGES = {
    5: {"brokers": OTHER},
    6: {"ca": json.loads(VECTOR["command"]["change"])["ca"]},
    7: {"site": "duri"},
}


def live(device: Device) -> None:
    """Take three changes, of which the second is given back."""
    for turn in sorted(CHANGES):
        turns.take(device, command(turn, CHANGES[turn]))
        device.boot()
        if device.turns["turning"]:
            turns.give_back(FLASH, "broker") if turn == 6 else turns.confirm(FLASH)
        device.boot()


def judge(device: Device) -> None:
    """The configuration is whole: that of the turn in force, with the one on trial over it, and no other."""
    turn, turning, turned = device.told()
    assert (turn, turning, turned) in (
        (0, None, None),
        (0, 5, None),
        (5, None, None),
        (5, 6, None),
        (5, None, [6, "broker"]),
        (5, 7, [6, "broker"]),
        (7, None, [6, "broker"]),
    ), device.told()
    assert device.config["brokers"] == (OTHER if turn or turning else [["10.0.0.1", 8883]])
    assert device.config["site"] == ("duri" if 7 in (turn, turning) else "hana")
    assert trust.prints(device.config, None) == (VECTOR["prints"] if turning == 6 else [])
    assert len(json.dumps(device.config)) > 100


def test_power_cuts_at_any_program_or_erase() -> None:
    cuts = 0
    for share in (1, 128, 255):
        cut = 0
        while True:
            flash, _ = memory.new()
            device = Device()
            flash.cut, flash.share = cut, share
            try:
                live(device)
                if not flash.was_cut:
                    break
            except (PowerCut, OSError):
                pass
            memory.mount(flash.after_cut())
            device.boot()
            judge(device)
            # It goes on from there.
            turns.take(device, command(9, {"site": "sena"}))
            device.boot()
            cut += 1
        assert (device.told(), device.config["site"]) == ((7, None, [6, "broker"]), "duri")
        cuts += cut
    print("cuts", cuts)
    assert cuts > 60
