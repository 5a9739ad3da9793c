"""An alert as XML, valid against the OASIS schema and the rules beside it, or not at all."""

from __future__ import annotations

import re

from lxml import etree

from notifiers.cap.checks import NAMESPACE, problems
from notifiers.cap.model import STATUS, Alert, Area, Info, cap_time
from streams.errors import AirshedError

MEDIA_TYPE = "application/cap+xml"
_CATEGORIES = ("Env", "Health")
_EVENT_CODE = ("airshed.event", "air-pollution-episode")


class CapError(AirshedError):
    """An alert that breaks a rule: a defect, stopped before it is published. ``found`` holds every problem."""

    def __init__(self, identifier: str, found: list[str]) -> None:
        super().__init__(f"alert {identifier}: {'; '.join(found)}")
        self.found = found


def document(alert: Alert) -> bytes:
    """The XML of an alert, UTF-8.

    Raises:
        CapError: with every rule it breaks.
    """
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})
    _texts(
        root,
        ("identifier", alert.identifier),
        ("sender", alert.sender),
        ("sent", cap_time(alert.sent)),
        ("status", STATUS[type(alert)]),
        ("msgType", alert.message_type),
        ("scope", "Public"),
        ("note", alert.note),
        ("references", " ".join(map(str, alert.references))),
        ("incidents", alert.incidents),
    )
    for info in alert.infos:
        _info(etree.SubElement(root, f"{{{NAMESPACE}}}info"), info)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    if found := problems(written):
        raise CapError(alert.identifier, found)
    return written


def _info(element: etree._Element, info: Info) -> None:
    _texts(element, ("language", info.language), *(("category", category) for category in _CATEGORIES))
    _texts(element, ("event", info.event), *(("responseType", response) for response in info.responses))
    _texts(element, ("urgency", info.urgency), ("severity", info.severity), ("certainty", info.certainty))
    _pairs(element, "eventCode", (_EVENT_CODE,))
    _texts(
        element,
        ("onset", cap_time(info.onset)),
        ("expires", cap_time(info.expires)),
        ("senderName", info.sender_name),
        ("headline", info.headline),
        ("description", info.description),
        ("instruction", info.instruction),
        ("web", info.web),
    )
    _pairs(element, "parameter", info.parameters)
    for area in info.areas:
        _area(etree.SubElement(element, f"{{{NAMESPACE}}}area"), area)


def _area(element: etree._Element, area: Area) -> None:
    _texts(element, ("areaDesc", area.description), *(("polygon", polygon) for polygon in area.polygons))
    _pairs(element, "geocode", area.geocodes)


def _texts(parent: etree._Element, *named: tuple[str, str]) -> None:
    """Child elements with text; what is empty is left out."""
    for name, text in named:
        if text:
            etree.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = _writable(text)


def _pairs(parent: etree._Element, name: str, pairs: tuple[tuple[str, str], ...]) -> None:
    for value_name, value in pairs:
        child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
        _texts(child, ("valueName", value_name), ("value", value))


_UNWRITABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _writable(text: str) -> str:
    """Without what XML cannot hold (control characters), which a name from outside may bring."""
    return _UNWRITABLE.sub("", text)
