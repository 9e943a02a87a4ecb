"""The catalogue: complete in both languages, and no human word outside of it."""

import ast
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from gateway.locale.extract import HERE, catalogue, template
from gateway.words import ALARMS, LANGUAGES, alarm_text, preferred, words

GATEWAY = HERE.parent
USED = {message.id for message in template() if message.id}


def _catalog(lang: str) -> Catalog:
    return read_po(BytesIO(catalogue(lang).read_bytes()), locale=lang)


def _forms(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _placeholders(text: str) -> set[str]:
    return {name for _, name, *_ in Formatter().parse(text) if name}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_catalogue_has_exactly_the_words_in_use(lang: str) -> None:
    assert {message.id for message in _catalog(lang) if message.id} == USED, "python -m gateway.locale"


def test_the_template_is_up_to_date() -> None:
    pot = read_po(BytesIO((HERE / "gongi.pot").read_bytes()))
    assert {message.id for message in pot if message.id} == USED, "python -m gateway.locale"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_untranslated_and_placeholders_agree(lang: str) -> None:
    for message in _catalog(lang):
        if message.id:
            _complete(message)


def _complete(message: Message) -> None:
    wanted = set.union(*(_placeholders(text) for text in _forms(message.id)))
    assert not message.fuzzy, message.id
    for form in _forms(message.string):
        assert form.strip(), message.id
        assert _placeholders(form) == wanted, message.id


def test_english_says_what_the_key_says() -> None:
    assert all(message.string == message.id for message in _catalog("en") if message.id)


def test_every_gettext_call_can_be_extracted() -> None:
    known = {form for id in USED for form in _forms(id)}
    for path in sorted(GATEWAY.rglob("*.py")):
        for call in _calls(path):
            assert call.args[0].value in known, f"{path}:{call.lineno} is not in the catalogue"


def _calls(path: Path) -> Iterator[ast.Call]:
    """Calls that look a constant word up, or mark one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("gettext", "ngettext", "N_", "N2_"):
                yield node


MARKUP = r"{{.*?}}|{% block body %}.*?{% endblock %}|{%.*?%}|<script.*?</script>|<[^>]*>"
SHOWN = sorted(path for path in (GATEWAY / "console").rglob("*") if path.suffix in (".html", ".js"))


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_no_page_or_script_holds_words_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search("[가-힣]", text), "Korean belongs into the catalogue"
    if path.suffix == ".html":
        outside = re.sub(MARKUP, " ", text, flags=re.S)
        assert not re.findall(r"[A-Za-z]{3,}", outside.replace("Gongi", "")), "words belong there too"


def test_plural_and_placeholders_are_filled() -> None:
    assert words("en").ngettext("{n} hour", "{n} hours", 1) == "1 hour"
    assert words("en").ngettext("{n} hour", "{n} hours", 3) == "3 hours"
    assert words("ko").ngettext("{n} hour", "{n} hours", 3) == "3시간"
    assert words("xx").lang == "ko"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_alarm_is_a_sentence(lang: str) -> None:
    for kind in ALARMS:
        assert "{" not in alarm_text(words(lang), kind, "3-2-p", {})


def test_every_alarm_that_the_gateway_raises_has_its_sentence() -> None:
    raised = [
        node.args[0].value
        for path in GATEWAY.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "raised"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    assert raised
    assert set(raised) <= set(ALARMS)


def test_an_unknown_alarm_is_named_as_it_is() -> None:
    assert alarm_text(words("en"), "odd", "3-2-p", {"about": "x"}) == "3-2-p: odd"


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "ko"),
        ("en-US,en;q=0.9", "en"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("de, en;q=0.4, ko;q=0.2", "en"),
        ("fr", "ko"),
        ("en;q=x, ko", "ko"),
    ],
)
def test_the_browser_says_which_language(header: str, lang: str) -> None:
    assert preferred(header) == lang


@given(st.text(max_size=60))
def test_any_header_gives_a_language(header: str) -> None:
    assert preferred(header) in LANGUAGES
