"""Fields of Twilio's requests, as its published API description (twilio-oai, twilio_api_v2010) gives them.

Only names, types and limits, written down by hand; what a field means is in the provider's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes:
        kind: string, integer, boolean, number, uri, phone (E.164 or an address of a channel), endpoint (a number or
            a client), method, and lists of them with ``[]``.
        low / high: inclusive limits of a number; of a string's length.
    """

    kind: str
    low: int | None = None
    high: int | None = None
    pattern: str = ""
    among: tuple[str, ...] = ()


_SID = {name: rf"{name}[0-9a-fA-F]{{32}}" for name in ("AP", "MG", "HX", "BY")}

MESSAGE_FIELDS: dict[str, Field] = {
    "To": Field("phone"),
    "From": Field("phone"),
    "Body": Field("string", high=1600),
    "MessagingServiceSid": Field("string", 34, 34, _SID["MG"]),
    "StatusCallback": Field("uri"),
    "ValidityPeriod": Field("integer", 1, 36_000),
    "ApplicationSid": Field("string", 34, 34, _SID["AP"]),
    "MaxPrice": Field("number"),
    "ProvideFeedback": Field("boolean"),
    "Attempt": Field("integer"),
    "ForceDelivery": Field("boolean"),
    "ContentRetention": Field("string"),
    "AddressRetention": Field("string"),
    "SmartEncoded": Field("boolean"),
    "PersistentAction": Field("string[]"),
    "ShortenUrls": Field("boolean"),
    "ScheduleType": Field("string"),
    "SendAt": Field("string"),
    "SendAsMms": Field("boolean"),
    "ContentVariables": Field("string"),
    "RiskCheck": Field("string"),
    "MediaUrl": Field("uri[]"),
    "ContentSid": Field("string", 34, 34, _SID["HX"]),
}
MESSAGE_REQUIRED = ("To",)
MESSAGE_ONE_OF = (("From", "MessagingServiceSid"), ("Body", "MediaUrl", "ContentSid"))

CALL_FIELDS: dict[str, Field] = {
    "To": Field("endpoint"),
    "From": Field("endpoint"),
    "Twiml": Field("string", high=4000),
    "Url": Field("uri"),
    "ApplicationSid": Field("string", 34, 34, _SID["AP"]),
    "Method": Field("method", among=("GET", "POST")),
    "StatusCallback": Field("uri"),
    "StatusCallbackEvent": Field("string[]", among=("initiated", "ringing", "answered", "completed")),
    "StatusCallbackMethod": Field("method", among=("GET", "POST")),
    "Timeout": Field("integer", 0, 600),
    "TimeLimit": Field("integer", 1),
    "Record": Field("boolean"),
    "MachineDetection": Field("string", among=("Enable", "DetectMessageEnd")),
    "SendDigits": Field("string", high=32),
    "CallReason": Field("string"),
}
CALL_REQUIRED = ("To", "From")
CALL_ONE_OF = (("Url", "Twiml", "ApplicationSid"),)


def problems(
    form: Sequence[tuple[str, str]],
    fields: dict[str, Field],
    required: Sequence[str],
    one_of: Sequence[Sequence[str]],
) -> list[str]:
    """What of a form is not as the description says."""
    names = [name for name, _ in form]
    found = [f"{name}: not in the description" for name in names if name not in fields]
    found += [f"{name}: required" for name in required if name not in names]
    found += [f"one of {', '.join(group)} is needed" for group in one_of if not set(group) & set(names)]
    for name, value in form:
        if name in fields and (problem := _problem(fields[name], value)):
            found.append(f"{name}: {problem}")
        if name in fields and not fields[name].kind.endswith("[]") and names.count(name) > 1:
            found.append(f"{name}: given twice")
    return found


def _problem(field: Field, value: str) -> str:
    kind = field.kind.removesuffix("[]")
    if kind == "integer":
        if not re.fullmatch(r"-?\d+", value):
            return "no integer"
        size = int(value)
    else:
        size = len(value)
    if (field.low is not None and size < field.low) or (field.high is not None and size > field.high):
        return f"{size} is out of its limits"
    if kind == "uri" and (urlsplit(value).scheme not in ("http", "https") or "_" in (urlsplit(value).hostname or "_")):
        return "no address, or an underscore in its host name"
    if kind in ("phone", "endpoint") and not re.fullmatch(r"\+[1-9]\d{1,14}|[A-Za-z0-9 ]{1,11}", value):
        return "no number, and no sender of at most 11 letters and digits"
    if kind == "endpoint" and not value.startswith("+"):
        return "a call goes from number to number"
    if kind == "boolean" and value not in ("true", "false"):
        return "no boolean"
    if field.among and value not in field.among:
        return f"none of {field.among}"
    return "" if not field.pattern or re.fullmatch(field.pattern, value) else "not of its pattern"
