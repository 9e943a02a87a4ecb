"""The pages: the same answers as the API's, drawn by templates that escape everything."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edge.index.korea import TABLES
from gateway.console import spoken
from gateway.console.desk import AtDesk, Spoken
from gateway.words import LANGUAGES, Words

HERE = Path(__file__).parent

SHOWN = ("pm25", "pm10", "co2", "temp", "rh")
"""What a room's card and the chart offer, in this order."""

pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, request: Request, words: Words, status: int = 200, **values: Any) -> HTMLResponse:
    """A template's page in one language."""
    text = _environment.get_template(name).render(
        _=words.gettext,
        ngettext=words.ngettext,
        lang=words.lang,
        languages=LANGUAGES,
        path=request.url.path,
        shown=SHOWN,
        label=lambda quantity: spoken.label(quantity, words),
        since=TABLES[-1].since.isoformat(),
        **values,
    )
    return HTMLResponse(text, status, {"Vary": "Accept-Language", "Cache-Control": "no-store"})


@pages.get("/")
def home(request: Request, at: AtDesk, said: Spoken) -> Response:
    """The school list; with one school alone, that school."""
    if len(at.board.network.sites) == 1:
        only = next(iter(at.board.network.sites))
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/site/{only}{query}")
    return page("sites.html", request, said, all=at.board.sites(said))


@pages.get("/now")
def list_fragment(request: Request, at: AtDesk, said: Spoken) -> HTMLResponse:
    """The part of the school list that changes."""
    return page("list.html", request, said, all=at.board.sites(said))


@pages.get("/site/{site}")
def school(site: str, request: Request, at: AtDesk, said: Spoken) -> HTMLResponse:
    """One school."""
    many = len(at.board.network.sites) > 1
    return page("site.html", request, said, site=at.board.site(site, said), many=many)


@pages.get("/site/{site}/now")
def fragment(site: str, request: Request, at: AtDesk, said: Spoken) -> HTMLResponse:
    """The part of a school's page that changes."""
    return page("now.html", request, said, site=at.board.site(site, said))
