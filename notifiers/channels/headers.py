"""Header lines as they go over the wire.

The library's own folding of headers that are not ASCII moves the spaces between encoded words (``khô ng khí``,
``HàNội`` on the reader's screen) and takes longer than everything else about a mail. Here the whole text becomes
encoded words (RFC 2047), which readers join without a space in between.
"""

from __future__ import annotations

from email.header import Header
from email.policy import EmailPolicy
from typing import Any

_LINE = 75  # RFC 2047, section 2: an encoded word, and a line that holds one, may not be longer (76 for the line)


class WirePolicy(EmailPolicy):
    """Writes headers for SMTP; used to turn a finished message into bytes, not to build one."""

    def __init__(self) -> None:
        super().__init__(linesep="\r\n", max_line_length=None)  # type: ignore[call-arg]  # the rest has defaults

    def fold(self, name: str, value: Any) -> str:
        """The header line with its line end. ``value`` is a parsed header of the message."""
        return f"{name}: {_encoded(name, value)}\r\n"

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The same as bytes."""
        return self.fold(name, value).encode("ascii")


def _encoded(name: str, value: Any) -> str:
    if hasattr(value, "addresses"):
        return ", ".join(_mailbox(name, address) for address in value.addresses)
    return _words(name, str(value))


def _mailbox(name: str, address: Any) -> str:
    if not address.display_name:
        return str(address.addr_spec)
    if address.display_name.isascii():
        return str(address)  # quoted where it needs to be
    return f"{_words(name, address.display_name)}\r\n <{address.addr_spec}>"


def _words(name: str, text: str) -> str:
    if text.isascii():
        return text
    return Header(text, charset="utf-8", header_name=name, maxlinelen=_LINE).encode(linesep="\r\n")
