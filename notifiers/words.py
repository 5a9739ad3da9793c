"""Words and colours that messages share: categories, advice, names of standards. Vietnamese and English.

The six bands 0–50–100–150–200–300 are the same in VN_AQI (Decision 1459/QĐ-TCMT, §1.2 of its annex), in the Chinese
HJ 633 index and in the US AQI; Vietnamese names follow the Decision. The advice is ours, in the sense of its table.
"""

from __future__ import annotations

from dataclasses import dataclass

_UPPER_EDGES = (50, 100, 150, 200, 300)


@dataclass(frozen=True)
class Category:
    """A band of the index: name by language, colour of the band, and an ink that can be read on it (WCAG AA)."""

    names: dict[str, str]
    colour: str
    ink: str


CATEGORIES = (
    Category({"vi": "Tốt", "en": "Good"}, "#00e400", "#10240f"),
    Category({"vi": "Trung bình", "en": "Moderate"}, "#ffff00", "#2b2b00"),
    Category({"vi": "Kém", "en": "Poor"}, "#ff7e00", "#2a1500"),
    Category({"vi": "Xấu", "en": "Unhealthy"}, "#d60000", "#ffffff"),  # pure red under white text is not readable
    Category({"vi": "Rất xấu", "en": "Very unhealthy"}, "#8f3f97", "#ffffff"),
    Category({"vi": "Nguy hại", "en": "Hazardous"}, "#7e0023", "#ffffff"),
)
NO_DATA = Category({"vi": "Chưa đủ số liệu", "en": "Not enough data"}, "#d8dce2", "#23272e")

STANDARDS = {
    "vn_aqi": "VN_AQI",
    "cn_aqi": "AQI (CN)",
    "cn_aqi_2012": "AQI (CN)",
    "us_aqi": "AQI (US)",
    "us_aqi_2012": "AQI (US)",
    "in_naqi": "NAQI",
    "kr_cai": "CAI",
}

_ADVICE: dict[str, tuple[list[str], ...]] = {
    "vi": (
        ["Có thể sinh hoạt ngoài trời bình thường."],
        ["Người nhạy cảm theo dõi triệu chứng khi vận động ngoài trời lâu."],
        [
            "Người già, trẻ em, phụ nữ mang thai, người có bệnh hô hấp hoặc tim mạch giảm vận động ngoài trời.",
            "Mọi người nghỉ nhiều hơn khi làm việc nặng ngoài trời.",
        ],
        [
            "Hạn chế ở ngoài trời lâu, nhất là gần đường đông xe; chuyển buổi tập vào trong nhà.",
            "Đeo khẩu trang lọc bụi mịn (N95 hoặc tương đương) khi phải ra ngoài.",
            "Trường học hạn chế hoạt động ngoài trời; không đốt rác, rơm rạ.",
        ],
        [
            "Tránh ra ngoài khi không cần thiết; đóng cửa, dùng máy lọc không khí nếu có.",
            "Đeo khẩu trang lọc bụi mịn (N95 hoặc tương đương) khi phải ra ngoài.",
            "Người nhạy cảm ở trong nhà; đi khám nếu khó thở, tức ngực.",
            "Không đốt rác, rơm rạ; bớt đi xe cá nhân.",
        ],
        [
            "Ở trong nhà, đóng kín cửa; không tập luyện hay làm việc nặng ngoài trời.",
            "Buộc phải ra ngoài thì đeo khẩu trang N95 và về sớm nhất có thể.",
            "Theo dõi người già, trẻ em và người bệnh; gọi y tế ngay khi khó thở.",
            "Trường học và cơ quan làm theo thông báo của chính quyền.",
        ],
    ),
    "en": (
        ["Outdoor activity is fine."],
        ["If you are sensitive, watch for symptoms during long outdoor effort."],
        [
            "Older people, children, pregnant women and people with heart or lung disease: do less outdoors.",
            "Everybody: take more breaks during heavy work outdoors.",
        ],
        [
            "Shorten time outdoors, above all near busy roads; move exercise indoors.",
            "Outdoors, wear a mask that filters fine dust (N95 or equal).",
            "Schools: keep activities indoors. Do not burn waste or straw.",
        ],
        [
            "Go out only if you must; keep windows shut and run an air cleaner if you have one.",
            "Outdoors, wear a mask that filters fine dust (N95 or equal).",
            "Sensitive people stay indoors; see a doctor about shortness of breath or chest pain.",
            "Do not burn waste or straw; leave the car or motorbike at home.",
        ],
        [
            "Stay indoors with doors and windows shut; no exercise or heavy work outdoors.",
            "If you must go out, wear an N95 mask and come back as soon as you can.",
            "Look after older people, children and the sick; call for help at once if breathing is hard.",
            "Schools and workplaces: follow what the authorities announce.",
        ],
    ),
}
_SHORT_ADVICE: dict[str, tuple[str, ...]] = {
    "vi": (
        "Sinh hoạt bình thường.",
        "Người nhạy cảm theo dõi triệu chứng.",
        "Người nhạy cảm giảm ra ngoài.",
        "Hạn chế ra ngoài, đeo khẩu trang.",
        "Tránh ra ngoài, đóng cửa, đeo khẩu trang N95.",
        "Ở trong nhà, đóng kín cửa. Khó thở: gọi y tế.",
    ),
    "en": (
        "Normal activity.",
        "Sensitive people: watch symptoms.",
        "Sensitive people: do less outdoors.",
        "Do less outdoors, wear a mask.",
        "Avoid going out, shut windows, wear N95.",
        "Stay in, shut windows. Hard to breathe: get help.",
    ),
}


def band(index: int | None) -> int | None:
    """Number of the band an index lies in, 0 the cleanest; ``None`` without an index."""
    return None if index is None else sum(index > edge for edge in _UPPER_EDGES)


def category(index: int | None) -> Category:
    """The category of an index; :data:`NO_DATA` without one."""
    position = band(index)
    return NO_DATA if position is None else CATEGORIES[position]


def advice(index: int | None, language: str) -> list[str]:
    """What to do at this index, most important first. Without an index, the advice of the third band: careful."""
    position = band(index)
    return _ADVICE[language][2 if position is None else position]


def short_advice(index: int | None, language: str) -> str:
    """One sentence of advice for an SMS."""
    position = band(index)
    return _SHORT_ADVICE[language][2 if position is None else position]
