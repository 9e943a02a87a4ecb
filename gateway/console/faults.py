"""Problem answers: RFC 9457 JSON for programs, a page for people."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from gateway.block import JournalError
from gateway.console.answers import Problem
from gateway.console.board import Missing
from gateway.console.desk import speaking
from gateway.console.pages import page
from gateway.override import NoSuchLevel, NotTaken
from gateway.words import N_, Words

TITLES = {
    401: N_("Only who knows the word may do this"),
    403: N_("This may only be done on the gateway's own machine"),
    404: N_("Not found"),
    405: N_("Only reading is possible here"),
    422: N_("The question can't be understood"),
    500: N_("The gateway could not answer"),
    503: N_("It could not be done now"),
}

KINDS = {
    "site": N_("There is no school “{id}”."),
    "node": N_("There is no monitor “{id}”."),
    "quantity": N_("There is no quantity “{id}”."),
    "actuator": N_("There is no actuator “{id}”."),
    "page": N_("There is no page “{id}”."),
}

BROKEN = N_("The gateway met an error of its own; its log says which. Please try again later.")

OTHER = N_("The request was refused")

NAMED = 12
"""How many existing ids an answer names."""


def answer_faults(app: FastAPI) -> None:
    """Lets the app answer every fault with a problem."""
    app.add_exception_handler(Missing, _missing)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(NoSuchLevel, _unfit)
    app.add_exception_handler(NotTaken, _later)
    app.add_exception_handler(JournalError, _later)
    app.add_exception_handler(Exception, _broken)
    app.add_exception_handler(RequestValidationError, _invalid)


def _missing(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Missing)
    words = _words(request)
    detail = words.gettext(KINDS[fault.kind], id=fault.id[:64])
    if fault.known:
        names = ", ".join(fault.known[:NAMED]) + (" …" if len(fault.known) > NAMED else "")
        known = words.gettext("Known here: {names}", names=names)
        detail = f"{detail} {known}"
    return _problem(request, 404, detail)


def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    if fault.status_code == 404:
        return _missing(request, Missing("page", request.url.path))
    return _problem(request, fault.status_code, str(fault.detail))


def _unfit(request: Request, fault: Exception) -> Response:
    return _problem(request, 422, str(fault).replace("\n ", ";"))


def _later(request: Request, fault: Exception) -> Response:
    return _problem(request, 503, str(fault).replace("\n ", ";"))


def _broken(request: Request, fault: Exception) -> Response:
    return _problem(request, 500, _words(request).gettext(BROKEN))


def _invalid(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    said = (f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in fault.errors())
    return _problem(request, 422, "; ".join(said))


def _problem(request: Request, status: int, detail: str) -> Response:
    words = _words(request)
    title = words.gettext(TITLES.get(status, OTHER))
    path = request.url.path
    if not path.startswith("/api/"):
        return page("problem.html", request, words, status, title=title, detail=detail)
    body = Problem(type="about:blank", title=title, status=status, detail=detail, instance=path)
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _words(request: Request) -> Words:
    return speaking(request, request.query_params.get("lang", ""))
