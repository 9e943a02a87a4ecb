"""The one catalogue of human words: gettext messages in `gateway/locale`, read as Babel's `.po` files.

A message's key is its English source string with `{name}` placeholders, so that code reads as what people
see. Strings that stand in tables are marked with `N_`, pairs for a count with `N2_`. After new words:
`python -m gateway.locale` extracts them and updates both catalogues; a test holds that they are complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations
from importlib.resources import files
from io import BytesIO

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DEFAULT = "ko"
LANGUAGES: Mapping[str, str] = {"ko": "한국어", "en": "English"}


def N_(message: str) -> str:
    """The message itself; marks a table's string for extraction."""
    return message


def N2_(one: str, many: str) -> tuple[str, str]:
    """Both forms themselves; marks a table's pair for extraction."""
    return one, many


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    lang: str
    translations: GNUTranslations

    @property
    def locale(self) -> Locale:
        """Babel's locale of this language, for dates and numbers."""
        return Locale.parse(self.lang)

    def gettext(self, message: str, **values: object) -> str:
        """The message in this language, its `{name}` placeholders filled."""
        return self.translations.gettext(message).format(**values)

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """The message in the form that the number `n` takes in this language; `{n}` is filled too."""
        return self.translations.ngettext(one, many, n).format(n=n, **values)


@cache
def words(lang: str) -> Words:
    """The words of a language of `LANGUAGES`; any other code gives the default's."""
    lang = lang if lang in LANGUAGES else DEFAULT
    source = files("gateway") / "locale" / lang / "LC_MESSAGES" / "gongi.po"
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale=lang, domain="gongi"))
    compiled.seek(0)
    return Words(lang, GNUTranslations(compiled))


def preferred(accept_language: str) -> str:
    """The language of `LANGUAGES` that an Accept-Language header prefers, else the default."""
    wanted = sorted(_ranked(accept_language), key=lambda entry: -entry[0])
    found = negotiate_locale([tag for _, tag in wanted], list(LANGUAGES), sep="-")
    return found or DEFAULT


def _ranked(header: str) -> list[tuple[float, str]]:
    entries = (part.strip().partition(";q=") for part in header.split(",") if part.strip())
    return [(_weight(weight), tag.strip()) for tag, _, weight in entries]


def _weight(text: str) -> float:
    try:
        return float(text or 1.0)
    except ValueError:
        return 0.0


ALARMS: Mapping[str, str] = {
    "silent": N_("{about} has stopped sending. Check its power and network."),
    "stuck": N_("{about} has shown the same value for a long time. Its sensor may be blocked."),
    "conflict": N_(
        "{about} sent two different contents under one number. Both are kept; please have it checked."
    ),
    "stage": N_("The step “{about}” failed on some data. They are kept raw."),
    "clogged": N_(
        "The air purifier of {about} delivers {share} % of what it did in its best weeks. "
        "Clean or change its filter."
    ),
    "unacknowledged": N_("{about} does not confirm its command. Check its power and network."),
    "network-refused": N_("A changed network file was refused. The former one stays in force."),
    "gap": N_("Data of {about} are missing and have been asked for again."),
    "lost": N_("Data of {about} are lost and named in the ledger."),
    "influx": N_("The database does not accept data. Nothing is lost; it is sent again later."),
    "journal": N_("The gateway can't store data now. The devices keep theirs until it can."),
    "model-refused": N_("A new forecast model was refused. The former one goes on."),
    "broker": N_("The connection to the broker is interrupted. The devices keep their data meanwhile."),
    "reference": N_("No reference values come from {about} now. They are asked for again."),
    "disk": N_("The gateway's disk is almost full."),
    "drift": N_(
        "The sensor of {about} has drifted. Proposed: {gain} × value {offset}"
        " (gongi calibrate accept {proposal})."
    ),
    "carried": N_(
        "A travelling monitor beside {about} says otherwise. Proposed: {gain} × value {offset}"
        " (gongi calibrate accept {proposal})."
    ),
    "untimed": N_("{about} does not know the time yet. Its data are kept."),
}
"""The text of each kind of alarm; `{about}` is its device, other placeholders come from its details."""

TESTS: Mapping[str, str] = {
    "range": N_("The sensor can't truly measure such a value."),
    "rate": N_("It changed faster than air does."),
    "flat": N_("It has not moved for hours; the sensor may be stuck."),
    "spike": N_("A single value far from the ones before and after it."),
    "channels": N_("The two halves of the sensor contradict each other."),
    "counts": N_("It reports dust but counts no particles."),
    "warming": N_("The sensor was still warming up, or reported nothing but zeros."),
    "humid": N_("The air is so damp that the humidity sensor is at its end, and fog counts as dust."),
    "late": N_("It came late and is being checked."),
    "untimed": N_("Its time is not known yet."),
    "nowhere": N_("The device had no place in the network files at that time."),
    "stage_failed": N_("It could not be checked; it is kept as it came."),
    "clock": N_("The device's clock stood still or jumped."),
    "neighbour": N_("The other monitors beside it say something else."),
    "reference": N_("The official station nearby says something else."),
    "beyond": N_("It lies outside what the sensor's calibration has seen."),
}
"""Why a value is flagged, in plain words, by the name of the test in lower case."""

OTHER_ALARM = N_("{about}: {kind}")


def alarm_text(words: Words, kind: str, about: str, details: Mapping[str, str]) -> str:
    """An alarm as a sentence; a kind or a detail that the catalogue doesn't know is named as it is."""
    try:
        return words.gettext(ALARMS[kind], **{**details, "about": about, "kind": kind})
    except KeyError:
        return words.gettext(OTHER_ALARM, about=about, kind=kind)
