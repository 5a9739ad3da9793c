"""Enhanced mail status codes (RFC 3463) that are about the address."""

from __future__ import annotations

import re

HARD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""About the address, and to stay so: no such mailbox, no such domain, bad syntax, moved without a new address, a
domain that takes no mail (RFC 7505), a mailbox that is switched off. Not a full mailbox (5.2.2) or a policy (5.7.1)."""

STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
