"""The envelope of Korea's public data portal (apis.data.go.kr): rows, or what its error answers mean.

Verified in public clients of the services: the fields, and the gateway's own error answer as XML and as JSON,
with HTTP 200 and with 403; recalled: codes 2 to 5, 11, 21 and 33.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from xml.etree import ElementTree

import msgspec
import structlog

from gateway.reference.problem import KeyRefused, NotAnswering, QuotaSpent, Refused, SourceProblem, Unreadable
from gateway.reference.transport import Answer

log = structlog.get_logger()

T = TypeVar("T")
Row: TypeAlias = Mapping[str, Any]
"""One item of an answer: words or numbers by field."""

NOTHING = "03"
OK = ("00", "0000", "0")

_APPLY = "apply for this very service at data.go.kr; a new key works after an hour or so"
_LATER = "try again later"
_TOMORROW = "a development account may ask 500 times a day and service; it begins anew at midnight in Korea"
_OURS = "this is a mistake of Gongi's or a change of the service: please report it"

CODES: Mapping[str, tuple[str, type[SourceProblem], str]] = {
    "01": ("APPLICATION_ERROR", NotAnswering, _LATER),
    "02": ("DB_ERROR", NotAnswering, _LATER),
    "04": ("HTTP_ERROR", NotAnswering, _LATER),
    "05": ("SERVICETIMEOUT_ERROR", NotAnswering, _LATER),
    "10": ("INVALID_REQUEST_PARAMETER_ERROR", Refused, "check station names and times"),
    "11": ("NO_MANDATORY_REQUEST_PARAMETERS_ERROR", Refused, _OURS),
    "12": ("NO_OPENAPI_SERVICE_ERROR", Refused, _OURS),
    "20": ("SERVICE_ACCESS_DENIED_ERROR", KeyRefused, _APPLY),
    "21": ("TEMPORARILY_DISABLE_THE_SERVICEKEY_ERROR", KeyRefused, _APPLY),
    "22": ("LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR", QuotaSpent, _TOMORROW),
    "30": ("SERVICE_KEY_IS_NOT_REGISTERED_ERROR", KeyRefused, _APPLY),
    "31": ("DEADLINE_HAS_EXPIRED_ERROR", KeyRefused, "renew the key at data.go.kr"),
    "32": ("UNREGISTERED_IP_ERROR", KeyRefused, "register this machine's address at data.go.kr"),
    "33": ("UNSIGNED_CALL_ERROR", KeyRefused, _APPLY),
    "99": ("UNKNOWN_ERROR", NotAnswering, _LATER),
}
"""What a result code means, and what to do."""


def rows(answer: Answer, source: str) -> tuple[list[Row], int]:
    """The items of one page and how many there are in all. Raises `SourceProblem`."""
    said = content(answer, source)
    gateway = said.get("OpenAPI_ServiceResponse")
    if isinstance(gateway, Mapping):
        header = _part(gateway, "cmmMsgHeader")
        raise meaning(header.get("returnReasonCode"), header.get("returnAuthMsg"), source)
    response = _part(said, "response")
    header, body = _part(response, "header"), _part(response, "body")
    code = str(header.get("resultCode", ""))
    if code == NOTHING:
        return [], 0
    if code not in OK:
        if not code:
            raise Unreadable(f"no result code in {_start(answer.body)}", source, _LATER)
        raise meaning(code, header.get("resultMsg"), source)
    found = _items(body.get("items"))
    return found, whole(body.get("totalCount"), len(found))


def each(found: Sequence[Row], read: Callable[[Row], Iterable[T]], source: str) -> list[T]:
    """What `read` makes of the rows; one that it can't read is left out and logged: it mustn't take the
    others with it. Raises `Unreadable` where none can be read."""
    made: list[T] = []
    wrong: list[Unreadable] = []
    for row in found:
        try:
            made += read(row)
        except Unreadable as error:
            wrong.append(error)
    if wrong and len(wrong) == len(found):
        raise wrong[0]
    if wrong:
        log.warning("reference rows left out", source=source, rows=len(wrong), reason=wrong[0].what)
    return made


def meaning(code: object, message: object, source: str) -> SourceProblem:
    """The typed error of a result code; the gateway may say its name in the place of the number."""
    words = {str(code).strip(), str(message).strip()}
    padded = str(code).strip().zfill(2)
    known = CODES.get(padded) or next((row for row in CODES.values() if words & {row[0]}), None)
    said = str(message or code)[:200]
    if known is None:
        return Refused(f"it answers {said} ({str(code)[:40]})", source, _LATER)
    name, kind, advice = known
    return kind(f"it answers {name}" + (f" ({said})" if said != name else ""), source, advice)


def content(answer: Answer, source: str) -> dict[str, Any]:
    """The body as nested fields, whether it came as JSON or XML. Raises `Unreadable`."""
    body = answer.body.strip().removeprefix(b"\xef\xbb\xbf")
    try:
        if body.startswith(b"<"):
            return _xml(body)
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, ElementTree.ParseError, ValueError, LookupError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Unreadable(f"neither JSON nor XML: {_start(body)}", source, _LATER)
    return said


def _xml(body: bytes) -> dict[str, Any]:
    # No answer of a source has a document type; a page has one, and entities without end need one.
    if b"<!" in body.replace(b"<![CDATA[", b""):
        raise ValueError("a document type")
    root = ElementTree.fromstring(body)
    return {root.tag: _fields(root, 0)}


def _fields(element: ElementTree.Element, depth: int) -> Any:
    if depth > 20:
        raise ValueError("nested too deeply")
    if not len(element):
        return (element.text or "").strip()
    fields: dict[str, Any] = {}
    for child in element:
        held = _fields(child, depth + 1)
        if child.tag in ("item", "row"):
            fields.setdefault(child.tag, []).append(held)
        else:
            fields[child.tag] = held
    return fields


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, Mapping) else {}


def _items(items: object) -> list[Row]:
    """A list of rows, or one below `item`, or an empty word where there is none."""
    held = items.get("item", []) if isinstance(items, Mapping) else items
    listed = held if isinstance(held, list) else [held]
    return [one for one in listed if isinstance(one, Mapping)]


def whole(word: object, default: int) -> int:
    """A count, however it is written."""
    try:
        return int(str(word))
    except ValueError:
        return default


def _start(body: bytes) -> str:
    text = body[:80].decode("utf-8", "replace")
    return ascii("".join(one if one.isprintable() else " " for one in text)) if text else "an empty answer"


def word(row: Row, field: str) -> str:
    """A field as trimmed text; empty where it is missing or null."""
    value = row.get(field)
    return "" if value is None else str(value).strip()
