"""The spare slot on a real LittleFS: what is refused, what resumes, and the power cut at any moment."""

import binascii
import hashlib
import json
import os

from lib.release import word_against
from lib.seal import mac, same
from lib.stage import Refused, Stage
from lib.trial import confirm
from memory import Random, mount, unmount
from sim.ramflash import RamFlash
from slots import BOOTS, Slots
from vectors import load, octets

KEY = b"k" * 32
DEVICE = ("1-2-a", "node", "unix")
CHUNK = 256
CUTS = 2000


def release(number: int, size: int = 700) -> tuple:
    """Return (manifest, HMAC, stream, {name: SHA-256}) of a release of three files."""
    random = Random(number)
    files = {
        name: bytes(random(256) for _ in range(size + i * 37))
        for i, name in enumerate(("lib/device.mpy", "lib/update.mpy", "node/app.mpy"))
    }
    return packed(number, files)


def packed(number: int, files: dict, lies: object = None) -> tuple:
    sums = {name: binascii.hexlify(hashlib.sha256(data).digest()).decode() for name, data in files.items()}
    facts = {"node": "1-2-a", "kind": "node", "chip": "unix", "version": "0.2.0", "release": number, "mpy": 6}
    lines = [
        b"%s %d %s\n" % (sums[name].encode(), len(data), name.encode())
        for name, data in sorted(files.items())
    ]
    if isinstance(lies, dict):
        facts.update(lies)
    elif lies:
        lines.append(lies)
    manifest = json.dumps(facts).encode() + b"\n" + b"".join(lines)
    stream = manifest + b"".join(data for _, data in sorted(files.items()))
    return manifest, code(manifest), stream, sums


def code(manifest: bytes) -> str:
    return binascii.hexlify(mac(KEY, (manifest,))).decode()


def boot(flash: RamFlash) -> Slots:
    """Mount what the power left and begin, as a board does."""
    mount(flash)
    slots = Slots("/ram")
    slots.begin()
    return slots


def new() -> tuple:
    flash = RamFlash(64)
    mount(flash, True)
    slots = Slots("/ram")
    assert slots.begin() == []
    return flash, slots


def offer(slots: Slots, number: int, one: tuple, stage: Stage | None = None) -> Stage:
    stage = stage or Stage(slots, DEVICE, KEY)
    stage.resume()
    if word_against(slots, number):
        raise Refused(word_against(slots, number))
    stage.offer(number, len(one[0]), one[1])
    return stage


def feed(stage: Stage, stream: bytes) -> None:
    while stage.at < len(stream):
        stage.take(stream[stage.at : stage.at + CHUNK])
        stage.flush()


def install(slots: Slots, number: int, one: tuple) -> None:
    stage = offer(slots, number, one)
    feed(stage, one[2])
    for _ in stage.proof():
        pass
    stage.try_out(["P-0001"])


def refused(work: object, *args: object) -> str:
    try:
        work(*args)
    except Refused as why:
        return why.args[0]
    raise AssertionError("not refused")


def whole(slots: Slots, sums: dict) -> None:
    """What this boot runs is all there, byte by byte."""
    folder = slots.root + "/" + slots.running
    for name, digest in sums.items():
        with open(folder + "/" + name, "rb") as file:
            assert binascii.hexlify(hashlib.sha256(file.read()).digest()).decode() == digest, name


def test_vectors_of_hmac_and_manifest() -> None:
    for case in load("update")["hmac"]:
        got = binascii.hexlify(mac(octets(case["key"]), (octets(case["data"]),))).decode()
        assert got == case["mac"], case
    assert same(b"abc", b"abc")
    for other in (b"abd", b"ab", b"abcd", b""):
        assert not same(b"abc", other)


def test_a_release_is_tried_confirmed_and_followed_by_the_next() -> None:
    flash, slots = new()
    for number, name in ((7, "a"), (9, "b"), (12, "a")):
        one = release(number)
        install(slots, number, one)
        unmount()
        slots = boot(flash)
        assert (slots.running, slots.on_trial) == (name, True)
        whole(slots, one[3])
        confirm(slots)
        unmount()
        slots = boot(flash)
        assert (slots.running, slots.on_trial, slots.facts["release"]) == (name, False, number)
        whole(slots, one[3])
    unmount()


def test_a_trial_that_only_boots_is_rolled_back() -> None:
    flash, slots = new()
    install(slots, 5, release(5))
    for _ in range(BOOTS):
        unmount()
        slots = boot(flash)
        assert slots.on_trial
    unmount()
    slots = boot(flash)
    assert (slots.running, slots.facts["failed"], slots.facts["release"]) == ("", [5, "crash"], 0)
    again = release(5)
    assert refused(offer, slots, 5, again) == "older"
    install(slots, 6, release(6))
    unmount()
    assert boot(flash).on_trial
    unmount()


