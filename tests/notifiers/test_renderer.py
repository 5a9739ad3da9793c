"""Every template, language, mode and channel, with the longest names there are."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jinja2 import DictLoader

from notifiers.errors import UnsendableError
from notifiers.facts import Addressee
from notifiers.gsm7 import parts, readable, septets, ucs2_parts
from notifiers.renderer import Renderer
from notifiers.words import GROUPS, LANGUAGES, STANDARDS, advice, category, rung, wording
from rules.notices import NoticeProvince
from streams.indices import STANDARDS as INDEX_STANDARDS
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
    if template == "all-clear":
        assert RENDERER.sms(replace(one, sms_parts=1), language, person, link).parts == 1


@pytest.mark.parametrize(
    ("template", "kind", "language", "recovered", "not_yet"),
    [
        ("all-clear", "all-clear", "vi", "HA NOI: het canh bao khong khi lien tinh. VN_AQI", "chua tot len"),
        ("all-clear", "all-clear", "en", "HANOI: air pollution warning has ended. VN_AQI", "air here still poor"),
        ("release", "all-clear", "vi", "Co the van hanh binh thuong", "giu phat thai thap nhat co the"),
        ("release", "all-clear", "en", "Normal operation within your permit.", "keep emissions low"),
    ],
)
def test_an_end_does_not_call_bad_air_good(
    template: str, kind: str, language: str, recovered: str, not_yet: str
) -> None:
    """A province that is cut off from the others leaves the episode, or sees it close, while its own air is bad."""
    hanoi = NoticeProvince(
        code="01", names={"vi": "Hà Nội", "en": "Hanoi"}, level=0, level_name="none", index=310, index_24h=300
    )
    bad = msgspec.structs.replace(hanoi, level=3, level_name="emergency")
    recipients = "facilities" if template == "release" else "residents"
    words = {"vi": ("Hà Nội thì chưa", "chưa tốt trở lại"), "en": ("Hanoi has not yet", "has not recovered yet")}
    not_recovered = words[language][template == "release"]
    person = Addressee(contact="", province="01", facility="F" if template == "release" else "")
    clean = msgspec.structs.replace(bad, index=44, index_24h=160)  # its level is held for some hours yet
    said = []
    for province in (hanoi, bad, clean):
        over = notice(kind, template=template, recipients=recipients, level=0, provinces=["01"])
        over = msgspec.structs.replace(over, provinces=[province])
        sms = RENDERER.sms(over, language, person, "").body
        letter = RENDERER.letter(over, language, person, "")
        said.append((recovered in sms, not_yet in sms, letter.text))
    assert [(ended, still) for ended, still, _ in said] == [(True, False), (False, True), (True, False)]
    assert said[0][2] != said[1][2]
    assert not_recovered in said[1][2]
    assert not_recovered not in said[2][2]


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
        assert advice("vn_aqi", index, language).general[0] in letter.text


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
    assert "Phu Tho" not in body
    assert body.endswith("Tranh ra ngoai, dong cua, deo khau trang N95. Trung tam Quan trac")
    longer = RENDERER.sms(replace(one, sms_parts=2), "vi", Addressee(contact="", province="1")).body
    assert "Lien tinh: Thai Nguyen 215, Bac Ninh 215, Hai Phong 215, Hung Yen 215, Ninh Binh 215, Phu Tho 215" in longer


def test_the_first_sms_says_where_to_stop_and_later_ones_where_it_costs_nothing() -> None:
    from msgspec.structs import replace

    page = "canhbao.moitruong.gov.vn/h"
    one = replace(notice(exercise=False, sms_parts=1), provinces=provinces(215))
    first = Addressee(contact="", province="1", stop_page=page, first=True)
    later = Addressee(contact="", province="1", stop_page=page)
    brief = RENDERER.sms(
        replace(one, sender={"vi": "TT"}), "vi", Addressee(contact="", province="1", stop_page="abc.vn/h", first=True)
    )
    assert brief.body.endswith(" N95. TT. Huy tin: abc.vn/h")
    assert (brief.parts, "Lien tinh" in brief.body) == (1, False)
    told = RENDERER.sms(one, "vi", later)
    assert (told.parts, "Huy tin" in told.body) == (1, False), "no second part is paid for it"
    wide = replace(one, sms_parts=2)
    assert "Lien tinh: Thai Nguyen 215" in RENDERER.sms(wide, "vi", later).body
    assert RENDERER.sms(wide, "vi", first).body.endswith(f". Huy tin: {page}")
    assert RENDERER.sms(replace(wide, provinces=provinces(215, 2)), "en", later).body.endswith(f"Stop: {page}")
    assert "Huy tin" not in RENDERER.sms(one, "vi", Addressee(contact="", province="1")).body
    endless = Addressee(contact="", province="1", stop_page="x" * 300, first=True)
    assert "Huy tin" not in RENDERER.sms(wide, "vi", endless).body, "the warning goes out, whatever the address"


def test_words_that_are_kept_are_those_of_the_same_notice_place_and_wishes() -> None:
    """A text is made once for all who read the same; whatever tells them apart makes another one."""
    renderer = Renderer()
    one = notice(exercise=False)
    neighbours = [Addressee(contact=f"+8491234567{n}", province="24", stop_link=f"https://a.vn/{n}") for n in range(2)]
    assert len({id(renderer.sms(one, "vi", neighbour)) for neighbour in neighbours}) == 1
    later = msgspec.structs.replace(one, provinces=provinces(330))
    others = [renderer.sms(*asked) for asked in _asked(one, later, neighbours[0])]
    assert len({text.body for text in others}) == len(others)
    assert others == [Renderer().sms(*asked) for asked in _asked(one, later, neighbours[0])]


def _asked(one: Any, later: Any, who: Addressee) -> Iterator[tuple[Any, str, Addressee]]:
    yield notice(exercise=True), "vi", who
    yield later, "vi", who
    yield one, "en", who
    for changes in (
        {"sensitive": True},
        {"accented": True},
        {"places": ("01",)},
        {"stop_page": "a.vn/h", "first": True},
    ):
        yield one, "vi", dataclasses.replace(who, **changes)  # type: ignore[arg-type]
    yield one, "vi", who


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
    "{{ 'x' | center(100000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ 2 ** 99999999 }}",
    "{{ undefined_thing }}",
    "{{ actions.append('x') }}",
    "{{ sender | safe }}",
    "{{ sender | replace('a', sender) }}",
    "{{ sender ~ sender }}",
    "{{ sender + sender }}",
    "{% set s = sender %}{% set s = [s, s] | join %}{{ s }}",
    "{% for a in sender %}{% for b in sender %}{% for c in sender %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in [1, 2, 3] %}{{ sender }}{% endfor %}",
    "{% for a in actions recursive %}{{ loop(actions) }}{% endfor %}",
    "{{ range(100000000) | list }}",
    "{% include '/etc/passwd' %}",
    "{% import 'advisory.vi.j2' as other %}",
    "{{ sms() }}{{ sms() }}",
    "{{ [sender, sender] | join(" + "', '" * 20_000 + ") }}",
]


@pytest.mark.parametrize("rise", [12, 40])
def test_macros_that_call_each_other_run_out_of_budget(rise: int) -> None:
    """Twice each time: 2 to the power of 40 calls, without a character written."""
    chain = "".join(
        f"{{% macro m{n}() %}}{{{{ m{n + 1}() }}}}{{{{ m{n + 1}() }}}}{{% endmacro %}}" for n in range(rise)
    )
    source = f"{{% macro m{rise}() %}}{{% endmacro %}}{chain}{{% macro sms() %}}{{{{ m0() }}}}{{% endmacro %}}"
    renderer = Renderer(DictLoader({"advisory.vi.j2": source}))
    person = Addressee(contact="", province="01")
    if rise == 12:
        assert renderer.sms(notice(), "vi", person).body.strip() == "DIEN TAP:"
        return
    with pytest.raises(UnsendableError, match="not allowed"):
        renderer.sms(notice(), "vi", person)


def test_a_loop_in_a_loop_is_paid_step_by_step() -> None:
    source = "{% macro sms() %}{% for a in sender %}{% for b in sender %}{{ a }}{% endfor %}{% endfor %}{% endmacro %}"
    renderer = Renderer(DictLoader({"advisory.vi.j2": source}))
    with pytest.raises(UnsendableError, match="not allowed"):
        renderer.sms(notice(sender={"vi": "x" * 5_000}), "vi", Addressee(contact="", province="01"))


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_templates_are_refused(attack: str) -> None:
    renderer = Renderer(DictLoader({"advisory.vi.j2": "{% macro sms() %}" + attack + "{% endmacro %}"}))
    with pytest.raises(UnsendableError) as refused:
        renderer.sms(notice(), "vi", Addressee(contact="", province="01"))
    assert refused.value.reason == "template-error"


def test_names_are_data_not_templates() -> None:
    person = Addressee(contact="", province="01", facility="{{ 7*7 }} plant")
    assert "{{ 7*7 }} plant" in RENDERER.letter(notice("request"), "en", person, LINK).text


def test_the_rungs_of_advice_meet_the_edges_of_the_bands() -> None:
    edges = [(0, 0), (50, 0), (51, 1), (100, 1), (101, 2), (150, 2), (151, 3), (200, 3), (201, 4), (300, 4), (301, 5)]
    assert [rung("vn_aqi", index) for index, _ in edges] == [expected for _, expected in edges]
    assert category("vn_aqi", 500, "vi").name == "Nguy hại"
    assert category("vn_aqi", None, "en").name == "Not enough data"


def test_other_countries_have_categories_of_their_own() -> None:
    """India calls 250 poor; Korea has four categories, and its third begins where sensitive people are affected."""
    assert category("in_naqi", 250, "en").name == "Poor"
    assert category("kr_cai", 250, "en").name == "Unhealthy"
    assert [rung("kr_cai", index) for index in (50, 100, 101, 250, 251)] == [0, 1, 3, 3, 4]
    assert [rung("in_naqi", index) for index in (200, 201, 301, 401)] == [2, 3, 4, 5]


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_category_can_be_named_and_read(standard: str, language: str) -> None:
    """WCAG AA: 3 to 1 for large bold text, which these are."""
    for found in INDEX_STANDARDS[standard].categories:
        one = category(standard, found.low, language)
        assert one.name
        assert contrast(one.colour, one.ink) >= 4.5, one
        said = advice(standard, found.low, language)
        assert all(said.of(group) for group in GROUPS)
        assert said.sms
        assert said.sms_sensitive


def contrast(one: str, other: str) -> float:
    """Ratio of the luminances of two colours, WCAG 2.1."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_both_languages_say_as_much() -> None:
    vi, en = wording("vi"), wording("en")
    assert (vi.groups.keys(), vi.you.keys()) == (en.groups.keys(), en.you.keys())
    for one, other in zip(vi.advice, en.advice, strict=True):
        assert [len(one.of(group)) for group in GROUPS] == [len(other.of(group)) for group in GROUPS]


