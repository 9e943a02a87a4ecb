"""What Korea's law wants beside data of simple monitors, wherever they are shown or written."""

from collections.abc import Iterable

from gateway.words import LANGUAGES, N_, Words, words

INSTRUMENT = N_("Measured by a simple monitor (간이측정기).")
NETWORK = N_("Not data of the national air quality network.")


def statements(grades: Iterable[str], said: Words) -> tuple[str, str, str]:
    """That a simple monitor measured, its certification grade, and that this is not national-network data; of
    nodes with these grades, where one that the files don't say is none."""
    found = sorted({grade or "none" for grade in grades})
    listed = ", ".join(certificate(grade, said) for grade in found)
    certified = said.gettext("Certification grade: {grade}", grade=listed)
    none = said.gettext("Certification grade: none (not certified)")
    return said.gettext(INSTRUMENT), certified if {*found} - {"none"} else none, said.gettext(NETWORK)


def certificate(grade: str, said: Words) -> str:
    """A certification grade."""
    return said.gettext("grade {grade}", grade=grade) if grade.isdigit() else said.gettext("not certified")


def for_files() -> str:
    """The same in every language, for a file that doesn't say which grades its monitors have."""
    grade = N_("Certification grade: not stated here; see each monitor's certificate.")
    return "\n".join(
        " ".join(words(language).gettext(text) for text in (INSTRUMENT, grade, NETWORK))
        for language in LANGUAGES
    )
