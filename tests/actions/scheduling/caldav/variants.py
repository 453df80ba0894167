"""What CalDAV allows a server, or what stands before it, to do: a transport to a real one that varies it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from multidict import CIMultiDict, CIMultiDictProxy

from actions.transport import Response, Transport

_DAV, _CALDAV = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
_PREFIX = "/internal"
_BERLIN = """BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


@dataclass(frozen=True)
class Variant:
    """How a server differs from the one behind it.

    Attributes:
        limit: how many objects it finds at most for a question.
        refusal: the status that it answers if there are more; else it tells so many, and that there are more.
        forgets: objects that are asked for by their names are "not found", though a question found them.
        empty: what a question finds comes without its content.
        zips: what is read compressed has an ETag of its own, as Apache does it.
        hrefs: "absolute", "escaped" as far as possible, or with a "prefix" of the server behind.
        rewrites: what is written is put into other words: another zone, SEQUENCE, the time of the write.
        drops: STATUS is left out of that.
        forbids: a uid that is elsewhere is a 403.
    """

    limit: int = 0
    refusal: int = 0
    forgets: bool = False
    empty: bool = False
    zips: bool = False
    hrefs: str = ""
    rewrites: bool = False
    drops: bool = False
    forbids: bool = False


VARIANTS: Mapping[str, Variant] = {
    "cut off": Variant(limit=1),
    "cut off, names not found": Variant(limit=1, forgets=True),
    "too many, 403": Variant(limit=1, refusal=403),
    "too many, 507": Variant(limit=1, refusal=507),
    "no content in answers": Variant(empty=True),
    "ETags of what is compressed": Variant(zips=True),
    "absolute hrefs, cut off": Variant(hrefs="absolute", limit=1),
    "escaped hrefs, cut off": Variant(hrefs="escaped", limit=1),
    "hrefs with a prefix, cut off": Variant(hrefs="prefix", limit=1),
    "other words": Variant(rewrites=True),
    "other words without a state": Variant(rewrites=True, drops=True),
    "a uid elsewhere is forbidden": Variant(forbids=True),
}


def varied(variant: Variant) -> type[Transport]:
    """Return a transport to a server of the variant."""

    class Varied(Transport):
        async def request(self, method: str, path: str, **rest: Any) -> Response:
            if method == "PUT" and variant.rewrites:
                rest["data"] = _rewritten(rest["data"].decode(), variant.drops).encode()
            question = rest.get("data") or b""
            if variant.hrefs == "prefix" and b"calendar-multiget" in question:
                rest["data"] = question.replace(f">{_PREFIX}/".encode(), b">/")
            answer = await super().request(method, path, **rest)
            if answer.status == 207 and method in ("REPORT", "PROPFIND"):
                return _multistatus(variant, answer, question, self.origin if variant.hrefs == "absolute" else "")
            if method == "GET" and variant.zips and "identity" not in (rest.get("headers") or {}).values():
                return _compressed(answer)
            if variant.forbids and b"no-uid-conflict" in answer.body:
                return replace(answer, status=403)
            return answer

        @property
        def origin(self) -> str:
            return "http://calendar.example.org"

    return Varied


def _multistatus(variant: Variant, answer: Response, question: bytes, origin: str) -> Response:
    root = fromstring(answer.body)
    responses = root.findall(f"{_DAV}response")
    is_question = b"calendar-query" in question
    if is_question and variant.limit and len(responses) > variant.limit:
        if variant.refusal:
            error = f'<error xmlns="DAV:"><number-of-matches-within-limits xmlns="{_CALDAV[1:-1]}"/></error>'
            return replace(answer, status=variant.refusal, body=error.encode())
        for one in responses[variant.limit :]:
            root.remove(one)
        _say(SubElement(root, f"{_DAV}response"), "/the/calendar/", "507 Insufficient Storage")
    elif is_question and variant.empty:
        for one in responses:
            _take_content(one)
    elif variant.forgets and b"calendar-multiget" in question:
        for one in responses:
            href = one.findtext(f"{_DAV}href") or ""
            one.clear()
            _say(one, href, "404 Not Found")
    for address in root.iter(f"{_DAV}href"):
        address.text = origin + _spelled(address.text or "", variant.hrefs)
    return replace(answer, body=tostring(root))


def _say(response: Element, href: str, status: str) -> None:
    SubElement(response, f"{_DAV}href").text = href
    SubElement(response, f"{_DAV}status").text = f"HTTP/1.1 {status}"


def _take_content(response: Element) -> None:
    """Have a response say that there is no content that it could tell."""
    for stat in response.findall(f"{_DAV}propstat"):
        for properties in stat.findall(f"{_DAV}prop"):
            for content in properties.findall(f"{_CALDAV}calendar-data"):
                properties.remove(content)
    missing = SubElement(response, f"{_DAV}propstat")
    SubElement(SubElement(missing, f"{_DAV}prop"), f"{_CALDAV}calendar-data")
    SubElement(missing, f"{_DAV}status").text = "HTTP/1.1 404 Not Found"


def _spelled(href: str, how: str) -> str:
    if how == "escaped":
        return "/".join(
            "".join(f"%{ord(one):02x}" if one in "-._c" else one for one in part) for part in href.split("/")
        )
    return _PREFIX + href if how == "prefix" and href.startswith("/") else href


def _compressed(answer: Response) -> Response:
    headers = CIMultiDict(answer.headers)
    if "ETag" in headers:
        headers["ETag"] = f'{headers["ETag"][:-1]}-gzip"'
    return replace(answer, headers=CIMultiDictProxy(headers))


def _rewritten(text: str, drops: bool) -> str:
    """Return an event of ours in the words of another program: times in Berlin by Microsoft's name, SEQUENCE."""

    def local(found: re.Match[str]) -> str:
        # Winter, an hour ahead; never over midnight here.
        hour = int(found[3][9:11]) + 1
        return f"{found[1]};TZID=W. Europe Standard Time:{found[3][:9]}{hour:02}{found[3][11:15]}"

    text = re.sub(r"^(DTSTART|DTEND)(:)(\d{8}T\d{6})Z", local, text, flags=re.MULTILINE)
    text = re.sub(r"^DTSTAMP:.*?\r?\n", "DTSTAMP:20261122T100000Z\r\nSEQUENCE:0\r\n", text, flags=re.MULTILINE)
    text = re.sub(r"^SEQUENCE:0\r?\nSEQUENCE", "SEQUENCE", text, flags=re.MULTILINE)
    if drops:
        text = re.sub(r"^STATUS:.*?\r?\n", "", text, flags=re.MULTILINE)
    if "BEGIN:VTIMEZONE" in text:
        return text
    return text.replace("BEGIN:VEVENT", _BERLIN.replace("\n", "\r\n") + "BEGIN:VEVENT", 1)
