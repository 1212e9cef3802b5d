"""What the page and the command line advise is for people, not for HTTP clients."""

from __future__ import annotations

import re

import pytest

from photoward.api import cli
from photoward.api.http.routes.images import IMAGE_REFUSALS
from photoward.api.http.routes.page import WEB
from photoward.core.errors import ADVICE, PROBLEMS, BadInput

FOR_PROGRAMS = re.compile(r"multipart|Content-|Retry-After|GET /|POST /|Authorization|detail|field")

PAGE_ADVICE = dict(
    re.findall(r'^  (\w+): (?:"([^"]+)"|\w+),$', (WEB / "advice.js").read_text(), re.MULTILINE)
)

NOT_BY_THE_PAGE = {
    "length_mismatch",
    "digest_mismatch",
    "unsupported_content_type",
    "request_differs",
    "unknown_method",
    "unknown_surrogate",
}
"""Problems of headers and options that the page does not send."""


def test_the_page_advises_on_problems_that_exist() -> None:
    assert PAGE_ADVICE.keys() <= PROBLEMS.keys()
    assert len(PAGE_ADVICE) > 15


@pytest.mark.parametrize("code", sorted(set(IMAGE_REFUSALS) - NOT_BY_THE_PAGE))
def test_the_page_advises_people(code: str) -> None:
    assert not FOR_PROGRAMS.search(PAGE_ADVICE.get(code, PROBLEMS[code].remedy))


def test_the_command_line_advises_people() -> None:
    assert ADVICE.keys() <= PROBLEMS.keys()
    for code in ADVICE:
        assert not FOR_PROGRAMS.search(cli.sentence(BadInput(code, "A sentence.")))
