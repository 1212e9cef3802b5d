from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.errors import PROBLEMS
from tests.api.http.service import picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.http.service import Service

PNG, JPEG = picture(), picture("JPEG")


def png_header(width: int, height: int, depth: int = 8) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(chunk))
    idat = struct.pack(">I", 1 << 20) + b"IDAT"
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + crc + idat


def form(*parts: tuple[str, str | None, bytes], end: bytes = b"--x--\r\n") -> dict[str, Any]:
    body = b""
    for name, filename, data in parts:
        named = f'; filename="{filename}"' if filename else ""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return {
        "content": body + end, "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    }  # fmt: skip


def raw(content: bytes = PNG, kind: str = "image/png", **params: str) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": kind}, "params": params}


FILE = ("file", "a.png", PNG)

CASES: dict[str, tuple[dict[str, Any], str, str | None]] = {
    # the body
    "empty": (raw(b""), "empty_body", None),
    "empty part": (form(("file", "a.png", b"")), "empty_body", None),
    "text": (raw(b"hello, world! " * 9), "not_an_image", None),
    "text in a form": (form(("file", "a.png", b"hello, world! " * 9)), "not_an_image", None),
    "photoshop": (raw(b"8BPS" + bytes(40), "image/x-psd"), "unsupported_type", None),
    "svg": (raw(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "unsupported_type", None),
    "cut in its header": (raw(PNG[:20]), "truncated", None),
    "177 megapixels": (raw(png_header(13312, 13312)), "too_many_pixels", None),
    "absurd header": (raw(png_header(2**31 - 1, 2**31 - 1)), "too_many_pixels", None),
    "no width": (raw(png_header(0, 5)), "bad_dimensions", None),
    "16 bits": (raw(png_header(5, 5, 16)), "unsupported_bit_depth", None),
    "too large": (raw(PNG + bytes(25 * 2**20)), "body_too_large", None),
    "too large in a form": (
        form(("file", "a.png", PNG + bytes(25 * 2**20))), "body_too_large", None,
    ),
    # the type
    "jpeg called png": (raw(JPEG), "content_type_mismatch", None),
    "png called jpeg": (raw(PNG, "image/jpeg"), "content_type_mismatch", None),
    "curl's default": (
        raw(PNG, "application/x-www-form-urlencoded"), "unsupported_content_type", None
    ),
    "json": (raw(b"{}", "application/json"), "invalid_option", None),
    "compressed": (
        {"content": PNG, "headers": {"Content-Type": "image/png", "Content-Encoding": "gzip"}},
        "unsupported_content_type", None,
    ),
    # the form
    "no boundary": (raw(PNG, "multipart/form-data"), "malformed_request", None),
    "no form": (raw(PNG, "multipart/form-data; boundary=x"), "malformed_request", None),
    "very long boundary": (
        raw(PNG, "multipart/form-data; boundary=" + "x" * 300), "malformed_request", None,
    ),
    "no file": (form(("label", None, b"cat")), "malformed_request", None),
    "no end": (form(FILE, end=b""), "malformed_request", None),
    "two files": (form(FILE, FILE), "invalid_option", "file"),
    "misnamed file": (form(("photo", "a.png", PNG)), "invalid_option", "photo"),
    "long field": (form(("label", None, b"x" * 5000), FILE), "invalid_option", "label"),
    "unknown field": (form(("seed", None, b"1"), FILE), "invalid_option", "seed"),
    "field twice": (
        form(("label", None, b"a"), ("label", None, b"b"), FILE), "invalid_option", "label",
    ),
    "field not in UTF-8": (form(("label", None, b"\xff\xfe"), FILE), "malformed_request", None),
    "field after the file": (
        form(FILE, ("preset", None, b"brutal")), "unknown_preset", "preset",
    ),
    "in query and form": (
        form(("label", None, b"a"), FILE) | {"params": {"label": "b"}}, "invalid_option", "label",
    ),
    # the options
    "unknown option": (raw(colour="red"), "invalid_option", "colour"),
    "option twice": (raw() | {"params": [("label", "a"), ("label", "b")]}, "invalid_option", None),
    "method": (raw(method="magic"), "unknown_method", "method"),
    "target": (raw(target="moon"), "invalid_option", "target"),
    "surrogate": (raw(surrogate="gpt"), "unknown_surrogate", "surrogate"),
    "preset": (raw(preset="brutal"), "unknown_preset", "preset"),
    "format": (raw(output_format="gif"), "invalid_option", "output_format"),
    "label": (raw(label="a\x00b"), "invalid_option", "label"),
    "empty label": (raw(label=""), "invalid_option", "label"),
    "long label": (raw(label="x" * 257), "invalid_option", "label"),
    "label without a class": (raw(target="logits", label="cow"), "unknown_label", "label"),
    "epsilon in words": (raw(epsilon="eight"), "invalid_option", "epsilon"),
    "no number": (raw(epsilon="nan"), "invalid_option", "epsilon"),
    "endless": (raw(epsilon="inf"), "invalid_option", "epsilon"),
    "large epsilon": (raw(epsilon="17"), "invalid_option", "epsilon"),
    "a strength where there is none": (
        form(("preset", None, b"strong"), ("method", None, b"cuda"), FILE),
        "invalid_option", "preset",
    ),
    "another method's target": (
        raw(method="cuda", target="prototype"), "invalid_option", "target",
    ),
    "both strengths": (raw(epsilon="8", preset="strong"), "invalid_option", "epsilon"),
    "both, in a form": (
        form(("epsilon", None, b"8"), FILE, ("preset", None, b"strong")),
        "invalid_option", "epsilon",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_with_a_code_and_leaves_nothing(service: Service, case: str) -> None:
    request, code, field = CASES[case]
    answer = service.client.post("/v1/images", **request)
    problem = answer.json()
    assert problem["code"] == code, problem
    assert problem.get("field") == field
    assert_problem(answer, code)
    assert service.kept() == []
    assert service.ledger.items.count_by_state() == {}


ELSEWHERE = {
    "no such page": ("GET", "/nowhere", "not_found"),
    "no such version": ("POST", "/v2/images", "not_found"),
    "unknown id": ("GET", f"/v1/images/{'0' * 32}", "not_found"),
    "malformed id": ("GET", "/v1/images/..%2f..%2fetc", "not_found"),
    "upper-case id": ("GET", f"/v1/images/{'A' * 32}", "not_found"),
    "content of no one": ("GET", f"/v1/images/{'0' * 32}/content", "not_found"),
    "delete no one": ("DELETE", f"/v1/images/{'0' * 32}", "not_found"),
    "unknown problem": ("GET", "/problems/nothing", "not_found"),
    "unknown file": ("GET", "/static/secret.txt", "not_found"),
    "out of the folder": ("GET", "/static/..%2f__init__.py", "not_found"),
    "wrong method": ("PUT", "/v1/images", "method_not_allowed"),
    "made-up method": ("BREW", "/v1/images", "method_not_allowed"),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_every_other_refusal_is_a_problem_too(service: Service, case: str) -> None:
    method, path, code = ELSEWHERE[case]
    assert_problem(service.client.request(method, path), code)


def test_a_wrong_method_names_the_right_ones(service: Service) -> None:
    assert service.client.put("/v1/images").headers["Allow"] == "GET, POST"
    assert service.client.put("/v1/protect").headers["Allow"] == "POST"
    assert service.client.put("/v1/keys/self").headers["Allow"] == "GET"


def test_our_own_fault_says_nothing_of_its_cause(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> Iterator[None]:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(service.ledger.items, "get_with_position", fail)
    answer = service.client.get(f"/v1/images/{'0' * 32}")
    assert_problem(answer, "internal_error")
    assert "hunter2" not in answer.text
    assert answer.json()["instance"] == f"urn:uuid:{answer.headers['X-Request-Id']}"


def assert_problem(answer: httpx.Response, code: str) -> None:
    known = PROBLEMS[code]
    if answer.request.method == "HEAD":  # without a body
        assert (answer.status_code, answer.content) == (known.status, b"")
        return
    problem = answer.json()
    assert answer.status_code == problem["status"] == known.status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (problem["code"], problem["type"]) == (code, f"/problems/{code}")
    assert problem["title"] == known.title
    assert problem["remedy"] == known.remedy
    assert problem["detail"]


HALF = "\\ud800"
"""As JSON writes it: half of a surrogate pair, which no text can hold."""


@pytest.mark.parametrize(("path", "body"), [
    ("/v1/images", f'{{"{HALF}": 1, "{HALF}": 2}}'),
    ("/v1/images", f'{{"upload": "x", "{HALF}": 1}}'),
    ("/v1/images", f'{{"upload": "{HALF}"}}'),
    ("/v1/images", f'{{"upload": "{32 * "0"}", "label": "{HALF}"}}'),
    ("/v1/images", f'{{"upload": "{32 * "0"}", "method": "{HALF}"}}'),
    ("/v1/batches", f'{{"name": "{HALF}"}}'),
    ("/v1/batches", f'{{"options": {{"{HALF}": 1}}}}'),
    ("/v1/batches", f'{{"options": {{"label": "{HALF}"}}}}'),
    ("/v1/batches", f'{{"images": ["{HALF}"]}}'),
    ("/v1/uploads", f'{{"bytes": 1, "filename": "{HALF}"}}'),
    ("/v1/uploads", f'{{"bytes": 1, "content_digest": "{HALF}"}}'),
    ("/v1/keys", f'{{"name": "{HALF}"}}'),
    ("/v1/keys", f'{{"{HALF}": "x"}}'),
    ("/v1/keys", f'{{"name": "x", "scopes": ["{HALF}"]}}'),
    (f"/v1/keys/{16 * '0'}/rotate", f'{{"grace_hours": "{HALF}"}}'),
    ("/v1/webhooks", f'{{"url": "https://{HALF}.example/"}}'),
    ("/v1/webhooks", f'{{"url": "https://a.example/", "events": ["{HALF}"]}}'),
])  # fmt: skip
def test_half_a_surrogate_pair_in_a_body_is_malformed(
    path: str, body: str, service: Service
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = service.client.post(path, content=body, headers=headers)
    assert_problem(answer, "malformed_request")


@pytest.mark.parametrize("body", [
    f'{{"images": [{{"{HALF}": 1, "{HALF}": 2}}]}}', f'{{"images": [{{"key": "{HALF}"}}]}}',
    f'{{"images": [{{"key": "a/b", "file": "{HALF}"}}]}}',
])  # fmt: skip
def test_half_a_surrogate_pair_in_a_line_is_that_lines_fault(body: str, service: Service) -> None:
    headers = {"Content-Type": "application/json"}
    answer = service.client.post("/v1/batches", content=body, headers=headers)
    assert answer.status_code == 201
    assert [one["problem"]["code"] for one in answer.json()["lines"]] == ["malformed_request"]


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\x7f"])
def test_a_batch_has_a_name_that_can_be_written_in_a_line(name: str, service: Service) -> None:
    answer = service.client.post("/v1/batches", json={"name": name})
    assert_problem(answer, "invalid_option")
    assert service.client.post("/v1/batches", json={"name": "👩‍👩‍👧 2026"}).status_code == 201
