"""Whether a CAP document is valid: against the OASIS schema, and by the rules of the standard it cannot express."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib import resources

from lxml import etree

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_MOST_BYTES = 5_000_000  # outlines of 34 provinces in two languages are about 200 kB
_NAME = re.compile(r"[^\s,<&]+")  # identifier and sender: no spaces, commas, < or &
_REFERENCE = re.compile(r"[^\s,<&]+,[^\s,<&]+,\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
_FACTS = ("category", "responseType", "urgency", "severity", "certainty", "onset", "expires")


def problems(document: bytes) -> list[str]:
    """Everything that is wrong with a CAP document, with the line where the schema names one. Empty: it is valid.

    Entities are not resolved and nothing is fetched, so that documents of others can be looked at as well.
    """
    if len(document) > _MOST_BYTES:
        return [f"larger than {_MOST_BYTES} bytes"]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        return [f"not XML: {error}"]
    if root.getroottree().docinfo.doctype:
        return ["a document type is not allowed"]
    schema = _schema()
    if not schema.validate(root):
        return [f"line {entry.line}: {entry.message}" for entry in schema.error_log]
    return [*_of_alert(root), *_of_infos(root)]


@cache
def _schema() -> etree.XMLSchema:
    raw = (resources.files("notifiers") / "cap" / "CAP-v1.2.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(raw))


def _of_alert(root: etree._Element) -> Iterator[str]:
    for name in ("identifier", "sender"):
        if not _NAME.fullmatch(_text(root, name)):
            yield f"{name}: no spaces, commas, < or & are allowed in it, and it may not be empty"
    kind, references = _text(root, "msgType"), _text(root, "references").split()
    if kind != "Alert" and not references:
        yield f"references: {kind} has to name what it is about"
    for reference in references:
        if not _REFERENCE.fullmatch(reference):
            yield f"references: {reference!r} is not sender,identifier,sent"
        elif reference.startswith(f"{_text(root, 'sender')},{_text(root, 'identifier')},"):
            yield "references: an alert cannot reference itself"
    if len(set(references)) != len(references):
        yield "references: the same alert twice"
    for scope, name in (("Restricted", "restriction"), ("Private", "addresses")):
        if (_text(root, "scope") == scope) != bool(_text(root, name)):
            yield f"{name}: goes with scope {scope}, and only with it"
    if _text(root, "status") == "Exercise" and not _text(root, "note"):
        yield "note: an exercise says in it which one it is"
    if not _text(root, "incidents"):
        yield "incidents: the episode is missing"
    if kind in ("Alert", "Update") and not _all(root, "info"):
        yield f"info: {kind} says nothing"
    for element in root.iter():
        if isinstance(element.tag, str) and len(element) == 0 and not (element.text or "").strip():
            yield f"{etree.QName(element).localname}: empty"


def _of_infos(root: etree._Element) -> Iterator[str]:
    infos = _all(root, "info")
    for number, info in enumerate(infos, start=1):
        for problem in _of_info(root, info):
            yield f"info {number}: {problem}"
    by_language: dict[str, list[tuple[str, ...]]] = {}
    for info in infos:
        facts = tuple(" ".join(_texts(info, name)) for name in _FACTS)
        codes = " ".join(sorted(code.text or "" for code in info.iter(f"{{{NAMESPACE}}}value")))
        by_language.setdefault(_text(info, "language"), []).append((*facts, codes))
    if len({tuple(sorted(facts)) for facts in by_language.values()}) > 1:
        yield "the languages do not say the same"


def _of_info(root: etree._Element, info: etree._Element) -> Iterator[str]:
    for name in ("language", "event", "expires", "headline", "description", "area", "senderName"):
        if not _all(info, name):
            yield f"{name}: missing"
    expires, sent, onset = (_time(info, "expires"), _time(root, "sent"), _time(info, "onset"))
    if expires and sent and expires <= sent:
        yield "expires: not after sent"
    if expires and onset and expires <= onset:
        yield "expires: not after onset"
    responses = _texts(info, "responseType")
    if "AllClear" in responses and (_text(root, "msgType") == "Alert" or responses != ["AllClear"]):
        yield "responseType: AllClear ends something, and stands alone"
    if ("AllClear" in responses) != (_text(info, "urgency") == "Past"):
        yield "urgency: Past goes with AllClear"
    if len(_text(info, "headline")) > 160:
        yield "headline: longer than 160 characters"
    for area in _all(info, "area"):
        for polygon in _texts(area, "polygon"):
            if problem := _of_polygon(polygon):
                yield f"polygon of {_text(area, 'areaDesc')}: {problem}"


def _of_polygon(text: str) -> str:
    try:
        points = [(float(lat), float(lon)) for lat, lon in (pair.split(",") for pair in text.split())]
    except ValueError:
        return "not pairs of lat,lon"
    if len(points) < 4 or points[0] != points[-1]:
        return "fewer than four points, or the last one is not the first"
    within = all(-90 <= lat <= 90 and -180 <= lon <= 180 for lat, lon in points)
    return "" if within else "outside the earth"


def _all(parent: etree._Element, name: str) -> list[etree._Element]:
    return parent.findall(f"{{{NAMESPACE}}}{name}")


def _texts(parent: etree._Element, name: str) -> list[str]:
    return [(element.text or "").strip() for element in _all(parent, name)]


def _text(parent: etree._Element, name: str) -> str:
    return next(iter(_texts(parent, name)), "")


def _time(parent: etree._Element, name: str) -> datetime | None:
    text = _text(parent, name)
    return datetime.fromisoformat(text) if text else None
