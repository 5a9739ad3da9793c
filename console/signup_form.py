"""The sign-up form: from what a browser sends to a checked sign-up, or to what is wrong, field by field."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from babel import Locale

from console.people_words import WORDS
from notifiers.choices import Choices, quiet_hours, read_choices
from notifiers.contacts import normal_address, normal_number
from notifiers.deliveries import ChannelName
from notifiers.gsm7 import readable
from notifiers.places import Gazetteer, Place
from notifiers.signups import SignUp
from streams.airsheds import Airshed
from streams.errors import InputError
from streams.geography.communes import communes_of
from streams.geography.outlines import Outlines

PLACES = 3
"""Blocks on the page. A registry file may bring two more."""
RADII_KM = (1, 3, 5, 10, 20, 50)
_LONGEST_FIELD = 300


@dataclass(frozen=True, kw_only=True)
class FormRules:
    """What the form offers.

    Attributes:
        airsheds: whose provinces and levels can be chosen.
        countries: regions whose numbers are taken; the first is that of numbers without +.
        outlines: of the provinces, for circles around a point; ``None`` = Viet Nam's.
    """

    airsheds: list[Airshed]
    countries: list[str]
    outlines: Outlines | None = None

    @property
    def gazetteer(self) -> Gazetteer:
        """Finds the places."""
        return Gazetteer(self.airsheds, self.outlines)

    def country_names(self, language: str) -> str:
        """The countries as people of the language call them."""
        names = Locale(language).territories
        return ", ".join(str(names.get(country, country)) for country in self.countries)

    @property
    def most_levels(self) -> int:
        """Levels of the airshed that has most."""
        return max(len(airshed.levels) for airshed in self.airsheds)


@dataclass
class Checked:
    """A form that was looked at: ``sign_up`` if nothing is wrong with it, else ``problems`` by field."""

    problems: dict[str, str] = field(default_factory=dict)
    sign_up: SignUp | None = None


def check(form: Mapping[str, str], rules: FormRules, language: str) -> Checked:
    """Everything that is wrong with a form at once, in words of the page's language."""
    checked = Checked()
    words = WORDS[language]
    contacts = _contacts(form, rules, language, checked.problems)
    places = _places(form, rules, words, checked.problems)
    choices = _choices(form, rules, words, checked.problems)
    if form.get("consent") != "yes":
        checked.problems["consent"] = words["bad_consent"]
    if not checked.problems and choices is not None:
        checked.sign_up = SignUp(choices=choices, places=places, contacts=contacts)
    return checked


def contact_of(form: Mapping[str, str], rules: FormRules) -> tuple[ChannelName, str] | None:
    """The one number or address of the page for stopping; ``None`` if it cannot be used."""
    text = form.get("contact", "").strip()
    try:
        if "@" in text:
            return "email", normal_address(text)
        return "sms", normal_number(text, rules.countries[0], rules.countries)
    except InputError:
        return None


def plain_form(form: Mapping[str, object]) -> dict[str, str]:
    """The text fields of a form, cut to a length beyond which none can be right, without characters that nobody sees.

    What is pasted from a chat carries zero-width and direction marks: an address would be refused that looks right.
    """
    return {name: readable(value[:_LONGEST_FIELD]) for name, value in form.items() if isinstance(value, str)}


def _contacts(
    form: Mapping[str, str], rules: FormRules, language: str, problems: dict[str, str]
) -> dict[ChannelName, str]:
    words = WORDS[language]
    contacts: dict[ChannelName, str] = {}
    phone, email = form.get("phone", "").strip(), form.get("email", "").strip()
    try:
        if phone:
            contacts["sms"] = normal_number(phone, rules.countries[0], rules.countries)
    except InputError:
        problems["phone"] = words["bad_phone"].format(countries=rules.country_names(language))
    try:
        if email:
            contacts["email"] = normal_address(email)
    except InputError:
        problems["email"] = words["bad_email"]
    if not phone and not email:
        problems["phone"] = words["bad_contact"]
    return contacts


def _places(
    form: Mapping[str, str], rules: FormRules, words: Mapping[str, str], problems: dict[str, str]
) -> list[Place]:
    places = []
    for number in range(1, PLACES + 1):
        given = {
            name: form.get(f"{name}_{number}", "").strip() for name in ("province", "commune", "position", "label")
        }
        if number > 1 and not any(given[name] for name in ("province", "commune", "position")):
            continue
        try:
            places.append(_place(given, form.get(f"radius_{number}", ""), rules))
        except InputError as error:
            near = _near(given, rules, words) if error.field == "commune" else ""
            name = error.field if error.field in ("commune", "position", "label") else "province"
            problems[f"{name}_{number}"] = words[f"bad_{name}"].format(near=near)
    return places


def _place(given: Mapping[str, str], radius: str, rules: FormRules) -> Place:
    gazetteer = rules.gazetteer
    if given["position"]:
        try:
            lat, lon = (float(part) for part in given["position"].replace(",", " ").split())
            return gazetteer.point(lat, lon, float(radius or RADII_KM[2]), given["label"])
        except ValueError:
            raise InputError("not a position", field="position") from None
        except InputError as error:
            wrong = error.field if error.field == "label" else "position"
            raise InputError(error.message, field=wrong, remedy=error.remedy) from None
    if given["commune"] and given["province"]:
        return gazetteer.commune(given["commune"], given["province"], given["label"])
    return gazetteer.province(given["province"], given["label"])


def _near(given: Mapping[str, str], rules: FormRules, words: Mapping[str, str]) -> str:
    province = rules.gazetteer.province(given["province"]).provinces[0]
    names = [commune.name for commune in communes_of(province)]
    wanted = given["commune"][:60].title()
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    return words["near"].format(names=", ".join(close)) if close else ""


def _choices(
    form: Mapping[str, str], rules: FormRules, words: Mapping[str, str], problems: dict[str, str]
) -> Choices | None:
    begin, end = form.get("quiet_from", "").strip(), form.get("quiet_to", "").strip()
    quiet = f"{begin}-{end}" if begin or end else ""
    try:
        quiet_hours(quiet)
    except InputError:
        problems["quiet_hours"] = words["bad_quiet_hours"]
        quiet = ""
    given = {name: form.get(name, "") for name in ("language", "level", "sensitive", "accented")}
    try:
        choices = read_choices(given | {"quiet_hours": quiet}, list(WORDS))
    except InputError as error:
        problems[error.field] = words["bad_choice"]
        return None
    if choices.level > rules.most_levels:
        problems["level"] = words["bad_choice"]
        return None
    return choices