def test_words_of_refusal() -> None:
    _, slots = new()
    one = release(5)
    files = {"lib/device.mpy": b"x" * 300}
    for word, lie in (
        ("node", {"node": "1-2-b"}),
        ("kind", {"kind": "actuator"}),
        ("chip", {"chip": "esp32"}),
        ("release", {"release": 6}),
        ("mpy", {"mpy": 5}),
        ("manifest", b"%s 3 ../main.py\n" % (b"0" * 64)),
        ("manifest", b"%s 3 /main.py\n" % (b"0" * 64)),
        ("manifest", b"%s 0 lib/x.mpy\n" % (b"0" * 64)),
        ("manifest", b"%s 3\n" % (b"0" * 64)),
        ("manifest", b"00 3 lib/x.mpy\n"),
        ("room", b"%s 10000000 lib/big.mpy\n" % (b"0" * 64)),
    ):
        other = packed(5, files, lie)
        stage = offer(slots, 5, other)
        assert refused(feed, stage, other[2]) == word, (word, lie)
        assert stage.offered is None
        assert not [e for e in os.ilistdir("/ram/a") if e[1] != 0x4000], word
    stage = offer(slots, 5, (one[0], "0" * 64))
    assert refused(feed, stage, one[2]) == "mac"
    stage = Stage(slots, DEVICE, b"another" * 4)
    stage.offer(5, len(one[0]), one[1])
    assert refused(feed, stage, one[2]) == "mac"
    assert refused(offer, slots, 0, one) == "older"
    assert refused(offer, slots, 5, (b"", one[1])) == "manifest"
    assert refused(offer, slots, 5, (one[0], "00")) == "manifest"
    stage = offer(slots, 5, one)
    torn = bytearray(one[2])
    torn[-5] ^= 1
    feed(stage, bytes(torn))
    assert refused(list, stage.proof()) == "sum"
    assert stage.offered is None
    install(slots, 5, one)
    assert refused(offer, slots, 6, release(6)) == "trial"
    unmount()


def test_any_byte_changed_in_a_manifest_is_noticed() -> None:
    _, slots = new()
    one = release(5, 10)
    for at in range(0, len(one[0]), 7):
        torn = bytearray(one[2])
        torn[at] ^= 1 << at % 8
        assert refused(feed, offer(slots, 5, one), bytes(torn)) == "mac", at
    unmount()


def test_a_reboot_costs_no_flushed_byte() -> None:
    flash, slots = new()
    one = release(5)
    stage = offer(slots, 5, one)
    while stage.at < len(one[2]):
        at = stage.at
        stage.take(one[2][at : at + CHUNK])
        stage.flush()
        unmount()
        slots = boot(flash)
        before, stage = stage, Stage(slots, DEVICE, KEY)
        stage.resume()
        assert stage.at == before.at == min(at + CHUNK, len(one[2]))
        assert not stage.total or stage.total == len(one[2])
    for _ in stage.proof():
        pass
    stage.try_out([])
    unmount()
    whole(boot(flash), one[3])
    unmount()


def test_an_unreadable_state_runs_whatever_is_there() -> None:
    flash, slots = new()
    install(slots, 5, release(5))
    with open("/ram/slots.json", "w") as file:
        file.write("{")
    unmount()
    mount(flash)
    assert Slots("/ram").begin() == ["/ram/a", "/ram/b"]
    unmount()


class Life:
    """A device that is updated for ever while its power is cut at random."""

    def __init__(self) -> None:
        self.flash, slots = new()
        self.flash.quiet = True
        self.releases = {}
        self.number = 1
        self.confirmed = 0
        self.rolled = 0
        self.make(slots, 1)
        self.live()
        assert self.confirmed == 1
        self.random = Random(2026)

    def make(self, slots: Slots, number: int) -> None:
        self.number = number
        self.releases[number] = release(number, 500 + number * 131 % 900)

    def live(self) -> None:
        """One life from boot to the release's end: download, trial, confirmation or roll back."""
        slots = boot(self.flash)
        self.judge(slots)
        if slots.on_trial:
            # One in five is bad: it gives up.
            if slots.facts["tried"] % 5 == 4:
                slots.roll_back("sensor")
                self.rolled += 1
            else:
                confirm(slots)
                self.confirmed += 1
            return
        if slots.facts["tried"] >= self.number:
            self.make(slots, self.number + 1)
        install(slots, self.number, self.releases[self.number])
        unmount()
        self.live()

    def judge(self, slots: Slots) -> None:
        """What runs is whole, and is what was confirmed last or is on trial."""
        if slots.running:
            number = slots.facts["tried"] if slots.on_trial else slots.facts["release"]
            whole(slots, self.releases[number][3])
        else:
            assert not self.confirmed, "bricked"
        # Nothing that was confirmed is ever left for something older.
        assert slots.facts["release"] >= getattr(self, "least", 0)
        self.least = slots.facts["release"]

    def cut(self) -> None:
        """Live on until the power is cut at a random program or erase."""
        self.flash.cut = self.random(60)
        self.flash.share = 1 + self.random(255)
        try:
            while not self.flash.was_cut:
                self.live()
        except (OSError, Refused):
            assert self.flash.was_cut
        self.flash = self.flash.after_cut()


def test_thousands_of_power_cuts_brick_nothing() -> None:
    life = Life()
    for _ in range(CUTS):
        life.cut()
    life.flash.cut = -1
    while not life.confirmed or boot(life.flash).facts["release"] < life.number - 2:
        life.live()
    unmount()
    print("cuts", CUTS, "bricked 0; releases confirmed", life.confirmed, "rolled back", life.rolled)
    print("programs", life.flash.programs, "erases", life.flash.erases)
    assert life.confirmed > 20
    assert life.rolled > 5
