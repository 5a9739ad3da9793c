"""Atom feeds of alerts (RFC 4287). The public one is built for actual alerts and takes no other type."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

from lxml import etree

from notifiers.cap.documents import MEDIA_TYPE
from notifiers.cap.model import STATUS, ActualAlert, ExerciseAlert, TestAlert

_ATOM = "http://www.w3.org/2005/Atom"
A = TypeVar("A", ActualAlert, ExerciseAlert, TestAlert)


class WrongFeedError(TypeError):
    """An alert of one type was handed to the feed of another one: a defect, stopped here."""


class Feed(Generic[A]):
    """A feed of alerts of one type."""

    def __init__(self, accepts: type[A], address: str, title: str, author: str) -> None:
        """``address``: where the feed is, without a file name; alerts are beside it as ``<identifier>.xml``."""
        self._accepts: type[A] = accepts
        self._address, self._title, self._author = address.rstrip("/"), title, author

    def document(self, alerts: Sequence[A], updated: datetime) -> bytes:
        """The feed, the newest alert first. ``updated`` is its time while there is no alert.

        Raises:
            WrongFeedError: one of the alerts is of another type.
        """
        wrong = next((alert for alert in alerts if type(alert) is not self._accepts), None)
        if wrong is not None:
            raise WrongFeedError(f"a feed of {self._accepts.__name__} was given {type(wrong).__name__}")
        ordered = sorted(alerts, key=lambda alert: (alert.sent, alert.identifier), reverse=True)
        root = etree.Element(f"{{{_ATOM}}}feed", nsmap={None: _ATOM})
        _text(root, "id", f"{self._address}/feed.atom")
        _text(root, "title", self._title)
        _text(root, "updated", (ordered[0].sent if ordered else updated).isoformat(timespec="seconds"))
        _text(etree.SubElement(root, f"{{{_ATOM}}}author"), "name", self._author)
        _link(root, f"{self._address}/feed.atom", "self", "application/atom+xml")
        for alert in ordered:
            self._entry(etree.SubElement(root, f"{{{_ATOM}}}entry"), alert)
        written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
        return written

    def _entry(self, entry: etree._Element, alert: A) -> None:
        where = f"{self._address}/{alert.identifier}.xml"
        said = alert.infos[0].headline if alert.infos else alert.note
        places = ", ".join(dict.fromkeys(area.description for info in alert.infos[:1] for area in info.areas))
        _text(entry, "id", where)
        _text(entry, "title", said or alert.identifier)
        _text(entry, "updated", alert.sent.isoformat())
        _text(entry, "summary", f"{STATUS[self._accepts]} {alert.message_type}: {places}".rstrip(": "))
        _link(entry, where, "alternate", MEDIA_TYPE)


def _text(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{_ATOM}}}{name}").text = text


def _link(parent: etree._Element, href: str, rel: str, media_type: str) -> None:
    etree.SubElement(parent, f"{{{_ATOM}}}link", href=href, rel=rel, type=media_type)
