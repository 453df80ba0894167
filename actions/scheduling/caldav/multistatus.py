"""WebDAV's XML: what is asked, and the multistatus that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, ParseError, SubElement, register_namespace, tostring

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from actions.errors import InvalidRequestError

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
# A server tells no more of what it found than so much: the whole answer, or what is said of the calendar in it.
TOO_MANY = f"{CALDAV}number-of-matches-within-limits"
FULL = 507

# Servers that read XML with less care than they should know these prefixes.
register_namespace("D", "DAV:")
register_namespace("C", "urn:ietf:params:xml:ns:caldav")


@dataclass(frozen=True)
class Found:
    """What a server tells of one resource: `properties` are those that it has, by qualified name."""

    href: str
    status: int
    properties: dict[str, Element]

    @property
    def name(self) -> str:
        """The last part of the path, without its escapes."""
        return unquote(urlsplit(self.href).path.rstrip("/").rpartition("/")[2])

    def text(self, name: str) -> str:
        """Return the text of a property, "" if it is not there."""
        element = self.properties.get(name)
        return "" if element is None else element.text or ""

    def children(self, name: str) -> set[str] | None:
        """Return the qualified names of everything in a property; None if the server does not tell it."""
        element = self.properties.get(name)
        return None if element is None else {child.tag for child in element.iter() if child is not element}


def propfind(*names: str) -> bytes:
    """Return the question for these properties."""
    root = Element(f"{DAV}propfind")
    _properties(root, names)
    return _bytes(root)


def events_between(start: datetime, end: datetime) -> bytes:
    """Return the question for all events that overlap with the time, whole and as they are stored."""
    root, event = _calendar_query()
    SubElement(event, f"{CALDAV}time-range", start=f"{start:%Y%m%dT%H%M%SZ}", end=f"{end:%Y%m%dT%H%M%SZ}")
    return _bytes(root)


def events_with(name: str, text: str | None = None) -> bytes:
    """Return the question for all events that have a property of that name, with `text` in it, whenever they are."""
    root, event = _calendar_query()
    property_ = SubElement(event, f"{CALDAV}prop-filter", name=name)
    if text is not None:
        SubElement(property_, f"{CALDAV}text-match").text = text
    return _bytes(root)


def all_events() -> bytes:
    """Return the question for every event there is."""
    root, _ = _calendar_query()
    return _bytes(root)


def _calendar_query() -> tuple[Element, Element]:
    """Return the question for all events, and the filter in it that may ask for fewer."""
    root = Element(f"{CALDAV}calendar-query")
    _properties(root, [f"{DAV}getetag", f"{CALDAV}calendar-data"])
    calendar = SubElement(SubElement(root, f"{CALDAV}filter"), f"{CALDAV}comp-filter", name="VCALENDAR")
    return root, SubElement(calendar, f"{CALDAV}comp-filter", name="VEVENT")


def events_named(hrefs: Sequence[str]) -> bytes:
    """Return the question for objects by their addresses, as the server has spelled them."""
    root = Element(f"{CALDAV}calendar-multiget")
    _properties(root, [f"{DAV}getetag", f"{CALDAV}calendar-data"])
    for href in hrefs:
        SubElement(root, f"{DAV}href").text = href
    return _bytes(root)


def mkcalendar(name: str) -> bytes:
    """Return the order for a calendar of events, shown under `name`."""
    root = Element(f"{CALDAV}mkcalendar")
    properties = SubElement(SubElement(root, f"{DAV}set"), f"{DAV}prop")
    SubElement(properties, f"{DAV}displayname").text = name
    components = SubElement(properties, f"{CALDAV}supported-calendar-component-set")
    SubElement(components, f"{CALDAV}comp", name="VEVENT")
    return _bytes(root)


def parse(body: bytes, system: str) -> Sequence[Found]:
    """Return what a multistatus holds; raises `InvalidRequestError` if the body is none."""
    root = _root(body)
    if root is None or root.tag != f"{DAV}multistatus":
        raise InvalidRequestError(f"{system} answered with something that is not a WebDAV multistatus")
    return [_found(response) for response in root.iter(f"{DAV}response")]


def names_in(body: bytes) -> set[str]:
    """Return the qualified names of all elements of an answer, of an error for example; none if it is not XML."""
    root = _root(body)
    return set() if root is None else {element.tag for element in root.iter()}


def _found(response: Element) -> Found:
    properties = {}
    for stat in response.findall(f"{DAV}propstat"):
        if _status(stat) == 200:
            properties.update({element.tag: element for element in stat.findall(f"{DAV}prop/*")})
    return Found((response.findtext(f"{DAV}href") or "").strip(), _status(response), properties)


def _status(element: Element) -> int:
    # "HTTP/1.1 200 OK"; a response that has propstats has no status of its own.
    words = (element.findtext(f"{DAV}status") or "").split()
    return int(words[1]) if len(words) > 1 and words[1].isdecimal() else 200


def _root(body: bytes) -> Element | None:
    try:
        root: Element = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    return root


def _properties(root: Element, names: Sequence[str]) -> None:
    properties = SubElement(root, f"{DAV}prop")
    for name in names:
        SubElement(properties, name)


def _bytes(root: Element) -> bytes:
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text
