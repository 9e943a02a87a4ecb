"""Extraction of the words that code and templates use (`pybabel extract` and `update` with our keywords)."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

from edge.decision import REASONS
from edge.index import INDICES
from edge.index.lesson import LESSONS
from gateway.words import LANGUAGES

HERE = Path(__file__).parent
HEADER = "# The words of Gongi. SPDX-License-Identifier: Apache-2.0"
DATED = datetime(2026, 11, 22, tzinfo=UTC)  # fixed, so that the same words make the same file
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None, "N2_": (1, 2)}


def template() -> Catalog:
    """All messages that the gateway's code and templates use, with where."""
    with (HERE / "babel.cfg").open(encoding="utf-8") as source:
        methods, options = parse_mapping_cfg(source)  # type: ignore[no-untyped-call]  # Babel's
    catalog = Catalog(header_comment=HEADER, project="gongi", creation_date=DATED)
    for path, line, message, comments, context in extract_from_dir(HERE.parent, methods, options, KEYWORDS):
        catalog.add(message, locations=[(f"gateway/{path}", line)], auto_comments=comments, context=context)
    for reason in REASONS.values():
        catalog.add(reason, locations=[("edge/decision.py", 0)])
    for word in _index_words():
        catalog.add(word, locations=[("edge/index", 0)])
    return catalog


def _index_words() -> list[str]:
    bands = [band.word for index in INDICES.values() for band in index.bands]
    return [*(index.word for index in INDICES.values()), *bands, *(lesson.word for lesson in LESSONS)]


def catalogue(lang: str) -> Path:
    """A language's file."""
    return HERE / lang / "LC_MESSAGES" / "gongi.po"


def update() -> None:
    """Writes the template and merges it into every language; words no longer used are dropped."""
    wanted = template()
    _write(HERE / "gongi.pot", wanted)
    for lang in LANGUAGES:
        path = catalogue(lang)
        known = path.read_bytes() if path.exists() else b""
        merged = read_po(BytesIO(known), locale=lang, domain="gongi")
        merged.update(wanted, no_fuzzy_matching=True)
        merged.obsolete.clear()
        if lang == "en":
            _spelled_out(merged)
        _write(path, merged)


def _spelled_out(english: Catalog) -> None:
    for message in english:
        message.string = message.string or message.id


def _write(path: Path, catalog: Catalog) -> None:
    catalog.header_comment, catalog.project, catalog.version = HEADER, "gongi", "1"
    catalog.last_translator = catalog.language_team = "Gongi"
    catalog.msgid_bugs_address, catalog.revision_date, catalog.fuzzy = "", DATED, False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        write_po(target, catalog, width=110, sort_by_file=True, include_lineno=False, omit_header=False)
