"""What a failed SMTP conversation means: before the body went out nothing can have been accepted, after it anything."""

from __future__ import annotations

import aiosmtplib

from notifiers.errors import ChannelDownError
from notifiers.mail_status import HARD, STATUS
from streams.errors import DeliveryError, PermanentDeliveryError, RetryableDeliveryError, UnknownDeliveryError

_REMEDY = "check email.host, email.port and the mail server"


def before_data(error: BaseException, *, connecting: bool = False) -> DeliveryError:
    """A failure up to and including RCPT. The server's text is left out: it tends to repeat the address."""
    code = int(getattr(error, "code", 0) or 0)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return ChannelDownError(
            f"the mail server refuses the login ({code})", code=str(code), remedy="check email.username and password"
        )
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and code >= 500:
        return ChannelDownError(
            f"the mail server refuses the sender ({code})", code=str(code), remedy="check email.sender and its domain"
        )
    if not code or code == 421 or connecting:
        name = type(error).__name__
        return ChannelDownError(
            f"the mail server cannot be used ({code or name})", code=str(code or name), remedy=_REMEDY
        )
    return _by_code(code, _enhanced(error))


def after_data(error: BaseException) -> DeliveryError:
    """A failure from DATA on. Only the server's own refusal is proof that it does not have the mail."""
    code = int(getattr(error, "code", 0) or 0)
    if isinstance(error, aiosmtplib.SMTPDataError) and code >= 400:
        return _by_code(code, _enhanced(error))
    return UnknownDeliveryError(f"no answer after the body ({type(error).__name__})", code="no-answer")


def _by_code(code: int, enhanced: str) -> DeliveryError:
    if 400 <= code < 500:
        return RetryableDeliveryError(f"refused for now with {code}", code=str(code))
    # an enhanced code about the address is kept: it makes the contact invalid, the bare number does not
    return PermanentDeliveryError(f"refused with {code}", code=enhanced if enhanced in HARD else str(code))


def _enhanced(error: BaseException) -> str:
    """The enhanced status code at the start of the server's text (``5.1.1 no such user``), empty without one."""
    found = STATUS.match(str(getattr(error, "message", "")))
    return found.group() if found else ""
