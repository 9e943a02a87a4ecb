"""Asking politely: pace, retries, the cache, and keys that stay where they belong."""

import gzip
import logging
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import structlog
import urllib3

from gateway.reference import sources, transport
from gateway.reference.airkorea import read_hours, stations_request
from gateway.reference.cache import FORGET, Cache, Kept
from gateway.reference.problem import (
    KeyMissing,
    KeyRefused,
    NotAnswering,
    QuotaSpent,
    Refused,
    SourceProblem,
    Unreadable,
)
from gateway.reference.transport import ATTEMPTS, Access, Answer, Client, Request
from tests.reference.service import KEY, Said, asking, gateway_error, portal

ASK = Request("airkorea", "/x", (("serviceKey", "{key}"), ("a", "가")), fresh=60.0)
FINE = Said(b"fine")


def body(answer: Answer) -> bytes:
    return answer.body


def test_the_key_goes_to_the_service_once_encoded() -> None:
    with asking([FINE]) as (client, service):
        assert client.fetch(ASK, body) == b"fine"
        assert service.asked[0].query == {"serviceKey": KEY, "a": "가"}
    with asking([FINE], key="se%2Fcret%2Bkey%3D%3D") as (client, service):
        client.fetch(ASK, body)
        assert service.asked[0].query["serviceKey"] == KEY


def test_the_key_is_in_no_file_no_log_no_error_and_no_representation(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    path = Request("seoul", "/{key}/json/x", fresh=60.0)
    with structlog.testing.capture_logs() as logs, asking([Said(b"", 500), FINE], cache) as (client, service):
        client.fetch(path, body)
        shown = repr(client) + repr(logs)
        assert "se%2Fcret" in service.asked[0].path
    with asking([FINE], cache) as (client, _):
        client.bases["seoul"] = f"http://127.0.0.1:{_closed_port()}"
        with pytest.raises(NotAnswering) as told:
            client.fetch(Request("seoul", "/{key}/json/y"), body)
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    written = b"".join(one.name.encode() + one.read_bytes() for one in files)
    everything = shown.encode() + written + str(told.value).encode() + repr(told.value.__context__).encode()
    assert files
    assert logs
    assert not [one for one in (KEY, "se%2Fcret", "cret") if one.encode() in everything]


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_without_a_key_nothing_is_asked() -> None:
    with asking([FINE], key="") as (client, service):
        with pytest.raises(KeyMissing, match="GONGI_AIRKOREA_KEY isn't set"):
            client.fetch(ASK, body)
        assert not service.asked


@pytest.mark.parametrize(
    "fault", [Said(b"", 500), Said(b"", 502), Said(b"half an answer", cut=4), Said(b"", 408)]
)
def test_a_passing_fault_is_asked_again(fault: Said) -> None:
    slept: list[float] = []
    with asking([fault, fault, FINE], slept=slept) as (client, service):
        assert client.fetch(ASK, body) == b"fine"
        assert len(service.asked) == 3
    assert len(slept) == 2
    assert all(0.0 <= one <= 30.0 for one in slept)


@pytest.mark.parametrize(
    ("bound", "value", "answer"),
    [
        ("TIMEOUT", urllib3.Timeout(connect=2.0, read=0.15), Said(b"slow", trickle=0.6)),
        ("DEADLINE_S", 0.1, Said(b"drop by drop, for ever", trickle=0.05)),
        ("MOST_BYTES", 1000, Said(b"x" * 100_000)),
    ],
)
def test_an_answer_that_stalls_trickles_or_does_not_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, bound: str, value: object, answer: Said
) -> None:
    monkeypatch.setattr(transport, bound, value)
    monkeypatch.setattr(transport, "ATTEMPTS", 2)
    with asking([answer]) as (client, service):
        with pytest.raises(NotAnswering, match="doesn't answer"):
            client.fetch(ASK, body)
        assert len(service.asked) == 2


def test_a_squeezed_answer_is_unpacked() -> None:
    whole = b"0123456789" * 50_000
    with asking([Said(gzip.compress(whole), headers={"Content-Encoding": "gzip"})]) as (client, _):
        assert client.fetch(ASK, body) == whole
    nonsense = Said(b"no gzip", headers={"Content-Encoding": "gzip"})
    with asking([nonsense]) as (client, _), pytest.raises(NotAnswering, match="DecodeError"):
        client.fetch(ASK, body)


def test_a_lasting_fault_is_told_after_a_few_attempts() -> None:
    with asking([Said(b"", 500)]) as (client, service):
        with pytest.raises(NotAnswering, match="HTTP 500"):
            client.fetch(ASK, body)
        assert len(service.asked) == ATTEMPTS


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, KeyRefused), (403, KeyRefused), (404, Refused), (422, Refused), (302, Unreadable)],
)
def test_what_a_status_means(status: int, kind: type[SourceProblem]) -> None:
    # A redirect is never followed: the key would go along.
    elsewhere = {"Location": "http://127.0.0.1:9/"} if status == 302 else {}
    with asking([Said(b"<html>no</html>", status, elsewhere)]) as (client, service):
        with pytest.raises(kind):
            client.fetch(ASK, body)
        assert len(service.asked) == (ATTEMPTS if kind.again else 1)


