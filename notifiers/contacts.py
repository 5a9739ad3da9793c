"""Phone numbers and mail addresses: normalised, sealed at rest, found again by keyed hash, masked where people look.

A contact in clear exists in three places only: the imported file, the memory of the process that sends, and the
request to the provider.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.headerregistry import Address

import phonenumbers
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from phonenumbers import NumberParseException, PhoneNumberType

from streams.errors import ConfigurationError, InputError, Problem

_LONGEST_ADDRESS = 254  # RFC 5321 §4.5.3.1.3: a path has 256 octets including its angle brackets
_CODE_DIGITS = 6
_LONGEST_NUMBER = 64  # characters as people write them; E.164 has at most 15 digits
_NO_SMS = {
    PhoneNumberType.FIXED_LINE: "a landline",
    PhoneNumberType.TOLL_FREE: "a toll-free number",
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.VOIP: "an internet telephone",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a company access number",
}


class Vault:
    """Seals contacts and hashes them for look-up. Contacts leave it only through :meth:`open`."""

    def __init__(self, keys: list[str], hash_key: str) -> None:
        """Take Fernet keys, the newest first (older ones still open what they sealed), and the key of the hash.

        Raises:
            ConfigurationError: naming what is wrong with the keys, never the keys.
        """
        try:
            fernets = [Fernet(key) for key in keys]
            self._fernet, self._newest = MultiFernet(fernets), fernets[0]
        except (ValueError, TypeError, IndexError):
            raise ConfigurationError(
                [
                    Problem(
                        "not a list of Fernet keys",
                        field="contacts.keys",
                        remedy="make one with: python -c 'from cryptography.fernet import Fernet; "
                        "print(Fernet.generate_key().decode())'",
                    )
                ]
            ) from None
        if len(hash_key) < 16:
            raise ConfigurationError(
                [Problem("too short", field="contacts.hash_key", remedy="give at least 16 random characters")]
            )
        self._hash_key = hash_key.encode()

    @classmethod
    def from_secret(cls, secret: str, keys: Sequence[str] = (), hash_key: str = "") -> Vault:
        """A vault whose keys derive from one secret, behind ``keys`` of its own if there are any (newest first)."""
        derived = base64.urlsafe_b64encode(hashlib.sha256(b"contacts:" + secret.encode()).digest()).decode()
        return cls([*keys, derived], hash_key or hashlib.sha256(b"lookup:" + secret.encode()).hexdigest())

    def seal(self, contact: str) -> bytes:
        return self._fernet.encrypt(contact.encode())

    def open(self, sealed: bytes) -> str:
        """The contact in clear.

        Raises:
            ConfigurationError: it was sealed with a key that is no longer configured.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise _unreadable() from None

    def rotate(self, sealed: bytes) -> bytes:
        """The same contact sealed with the newest key. Raises what :meth:`open` raises."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise _unreadable() from None

    def is_newest(self, sealed: bytes) -> bool:
        """Whether a contact is sealed with the newest key."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def fingerprint(self, contact: str) -> str:
        """Keyed hash of a normalised contact: equal contacts have equal fingerprints, and nothing leads back."""
        return hmac.new(self._hash_key, contact.encode(), hashlib.sha256).hexdigest()

    def code(self, identity: str) -> str:
        """Six digits that follow from an identity and the key, and from nothing else: to prove a contact."""
        digest = hmac.new(self._hash_key, b"code:" + identity.encode(), hashlib.sha256).digest()
        return f"{int.from_bytes(digest[:8]) % 10**_CODE_DIGITS:0{_CODE_DIGITS}}"


def _unreadable() -> ConfigurationError:
    remedy = "put the key back that was in use when the registry was imported, after the newest"
    message = "a stored contact cannot be opened with any configured key"
    return ConfigurationError([Problem(message, field="contacts.keys", remedy=remedy)])


def normal_number(text: str, default_region: str = "VN", countries: Sequence[str] = ()) -> str:
    """A phone number in E.164 form. Invisible characters, which programmes put around copied numbers, are dropped.

    Raises:
        InputError: not a number that can receive SMS, or not of one of ``countries`` (regions such as ``VN``; empty
            for any); the message shows it masked.
    """
    text = "".join(character for character in text[:_LONGEST_NUMBER] if unicodedata.category(character) != "Cf")
    shown = mask(text)
    try:
        number = phonenumbers.parse(text, default_region)
    except NumberParseException:
        raise InputError(
            f"{shown} is not a phone number", field="phone", remedy="write it like +84 912 345 678"
        ) from None
    if not phonenumbers.is_valid_number(number):
        raise InputError(
            f"{shown} is not a number in use in the country with code +{number.country_code}",
            field="phone",
            remedy="check the digits; numbers without + are read as of region " + default_region,
        )
    if countries and phonenumbers.region_code_for_number(number) not in countries:
        raise InputError(
            f"{shown} is a number of country +{number.country_code}, which is not served",
            field="phone",
            remedy="give a number of: " + ", ".join(countries),
        )
    unsuitable = _NO_SMS.get(phonenumbers.number_type(number))
    if unsuitable:
        raise InputError(f"{shown} is {unsuitable}, which gets no SMS", field="phone", remedy="give a mobile number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normal_address(text: str) -> str:
    """A mail address with its domain in lower case.

    Raises:
        InputError: not an address that can be written to; the message shows it masked.
    """
    cleaned = text.strip()
    remedy = "write it like name@example.org, in ASCII letters"
    if len(cleaned) > _LONGEST_ADDRESS or not cleaned.isascii() or not cleaned.isprintable():
        raise InputError(f"{mask(cleaned)} is not a mail address", field="email", remedy=remedy)
    try:
        address = Address(addr_spec=cleaned)
    except (HeaderParseError, ValueError, IndexError):  # the parser's own ways of saying no
        raise InputError(f"{mask(cleaned)} is not a mail address", field="email", remedy=remedy) from None
    if "." not in address.domain.strip(".") or not address.username or " " in cleaned:
        raise InputError(f"{mask(cleaned)} is not a complete mail address", field="email", remedy=remedy)
    return f"{address.username}@{address.domain.lower()}"


def mask(contact: str) -> str:
    """A contact as it may be shown: enough to recognise one's own, too little to use."""
    name, at, domain = contact.strip().partition("@")
    if at:
        return f"{name[:1]}…@{domain[:1]}…"
    return f"{name[:3]}…{name[-2:]}" if len(name) > 7 else "…"
