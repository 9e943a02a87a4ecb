"""The sender against a client that acknowledges when the test says so."""

import json

from lib.sheet import Sheet
from memory import Random, mount, new, spool, unmount, write
from node.sending import Acknowledged, Sender


class Client:
    def __init__(self) -> None:
        self.connected = False
        self.joined = []
        self.sent = []

    def send(self, topic: str, fill: object, retain: bool = False, acked: object = None) -> None:
        sheet = Sheet(8192)
        fill(sheet)
        payload = sheet.text()
        self.sent.append((json.loads(payload)["seq"], acked))

    def join(self) -> None:
        self.connected = True
        for joined in self.joined:
            joined()

    def acknowledge(self, n: int) -> list:
        """The broker acknowledges n messages in their order; return their sequences."""
        numbers = []
        for _ in range(min(n, len(self.sent))):
            seq, acked = self.sent.pop(0)
            numbers.append(seq)
            acked(True)
        return numbers

    def leave(self) -> None:
        self.connected = False
        waiting, self.sent = self.sent, []
        for _, acked in waiting:
            acked(False)


class Device:
    def __init__(self) -> None:
        self.client = Client()
        self.operations = {}
        self.replies = []

    def topic(self, leaf: str) -> str:
        return leaf

    def reply(self, command: dict, *facts: tuple) -> None:
        self.replies.append(dict(facts))


def begin(batches: int) -> tuple:
    _, one = new(limit=1 << 17, blocks=60)
    random = Random(1)
    write(one, batches, random, 1)
    device = Device()
    return one, device, Sender(device, one), random


def drain(client: Client) -> list:
    order = []
    while client.sent:
        order += client.acknowledge(1)
    return order


def test_runs_say_what_a_set_says() -> None:
    random = Random(3)
    for _ in range(50):
        acked, have = Acknowledged(1), set()
        for _ in range(60):
            seq = 1 + random(40)
            acked.add(seq)
            have.add(seq)
            if len(acked.runs) < 16:
                assert all((s in acked) == (s in have) for s in range(1, 45))
            assert all(s in have for s in range(1, acked.cursor))
            assert all(b in have for a, e in acked.runs for b in range(a, e))


def test_the_newest_goes_first_then_the_backlog_in_order() -> None:
    _, device, sender, _ = begin(10)
    device.client.join()
    assert device.client.sent[0][0] == 10
    assert drain(device.client) == [10, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert sender.spool.cursor == 11
    unmount()


def test_a_fresh_batch_overtakes_a_long_backlog() -> None:
    one, device, sender, random = begin(50)
    device.client.join()
    order = device.client.acknowledge(10)
    write(one, 1, random, 1)
    sender.pump()
    assert len(device.client.sent) <= 4
    order = device.client.acknowledge(4)
    assert 51 in order, order
    assert sorted(drain(device.client) + order)[-1] == 51
    assert one.cursor == 52
    unmount()


def test_nothing_is_lost_or_sent_twice_over_a_lost_connection() -> None:
    one, device, _, random = begin(20)
    device.client.join()
    got = device.client.acknowledge(5)
    flying = [seq for seq, _ in device.client.sent]
    device.client.leave()
    write(one, 3, random, 1)
    device.client.join()
    got += drain(device.client)
    assert sorted(got) == list(range(1, 24)), got
    assert flying
    assert one.cursor == 24
    unmount()


def resend(sender: Sender, log: str, start: int, to: int) -> None:
    sender.device.operations["resend"]({"op": "resend", "log": log, "from": start, "to": to, "id": "1-1"})


def test_resend_sends_again_and_answers_when_all_are_acknowledged() -> None:
    one, device, sender, _ = begin(9)
    device.client.join()
    drain(device.client)
    resend(sender, one.log, 3, 6)
    assert device.replies == []
    assert drain(device.client) == [3, 4, 5, 6]
    assert device.replies == [{"log": one.log, "from": 3, "to": 6, "sent": 4, "gone": []}]
    assert one.cursor == 10
    unmount()


def test_resend_of_what_is_overwritten_says_gone() -> None:
    one, device, sender, random = begin(1)
    device.client.join()
    while one.first <= 3:
        write(one, 1, random, 6)
        sender.pump()
        drain(device.client)
    first = one.first
    resend(sender, one.log, 2, first + 1)
    assert drain(device.client) == [first, first + 1]
    reply = device.replies[-1]
    assert (reply["sent"], reply["gone"]) == (2, [[2, first - 1]])
    resend(sender, one.log, 1, 2)
    assert (device.replies[-1]["sent"], device.replies[-1]["gone"]) == (0, [[1, 2]])
    unmount()


def test_resend_of_another_log_or_the_future() -> None:
    one, device, sender, _ = begin(3)
    device.client.join()
    drain(device.client)
    resend(sender, "00000000", 1, 2)
    assert device.replies.pop() == {
        "error": "log",
        "log": one.log,
        "from": 1,
        "to": 2,
        "sent": 0,
        "gone": [],
    }
    resend(sender, one.log, 3, 99)
    assert drain(device.client) == [3]
    assert (device.replies[-1]["sent"], device.replies[-1]["gone"]) == (1, [])
    resend(sender, one.log, 50, 99)
    assert (device.replies[-1]["sent"], device.replies[-1]["gone"]) == (0, [])
    for _ in range(20):
        resend(sender, one.log, 1, 3)
    assert sender.busy > 0
    assert "error" in device.replies[-1]
    unmount()


def test_what_is_overwritten_before_it_was_sent_is_skipped_and_counted() -> None:
    flash, one = new(limit=32768, blocks=40)
    random = Random(5)
    device = Device()
    sender = Sender(device, one)
    while one.first < 30:
        write(one, 1, random, 6)
        sender.pump()
    assert one.dropped == one.first - 1
    device.client.join()
    assert sorted(drain(device.client)) == list(range(one.first, one.end))
    unmount()
    mount(flash)
    assert spool(limit=32768).dropped >= 29
    unmount()
