"""What a failed SMTP conversation means: before the body went out nothing can have been accepted, after it anything."""

from __future__ import annotations

import aiosmtplib

from notifiers.errors import ChannelDownError
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
    return _by_code(code)


def after_data(error: BaseException) -> DeliveryError:
    """A failure from DATA on. Only the server's own refusal is proof that it does not have the mail."""
    code = int(getattr(error, "code", 0) or 0)
    if isinstance(error, aiosmtplib.SMTPDataError) and code >= 400:
        return _by_code(code)
    return UnknownDeliveryError(f"no answer after the body ({type(error).__name__})", code="no-answer")


def _by_code(code: int) -> DeliveryError:
    if 400 <= code < 500:
        return RetryableDeliveryError(f"refused for now with {code}", code=str(code))
    return PermanentDeliveryError(f"refused with {code}", code=str(code))
