"""Every template, language, mode and channel, with the longest names there are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from jinja2 import DictLoader

from notifiers.errors import UnsendableError
from notifiers.facts import Addressee
from notifiers.gsm7 import parts, septets
from notifiers.renderer import Renderer
from notifiers.words import advice, band, category, short_advice
from rules.notices import NoticeProvince
from tests.notifiers.samples import LINKS, notice

RENDERER = Renderer()
TEMPLATES = {"advisory": "residents", "all-clear": "residents", "request": "facilities", "release": "facilities"}
INDICES = (None, 0, 51, 120, 182, 215, 500)
LINK = LINKS.acknowledgement("6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11").replace("127.0.0.1:9", "canhbao.moitruong.gov.vn")


def provinces(index: int | None, count: int = 7) -> list[NoticeProvince]:
    names = [
        ("Thái Nguyên", "Thai Nguyen"),
        ("Hà Nội", "Hanoi"),
        ("Bắc Ninh", "Bac Ninh"),
        ("Hải Phòng", "Hai Phong"),
        ("Hưng Yên", "Hung Yen"),
        ("Ninh Bình", "Ninh Binh"),
        ("Phú Thọ", "Phu Tho"),
    ]
    return [
        NoticeProvince(
            code=str(number),
            names={"vi": vi, "en": en},
            level=2,
            level_name="severe",
            index=index,
            index_24h=index,
        )
        for number, (vi, en) in enumerate(names[:count])
    ]


def longest(template: str, index: int | None, exercise: bool, parts_allowed: int = 2) -> Any:
    return notice(
        "request" if template == "release" else template,
        template=template,
        recipients=TEMPLATES[template],
        exercise=exercise,
        provinces=["0"],
        sms_parts=parts_allowed,
        sender={"vi": "Trung tâm Quan trắc môi trường miền Bắc", "en": "Northern Centre for Environmental Monitoring"},
        level_names={"vi": "Nguy hại – khẩn cấp liên tỉnh", "en": "Hazardous – cross-provincial emergency"},
        actions={
            "vi": ["Giảm 30 % công suất lò nung và nghiền clinker", "Dừng bốc dỡ vật liệu rời ngoài trời"],
            "en": ["Cut kiln and clinker mill load by 30 per cent", "Stop handling loose material outdoors"],
        },
    )


COMBINATIONS = list(itertools.product(TEMPLATES, ("vi", "en"), INDICES, (True, False), ("0", "elsewhere")))


@pytest.mark.parametrize(("template", "language", "index", "exercise", "province"), COMBINATIONS)
def test_every_sms_fits(template: str, language: str, index: int | None, exercise: bool, province: str) -> None:
    from msgspec.structs import replace

    facility = (
        "Nhà máy xi măng và vật liệu xây dựng Trường Thịnh – Chi nhánh Thái Nguyên"
        if template
        in (
            "request",
            "release",
        )
        else ""
    )
    one = replace(longest(template, index, exercise), provinces=provinces(index))
    person = Addressee(contact="", province=province, facility=facility)
    link = LINK if template == "request" else ""
    sms = RENDERER.sms(one, language, person, link)
    assert septets(sms.body) <= 306
    assert parts(sms.body) == sms.parts <= 2
    assert sms.body.startswith(("DIEN TAP: ", "EXERCISE: ")) is exercise
    assert link in sms.body
    assert "  " not in sms.body
    assert "None" not in sms.body
    if template != "request":
        assert RENDERER.sms(replace(one, sms_parts=1), language, person, link).parts == 1


@pytest.mark.parametrize(("template", "language", "index", "exercise", "province"), COMBINATIONS)
def test_every_letter_is_complete(
    template: str, language: str, index: int | None, exercise: bool, province: str
) -> None:
    from msgspec.structs import replace

    one = replace(longest(template, index, exercise), provinces=provinces(index))
    facility = "Nhà máy <b>Trường & Thịnh</b>" if template in ("request", "release") else ""
    letter = RENDERER.letter(one, language, Addressee(contact="", province=province, facility=facility), LINK)
    assert "\n" not in letter.subject
    assert letter.subject.startswith(("DIỄN TẬP: ", "EXERCISE: ")) is exercise
    word = {"vi": "DIỄN TẬP", "en": "EXERCISE"}[language]
    assert (letter.text.startswith(f"*** {word} ***"), word in letter.html) == (exercise, exercise)
    assert "None" not in letter.text
    assert "None" not in letter.html
    assert "<b>Trường" not in letter.html, "names are escaped"
    assert LINK in letter.html
    assert len(letter.html) < 30_000
    if facility:
        assert "Giảm 30 %" in letter.text or "by 30 per cent" in letter.text
    else:
        assert advice(index, language)[0] in letter.text


def test_a_resident_reads_of_the_own_province_first() -> None:
    letter = RENDERER.letter(notice(), "vi", Addressee(contact="", province="24"))
    assert "Bắc Ninh" in letter.subject
    assert letter.text.index("Bắc Ninh: VN_AQI 182") < letter.text.index("Hà Nội: VN_AQI 215")
    sms = RENDERER.sms(notice(exercise=False), "vi", Addressee(contact="", province="24"))
    assert sms.body.startswith("Khong khi BAC NINH: XAU, VN_AQI 182 luc 18h 17/01. Lien tinh: Ha Noi 215.")


def test_the_province_list_shrinks_before_anything_else() -> None:
    from msgspec.structs import replace

    one = replace(notice(exercise=False, sms_parts=1), provinces=provinces(215))
    body = RENDERER.sms(one, "vi", Addressee(contact="", province="1")).body
    assert "Lien tinh: Thai Nguyen 215, Bac Ninh 215" in body
    assert "Phu Tho" not in body
    assert "Trung tam Quan trac" in body


def test_what_cannot_fit_is_refused_by_name() -> None:
    with pytest.raises(UnsendableError, match="allows 1; shorten") as refused:
        RENDERER.sms(
            notice("request", recipients="facilities", sms_parts=1),
            "vi",
            Addressee(contact="", province="01", facility="Nhà máy xi măng rất dài tên gọi"),
            LINK + "x" * 100,
        )
    assert refused.value.reason == "too-long"


def test_an_unknown_template_is_refused_by_name() -> None:
    with pytest.raises(UnsendableError, match=r"templates/poem\.vi\.j2") as refused:
        RENDERER.sms(notice(template="poem"), "vi", Addressee(contact="", province="01"))
    assert refused.value.reason == "no-template"


HOSTILE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ 'x' * 100000000 }}",
    "{{ 'x'.center(100000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 2 ** 99999999 }}",
    "{{ undefined_thing }}",
    "{{ actions.append('x') }}",
    "{% for a in sender %}{% for b in sender %}{% for c in sender %}{% for d in sender %}{% for e in sender %}"
    "{{ sender * 3 }}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{{ range(100000000) | list }}",
    "{% include '/etc/passwd' %}",
]


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_templates_are_refused(attack: str) -> None:
    renderer = Renderer(DictLoader({"advisory.vi.j2": "{% macro sms() %}" + attack + "{% endmacro %}"}))
    with pytest.raises(UnsendableError) as refused:
        renderer.sms(notice(), "vi", Addressee(contact="", province="01"))
    assert refused.value.reason == "template-error"


def test_names_are_data_not_templates() -> None:
    person = Addressee(contact="", province="01", facility="{{ 7*7 }} plant")
    assert "{{ 7*7 }} plant" in RENDERER.letter(notice("request"), "en", person, LINK).text


def test_bands_meet_their_edges() -> None:
    edges = [(0, 0), (50, 0), (51, 1), (100, 1), (101, 2), (150, 2), (151, 3), (200, 3), (201, 4), (300, 4), (301, 5)]
    assert [band(index) for index, _ in edges] == [expected for _, expected in edges]
    assert category(500).names["vi"] == "Nguy hại"
    assert category(None).names["en"] == "Not enough data"
    assert {len(short_advice(index, lang)) > 0 for index in INDICES for lang in ("vi", "en")} == {True}
