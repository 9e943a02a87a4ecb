"""The page as a principal meets it: in a real Chromium, on a desk and on a phone, in both languages."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from edge.readings import SECOND
from gateway.console.sample import NOON, values
from gateway.live import Latest
from tests.console.conftest import Console

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def quiet(browser: "Browser") -> "Iterator[Page]":
    """A page that may not say one word on its console, nor ask any other host; `allowed` excuses words."""
    page = browser.new_page(viewport=DESK)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request", lambda request: said.append(request.url) if "//127.0.0.1:" not in request.url else None
    )
    page.excused = ()  # type: ignore[attr-defined]  # our own, for the test that stops the server
    yield page
    excused = page.excused  # type: ignore[attr-defined]
    page.close()
    assert [words for words in said if not any(excuse in words for excuse in excused)] == []


def abroad(url: str) -> bool:
    return not url.startswith("http://127.0.0.1:")


def ready(page: "Page", console: Console, path: str) -> None:
    page.goto(console.url(path))
    page.wait_for_selector("#chart canvas")


def test_a_desk_shows_values_grades_and_reasons(quiet: "Page", console: Console) -> None:
    ready(quiet, console, "/site/hana?lang=ko")
    card = quiet.locator("#room-2-1")
    assert card.locator(".number").inner_text() == "47"
    assert card.locator(".unit").first.inner_text() == "µg/m³"
    assert card.locator(".grade strong").inner_text() == "나쁨"
    assert card.locator(".main .face").count() == 1, "never colour alone"
    assert "30분 뒤 48 µg/m³ 예측" in card.locator(".why").inner_text()
    assert "작동 확인됨" in card.locator(".answer").inner_text()
    assert quiet.locator("html").get_attribute("lang") == "ko"
    assert quiet.locator(".law li").count() == 3
    assert quiet.locator("#clock").inner_text() == "11:20", "the school's zone, not the machine's"


def test_english_by_the_visible_switch(quiet: "Page", console: Console) -> None:
    ready(quiet, console, "/site/hana?lang=ko")
    quiet.get_by_role("link", name="English").click()
    quiet.wait_for_selector("#chart canvas")
    assert quiet.locator("#room-2-1 .grade strong").inner_text() == "Unhealthy"
    assert "simple monitor" in quiet.locator(".law").inner_text()


def test_a_change_arrives_live(quiet: "Page", console: Console) -> None:
    ready(quiet, console, "/site/hana?lang=en")
    console.live.now += 60 * SECOND
    console.live.latest["gym-a"] = Latest(console.live.now, values(123.0, 700.0))
    expect(quiet.locator("#room-gym .number")).to_have_text("123")
    assert quiet.locator("#room-gym .grade strong").inner_text() == "Very unhealthy"
    assert quiet.locator("#rooms > article").first.get_attribute("id") == "room-gym", "worst first"
    assert quiet.locator("#advice h2").inner_text().startswith("Gym")


def test_a_node_that_dies_is_shown_dead_with_since_when(quiet: "Page", console: Console) -> None:
    ready(quiet, console, "/site/hana?lang=en")
    library = quiet.locator("#room-library")
    assert "dead" in (library.get_attribute("class") or "")
    assert "No answer since 10:33" in library.inner_text()
    console.live.now += 700 * SECOND
    for id, latest in list(console.live.latest.items()):
        if id != "gym-a":
            console.live.latest[id] = replace(latest, time=console.live.now)
    quiet.wait_for_selector("#room-gym.dead")
    assert quiet.locator("#room-gym .grade strong").inner_text() == "No answer"
    assert "Gym, monitor gym-a" in quiet.locator("#notes").inner_text()


def test_when_the_server_stops_the_page_says_that_its_numbers_are_old(
    quiet: "Page", console: Console
) -> None:
    quiet.excused = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING")  # type: ignore[attr-defined]
    ready(quiet, console, "/site/hana?lang=en")
    assert quiet.locator("#old").is_hidden()
    console.serving.stop()
    quiet.wait_for_selector("#old:visible")
    banner = quiet.locator("#old")
    assert banner.inner_text() == "The connection to the gateway is lost. These numbers are old: as of 11:20."
    assert banner.get_attribute("role") == "alert"
    assert quiet.locator("#link .text").inner_text() == "Not live"
    assert quiet.locator("#room-2-1 .age").is_hidden(), "an age that no longer grows would lie"
    assert "grayscale" in quiet.locator("#now").evaluate("now => getComputedStyle(now).filter")


def test_the_school_list_is_live_and_says_when_it_is_old(quiet: "Page", console: Console) -> None:
    quiet.excused = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING")  # type: ignore[attr-defined]
    quiet.goto(console.url("/?lang=en"))
    line = quiet.locator("#school-hana")
    expect(line).to_contain_text("Unhealthy Class 2-1 · 47 µg/m³")
    console.live.latest["gym-a"] = Latest(console.live.now, values(123.0, 700.0))
    expect(line).to_contain_text("Very unhealthy Gym · 123 µg/m³")
    console.serving.stop()
    expect(quiet.locator("#old")).to_contain_text("These numbers are old: as of 11:20.")


def test_a_hidden_tab_gives_its_connection_back_and_catches_up_when_shown(
    quiet: "Page", console: Console
) -> None:
    ready(quiet, console, "/site/hana?lang=en")
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    turn = hide + " document.dispatchEvent(new Event('visibilitychange')); }"
    quiet.evaluate(turn, True)
    console.live.latest["gym-a"] = Latest(console.live.now, values(123.0, 700.0))
    with pytest.raises(AssertionError):
        expect(quiet.locator("#room-gym .number")).to_have_text("123", timeout=1500)
    quiet.evaluate(turn, False)
    expect(quiet.locator("#room-gym .number")).to_have_text("123")
    assert quiet.locator("#link .text").inner_text() == "Live"


def test_when_the_gateways_clock_stands_still_the_page_says_so_and_recovers(
    quiet: "Page", console: Console
) -> None:
    ready(quiet, console, "/site/hana?lang=ko")
    console.seconds.now += 31
    quiet.wait_for_selector("#old:visible")
    assert (
        quiet.locator("#old").inner_text()
        == "게이트웨이가 멈춰 있습니다. 아래 값은 11:20 기준의 지난 값입니다."
    )
    console.live.now += 60 * SECOND
    quiet.wait_for_selector("#old", state="hidden")
    assert quiet.locator("#link .text").inner_text() == "실시간"


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("path", ["/", "/site/hana", "/site/duri", "/nowhere"])
def test_a_phone_needs_no_sideways_scrolling(
    browser: "Browser", console: Console, path: str, lang: str
) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(console.url(f"{path}?lang={lang}"))
    if path == "/site/hana":
        page.wait_for_selector("#chart canvas")
    width = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
    page.close()
    assert width <= 390


def test_the_chart_follows_the_chosen_room_by_keyboard(quiet: "Page", console: Console) -> None:
    ready(quiet, console, "/site/hana?lang=en")
    button = quiet.get_by_role("button", name="Gym")
    button.focus()
    quiet.keyboard.press("Enter")
    expect(quiet.locator("#chart")).to_have_attribute("aria-label", re.compile("^Gym, PM2.5: between"))
    assert button.get_attribute("aria-pressed") == "true"
    quiet.get_by_role("button", name="CO₂").click()
    expect(quiet.locator("#chart")).to_have_attribute("aria-label", re.compile("^Gym, CO₂: between"))
    assert "Limit 1000 ppm" in quiet.locator("#legend").inner_text()
    console.live.now += 6 * SECOND
    console.live.latest["gym-a"] = Latest(console.live.now, values(13.0, 530.0))
    expect(quiet.locator("#room-gym .number")).to_have_text("13")
    assert quiet.evaluate("document.activeElement.dataset.quantity") == "co2", "the focus stays"


def test_the_forecast_is_drawn_ahead_with_its_interval(quiet: "Page", console: Console) -> None:
    ready(quiet, console, "/site/hana?lang=en")
    assert "90 % interval" in quiet.locator("#legend").inner_text()
    over = quiet.locator("#chart .u-over")
    box = over.bounding_box()
    assert box
    over.hover(position={"x": box["width"] * 0.985, "y": 80})
    tip = quiet.locator("#chart .tip")
    tip.wait_for(state="visible")
    assert "Forecast" in tip.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(browser: "Browser", console: Console, scheme: str) -> None:
    page = browser.new_page(viewport=DESK, color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    console.live.latest["gym-a"] = Latest(NOON, values(99.0, 900.0))
    ready(page, console, "/site/hana?lang=en")
    ratios = page.evaluate(CONTRASTS)
    page.close()
    assert len(ratios) > 40
    assert {text: ratio for text, ratio in ratios if ratio < 4.5} == {}


CONTRASTS = """() => {
  const channel = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const numbers = (text) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) =>
    0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found[3] > 250) return found;
    }
    return numbers(getComputedStyle(document.body).backgroundColor);
  };
  return [...document.querySelectorAll("body *")]
    .filter((node) => node.checkVisibility() && !node.closest("option, .u-wrap")
      && [...node.childNodes].some((part) => part.nodeType === 3 && part.textContent.trim()))
    .map((node) => {
      const both = [light(numbers(getComputedStyle(node).color)), light(ground(node))];
      const name = `${node.className} ${node.textContent.trim().slice(0, 30)}`;
      return [name, (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)];
    });
}"""
