"""What is configured, and what InfluxDB's answers mean."""

import pytest

from gateway.influx import Kept, Refused, Settings, SettingsError, meaning
from gateway.influx1 import Login, configured
from gateway.outflow import Backoff

FULL = {
    "GONGI_INFLUX_URL": "http://influx:8086",
    "GONGI_INFLUX_TOKEN": "secret",
    "GONGI_INFLUX_ORG": "gongi",
    "GONGI_INFLUX_BUCKET": "air",
}


def test_no_variable_is_no_influxdb() -> None:
    assert Settings.of({"GONGI_DATA": "x", "GONGI_INFLUX_URL": " "}) is None


def test_all_variables_are_one_influxdb_whose_token_is_not_shown() -> None:
    settings = Settings.of(FULL)
    assert settings == Settings("http://influx:8086", "secret", "gongi", "air")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("missing", sorted(FULL))
def test_a_missing_variable_is_named(missing: str) -> None:
    with pytest.raises(SettingsError, match=missing) as error:
        Settings.of({name: word for name, word in FULL.items() if name != missing})
    assert "secret" not in str(error.value)


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="GONGI_INFLUX_URL: not an address: influx:8086"):
        Settings.of(FULL | {"GONGI_INFLUX_URL": "influx:8086"})


OLD = {"GONGI_INFLUX_URL": "http://old:8086", "GONGI_INFLUX_DB": "air"}


def test_a_database_is_an_influxdb_of_version_1() -> None:
    assert configured(OLD) == Login("http://old:8086", "air")
    login = configured(OLD | {"GONGI_INFLUX_USER": "gongi", "GONGI_INFLUX_PASSWORD": "secret"})
    assert login == Login("http://old:8086", "air", "gongi", "secret")
    assert "secret" not in repr(login)
    assert configured(FULL) == Settings.of(FULL)
    assert configured({}) is None


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"GONGI_INFLUX_DB": "air"}, "GONGI_INFLUX_URL"),
        (OLD | {"GONGI_INFLUX_URL": "old:8086"}, "not an address"),
        (OLD | {"GONGI_INFLUX_TOKEN": "secret"}, "GONGI_INFLUX_TOKEN"),
        ({"GONGI_INFLUX_URL": "http://old:8086", "GONGI_INFLUX_USER": "gongi"}, "GONGI_INFLUX_DB"),
    ],
)
def test_half_of_a_database_or_both_kinds_are_named(said: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError, match=names) as error:
        configured(said)
    assert "secret" not in str(error.value)


PARTIAL = '{"code":"unprocessable entity","message":"partial write: field type conflict dropped=3"}'


@pytest.mark.parametrize("status", [400, 422])
def test_influxdbs_own_refusal_says_how_many_it_dropped(status: int) -> None:
    answer = meaning(status, PARTIAL, {})
    assert isinstance(answer, Refused)
    assert (answer.dropped, answer.reason) == (3, "partial write: field type conflict dropped=3")


def test_a_request_too_large_is_halved() -> None:
    assert isinstance(meaning(413, "<html>too large</html>", {}), Refused)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 422, 429, 500, 502, 503, 504])
def test_all_else_keeps_the_lines(status: int) -> None:
    assert isinstance(meaning(status, "<html>a proxy's own page</html>", {}), Kept)


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("99999", 600.0), ("Wed, 21 Oct", 0.0), ("", 0.0)])
def test_a_server_may_say_when_to_come_again(header: str, after: float) -> None:
    answer = meaning(429, "{}", {"Retry-After": header})
    assert isinstance(answer, Kept)
    assert answer.after == after


def test_waits_grow_and_stay_below_their_cap() -> None:
    backoff = Backoff(first=0.5, cap=60.0)
    waits = [[backoff.wait(failures) for _ in range(200)] for failures in (1, 4, 10, 10_000)]
    assert [max(some) <= most for some, most in zip(waits, (1, 8, 60, 60), strict=True)] == [True] * 4
    assert max(waits[0]) < max(waits[1]) < max(waits[3])
    assert min(waits[3]) < 10