def test_a_sensitive_person_reads_the_own_advice_first() -> None:
    person = Addressee(contact="", province="24", sensitive=True)
    letter = RENDERER.letter(notice(), "en", person)
    assert letter.text.index("Sensitive people") < letter.text.index("Everybody:")
    assert "(for you)" in letter.text
    sms = RENDERER.sms(notice(exercise=False), "vi", person).body
    assert "Ban nen o trong nha" in sms
    assert "Ban nen" not in RENDERER.sms(notice(exercise=False), "vi", Addressee(contact="", province="24")).body


def test_one_message_names_every_place_of_a_person_and_advises_by_the_worst() -> None:
    """Bắc Ninh first, as the person has it; the words are those for Hà Nội's 215."""
    person = Addressee(contact="", province="24", places=("01",))
    sms = RENDERER.sms(notice(exercise=False), "vi", person).body
    assert sms.startswith("Khong khi BAC NINH: XAU, VN_AQI 182; HA NOI: RAT XAU, VN_AQI 215 luc 18h 17/01.")
    assert "Tranh ra ngoai" in sms
    assert "Lien tinh" not in sms
    assert "Bắc Ninh và Hà Nội: không khí rất xấu" in RENDERER.letter(notice(), "vi", person).text


def test_a_level_may_have_words_of_its_own() -> None:
    person = Addressee(contact="", province="24")
    high = notice(level_name="emergency", exercise=False)
    assert RENDERER.letter(high, "en", person).subject.startswith("EMERGENCY: air in Bac Ninh")
    assert RENDERER.letter(notice(exercise=False), "en", person).subject.startswith("Air in Bac Ninh")
    assert RENDERER.sms(high, "en", person).body.startswith("Air in BAC NINH")  # what it does not say anew stays


def test_an_sms_with_diacritics_is_counted_as_what_it_is() -> None:
    assert [ucs2_parts("á" * n) for n in (70, 71, 134, 135)] == [1, 2, 2, 3]
    assert [ucs2_parts("a" * n) for n in (160, 161)] == [1, 2]
    assert ucs2_parts("ạ" + "😷" * 35) == 2  # 71 units; a pair is not torn apart
    assert readable("a\u202eb\u200bc\n") == "abc"