def test_it_waits_as_long_as_the_service_asks() -> None:
    slept: list[float] = []
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    limits = [Said(b"", 429, {"Retry-After": "17"}), Said(b"", 503, {"Retry-After": at})]
    with asking([*limits, Said(b"", 429, {"x-ratelimit-reset": "21"}), FINE], slept=slept) as (client, _):
        assert client.fetch(ASK, body) == b"fine"
    assert slept[0] >= 17
    assert 30 < slept[1] <= 40
    assert slept[2] >= 21


def test_a_wait_beyond_patience_is_told_instead() -> None:
    slept: list[float] = []
    with asking([Said(b"", 429, {"Retry-After": "3600"})], slept=slept) as (client, service):
        with pytest.raises(QuotaSpent) as told:
            client.fetch(ASK, body)
        assert len(service.asked) == 1
    assert "60 minutes" in told.value.advice
    assert not slept


def test_a_fresh_answer_comes_from_the_cache_and_an_old_one_is_asked_for(tmp_path: Path) -> None:
    now = [1000.0]
    cache = Cache(tmp_path, lambda: now[0])
    with asking([Said(b"first"), Said(b"second")], cache) as (client, service):
        assert [client.fetch(ASK, body) for _ in range(3)] == [b"first"] * 3
        assert (len(service.asked), client.cached) == (1, 2)
        now[0] += 61
        assert client.fetch(ASK, body) == b"second"
        now[0] -= 1000  # a clock set back makes nothing fresh for ever
        client.fetch(ASK, body)
        assert len(service.asked) == 3


def test_what_the_service_says_is_unchanged_is_taken_from_the_cache(tmp_path: Path) -> None:
    now = [1000.0]
    marks = {"ETag": '"v1"', "Last-Modified": "Mon, 02 Mar 2026 00:00:00 GMT"}
    with asking([Said(b"first", headers=marks), Said(b"", 304)], Cache(tmp_path, lambda: now[0])) as (
        client,
        service,
    ):
        client.fetch(ASK, body)
        now[0] += 61
        assert client.fetch(ASK, body) == b"first"
        assert service.asked[1].headers["if-none-match"] == '"v1"'
        assert service.asked[1].headers["if-modified-since"] == marks["Last-Modified"]
        now[0] += 30
        client.fetch(ASK, body)
        assert len(service.asked) == 2, "an unchanged answer is fresh again"


def test_an_error_with_status_200_and_an_empty_answer_are_not_kept(tmp_path: Path) -> None:
    answers = [gateway_error("LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR", "22"), portal([])]
    with asking(answers, Cache(tmp_path)) as (client, service):
        with pytest.raises(QuotaSpent):
            client.fetch(stations_request(), lambda answer: read_hours(answer, "a"))
        for _ in range(2):
            assert client.fetch(stations_request(), lambda answer: read_hours(answer, "a")) == ([], 0)
        assert len(service.asked) == 3
    assert not list(tmp_path.iterdir())


def test_a_torn_cache_file_is_asked_for_again_and_old_ones_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path, lambda: 1e12)
    cache.keep(Kept(ASK.name, 1e12, b"kept"))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    with asking([FINE], cache) as (client, _):
        assert client.fetch(ASK, body) == b"fine"
    assert Cache(tmp_path, lambda: file.stat().st_mtime + FORGET - 9).sweep() == 0
    assert Cache(tmp_path, lambda: file.stat().st_mtime + FORGET + 9).sweep() == 1


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with asking([FINE], Cache(tmp_path / "file" / "cache")) as (client, _):
        assert client.fetch(ASK, body) == b"fine"


def test_requests_keep_their_distance() -> None:
    slept: list[float] = []
    with asking([FINE], slept=slept) as (client, _):
        client.accesses = {"airkorea": Access("", "GONGI_AIRKOREA_KEY", 5.0)}
        for _ in range(2):
            client.fetch(ASK, body)
    assert len(slept) == 1
    assert 0 < slept[0] <= 5.0


def test_nobody_at_the_address_and_an_address_that_is_none() -> None:
    with asking([FINE]) as (client, _):
        for base in (f"http://127.0.0.1:{_closed_port()}", "http://127.0.0.1:0x", "not an address"):
            client.bases["airkorea"] = base
            with pytest.raises(NotAnswering):
                client.fetch(ASK, body)


def test_the_environment_names_keys_and_addresses(tmp_path: Path) -> None:
    named: Client = sources.client({"GONGI_KMA_KEY": "k", "GONGI_KMA_URL": "http://127.0.0.1:1/"}, tmp_path)
    assert named.keys["GONGI_KMA_KEY"] == "k"
    assert named.bases == {"kma": "http://127.0.0.1:1/"}
    assert logging.getLogger("urllib3").level == logging.WARNING, "its debug log names whole addresses"
