"""Who may set an actuator by hand over the API, and what happens where the journal fails."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from edge.readings import SECOND
from gateway.block import JournalFull
from gateway.console import create_app, serve_console
from gateway.console.sample import NOON, SampleHistory, live
from gateway.journal import Journal
from gateway.metrics import Metrics
from gateway.override import Overrides


class Counter:
    """A console over the sample school in which levels can be set; its river moves by `tick`."""

    def __init__(self, folder: Path, token: str) -> None:
        self.live, self.journal = live(), Journal(folder / "journal.sqlite")
        self.overrides = Overrides(self.live, self.journal, Metrics())
        parts = (self.live, SampleHistory(NOON), dict, lambda: b"")
        self.serving = serve_console(create_app(*parts, overrides=self.overrides, token=token))

    def ask(self, method: str = "POST", **headers: str) -> tuple[int, dict[str, Any]]:
        """The status and body of an order for level 2."""
        url = f"{self.serving.url}api/v1/actuators/pur-2-1/override?lang=en"
        body = json.dumps({"level": 2, "who": "kim"}).encode() if method == "POST" else None
        said = {"Content-Type": "application/json", **headers}
        try:
            with urlopen(Request(url, body, said, method=method), timeout=20) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def ordered(self, **headers: str) -> tuple[int, dict[str, Any]]:
        """The same while the river turns until it is answered."""
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(lambda: self.ask(**headers))
            while not answer.done():
                self.overrides.tick(self.live.now)
            return answer.result()


@pytest.fixture(params=["", "a word"], ids=["loopback", "token"])
def counter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counter]:
    one = Counter(tmp_path, request.param)
    yield one
    one.serving.stop()
    one.journal.close()


@pytest.mark.parametrize("counter", ["a word"], indirect=True)
def test_with_a_token_only_who_knows_it_may(counter: Counter) -> None:
    assert counter.ask()[0] == 401
    assert counter.ask(Authorization="Bearer another")[0] == 401
    assert counter.ask("DELETE", Authorization="Basic a word")[0] == 401
    status, said = counter.ordered(Authorization="Bearer a word")
    assert (status, said["now"]["override"]["who"]) == (200, "kim")


@pytest.mark.parametrize("counter", [""], indirect=True)
def test_without_one_only_this_machine_may_and_no_foreign_page_in_its_browser(counter: Counter) -> None:
    assert counter.ask(Host="evil.example")[0] == 403
    assert counter.ask("DELETE", Host="evil.example")[0] == 403
    assert counter.ask(Origin="http://evil.example")[0] == 403
    assert counter.ask(**{"X-Forwarded-For": "192.0.2.7"})[0] == 403, "it came through a proxy"
    assert counter.ordered()[0] == 200


def test_what_cant_be_journalled_isnt_in_force(tmp_path: Path) -> None:
    counter = Counter(tmp_path, "")
    with counter.journal.transaction() as db:
        db.execute("DROP TABLE block")
    with pytest.raises(JournalFull):
        counter.ordered()
    assert counter.live.overrides == {}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(counter.ask)
        while not answer.done():
            with suppress(JournalFull):
                counter.overrides.tick(counter.live.now)
        assert answer.result()[0] == 503
    assert counter.live.overrides == {}
    counter.serving.stop()
    counter.journal.close()


def test_a_restart_takes_up_what_no_snapshot_holds_yet(tmp_path: Path) -> None:
    counter = Counter(tmp_path, "")
    counter.ordered()
    counter.journal.snap("override", 0, b"{}")  # as after a crash between the block and its snapshot
    again = live()
    overrides = Overrides(again, counter.journal, Metrics())
    overrides.recall()
    assert again.overrides == counter.live.overrides != {}
    overrides.tick(NOON + 31 * 60 * SECOND)
    assert again.overrides == {}, "its half hour is over"
    counter.serving.stop()
    counter.journal.close()
