"""A text of another alphabet that a file does not name is left out, and never a title that nobody can read."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from imagemarket.imaging.metadata import description_of
from imagemarket.imaging.windows_latin import western
from tests.described import CAPTION, KEYWORD, TITLE, with_iptc

OTHERS = {
    "cp1251": [
        "Закат над морем",
        "Москва".upper(),
        "Снег",
        "Красная площадь, 2024",
        "Киев — ночь",
        "Canon в Москве",
        "Я и ты",
    ],
    "koi8_r": ["Закат над морем", "Москва", "зима"],
    "cp866": ["Закат над морем", "Москва"],
    "mac_cyrillic": ["Закат над морем"],
    "shift_jis": ["富士山の夕日", "東京", "カメラ", "森の湖", "ｶﾒﾗ", "花火", "海岸", "新宿の夜 2024", "桜"],
    "euc_jp": ["富士山の夕日", "東京"],
    "gbk": ["日落", "长城的秋天", "北京 2024", "山水", "水", "海"],
    "big5": ["日落", "台北的夜晚"],
    "euc_kr": ["서울의 밤", "한강"],
    "cp1253": ["Ηλιοβασίλεμα στη θάλασσα", "Αθήνα"],
    "cp1255": ["שקיעה", "ירושלים בלילה"],
    "cp1256": ["غروب الشمس", "القاهرة ليلا"],
    "cp874": ["พระอาทิตย์ตก"],
    "mac_roman": ["Zürich", "Café", "Hôtel", "Lágrima", "naïve", "Château", "über", "Straße", "Ångström", "São João"],
    "cp850": ["Köln", "España", "Männer", "Café", "Hôtel", "naïve", "María", "corazón", "über", "Château", "Zürich"],
    "cp1250": ["Zachód słońca", "Łódź"],
}
WESTERN = [
    *("Berlin\u2013Café", "C\u2019été", "Été…été", "col·lecció", "Sony™ büro", "\u201dÅbo\u201d", "L\u2019HAŸ", "Haÿ"),
    *("Café in Zürich", "Öl", "Öö", "Été", "Ärger über Ölmühlen", "ÉTÉ À LA PLAGE", "jäääär", "Hääyöaie", "Ærø", "Å"),
    *(
        "Rock \u2019n\u2019 roll \u2013 café",
        "„Café“",
        "»Straße«",
        "« déçu »",
        "¿Qué?",
        "¡Olé!",
        "© Zoë",
        "©Zoë",
        "5 µm",
    ),
    *("L\u2019été à l\u2019île d\u2019Oléron", "créée", "çà et là", "Þórður á Íslandi", "Škoda", "Žižek", "œuvre"),
    *("20°C in Malmö", "Nº 5", "2½ hours", "35 m² flat", "€ 5", "£5 note", "Col·lecció", "Sørøya…", "São João"),
    *(
        "Ålesund",
        "Köln • Dom",
        "naïve",
        "Coração",
        "mañana",
        "Garçon",
        "Ünlü café",
        "100 € für Zoë",
        "Brontë™",
        "ƒ/2.8",
    ),
]


@pytest.mark.parametrize(("codec", "text"), [(codec, text) for codec, texts in OTHERS.items() for text in texts])
def test_another_alphabet_is_left_out(codec: str, text: str) -> None:
    assert western(text.encode(codec)) is None


@pytest.mark.parametrize("text", WESTERN)
def test_western_text_is_read(text: str) -> None:
    assert western(text.encode("cp1252")) == text


@pytest.mark.parametrize("codec", ["cp1251", "koi8_r"])
def test_what_a_file_says_in_another_alphabet_is_not_there(codec: str) -> None:
    said = "Закат над морем".encode(codec)
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x8298] = said, said, "© Zoë".encode("cp1252")
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "teal").save(out, "JPEG", exif=exif)
    data = with_iptc(out.getvalue(), (TITLE, said), (CAPTION, said), (KEYWORD, said), (KEYWORD, b"sea"))
    found = description_of(io.BytesIO(data))
    assert (found.title, found.description, found.creator) == (None, None, None)
    assert (found.keywords, found.copyright) == (("sea",), "© Zoë")
