"""The sandbox: a mailbox and an SMS endpoint that come with the product. Everything goes there unless told otherwise.

In-process::

    sandbox = Sandbox(Path("sandbox"))
    await sandbox.start()
    sandbox.addresses.smtp_port, sandbox.addresses.sms_base_url
    await sandbox.stop()

As a process of its own: ``python -m notifiers.sandbox DIR`` prints one JSON line with the addresses. Everything
received is kept in files in the directory and known again after a restart.
"""

from __future__ import annotations

from notifiers.sandbox.faults import Faults
from notifiers.sandbox.mailbox import Mail, Mailbox
from notifiers.sandbox.phone import Phone, Sms
from notifiers.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, Addresses, Sandbox

__all__ = ["ACCOUNT_SID", "AUTH_TOKEN", "Addresses", "Faults", "Mail", "Mailbox", "Phone", "Sandbox", "Sms"]
