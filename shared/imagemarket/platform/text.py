"""Text that people write, as it may enter: composed, visible, and such as a database takes.

What cannot be seen is refused rather than dropped: a title that shows one thing and is another, or two
tags that look alike, help nobody but those who mean to deceive (Unicode TR 36, 3; UAX 31, 2.3).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_NON_JOINER, _JOINER = "\u200c", "\u200d"
_JOINING = (
    (0x0600, 0x0DFF),  # Arabic, Syriac, N'Ko; India's, of Devanagari to Sinhala
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0x1900, 0x1BFF),  # of Limbu to Batak, Balinese and Sundanese among them
    (0xA800, 0xA8FF),  # of Sylheti to Saurashtra
    (0xA980, 0xA9FF),  # Javanese
    (0xAA60, 0xAA7F),  # Burmese
    (0xAAE0, 0xAAFF),  # Manipuri
    (0xABC0, 0xABFF),
    (0x10A00, 0x11FFF),  # the older ones of both families
)
"""Scripts whose letters take another shape beside each other, first and last sign of each range."""
_VIRAMA = 9
"""The combining class of the signs that take a letter's vowel away."""
_LETTERS_WITH_A_FORWARD_SHAPE = frozenset(
    chr(int(parts[1], 16))
    for parts in (unicodedata.decomposition(chr(each)).split() for each in range(0xFB50, 0xFEFD))
    if len(parts) == 2 and parts[0] == "<initial>"
)
"""Arabic's letters that reach for the one behind them."""
_JOINED_TO_NOTHING = frozenset("\u0621\u0674\u08ad")
"""Arabic's letters that no other reaches: hamza, high hamza and low alef."""
_COLOURED = "\ufe0f"
_EMOJI_SELECTORS = frozenset(f"\ufe0e{_COLOURED}")
_UNCOLOURED_EMOJI = frozenset(
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030"
    "↔↕↖↗↘↙↩↪⌨⏏⏭⏮⏯⏱⏲⏸⏹⏺Ⓜ▪▫▶◀◻◼☀☁☂☃☄☎☑☘☝☠☢☣☦☪☮☯☸☹☺♀♂♟♠♣♥♦♨♻♾⚒⚔⚕⚖⚗⚙⚛⚜⚠⚧⚰⚱⛈⛏⛑⛓⛩⛰⛱⛴⛷⛸⛹✂✈✉✌✍✏✒✔✖✝✡✳✴❄❇❣❤➡⤴⤵⬅⬆⬇〽㊗㊙"
    "🅰🅱🅾🅿🈂🈷🌡🌤🌥🌦🌧🌨🌩🌪🌫🌬🌶🍽🎖🎗🎙🎚🎛🎞🎟🏋🏌🏍🏎🏔🏕🏖🏗🏘🏙🏚🏛🏜🏝🏞🏟🏳🏵🏷🐿👁📽🕉🕊🕯"
    "🕰🕳🕴🕵🕶🕷🕸🕹🖇🖊🖋🖌🖍🖐🖥🖨🖱🖲🖼🗂🗃🗄🗑🗒🗓🗜🗝🗞🗡🗣🗨🗯🗳🗺🛋🛍🛎🛏🛠🛡🛢🛣🛤🛥🛩🛰🛳"
)
"""Emoji that are drawn as text unless a selector follows: Unicode's Emoji without its Emoji_Presentation."""
_UNCOLOURED_PARTS = frozenset("↔↕☠♀♂⚕⚖⚧⛓⛹✈❄❤➡🌫🏋🏌🏳👁🕵🗨")
"""Those of them that are joined to others (RGI_Emoji_ZWJ_Sequence); many programs leave out their selector there."""
_COLOURED_EMOJI = frozenset(
    "⌚⌛⏩⏪⏫⏬⏰⏳◽◾☔☕♈♉♊♋♌♍♎♏♐♑♒♓♿⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛲⛳⛵⛺⛽✅✊✋✨❌❎❓❔❕❗\u2795\u2796➗➰➿⬛⬜⭐⭕"
    "🀄🃏🆎🆑🆒🆓🆔🆕🆖🆗🆘🆙🆚🈁🈚🈯🈲🈳🈴🈵🈶🈸🈹🈺🉐🉑"
)
"""Unicode's Emoji_Presentation, but for flags, skins and what `_PICTURES` holds."""
_PICTURES = ((0x1F300, 0x1F6FF), (0x1F7E0, 0x1F7FF), (0x1F90C, 0x1F9FF), (0x1FA70, 0x1FAFF))
"""Where pictures have their places, new ones as well; of these the wide ones are emoji (UAX 11, ED4)."""
_KEYS, _KEYCAP = frozenset("#*0123456789"), "\u20e3"
_SKINS = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))
_OF_FIRST_VARIANTS = frozenset(
    "\u2205\u2229\u222a\u2268\u2269\u2272\u2273\u228a\u228b\u2293\u2294\u2295\u2297\u229c\u22da\u22db"
    "\u2a3c\u2a3d\u2a9d\u2a9e\u2aac\u2aad\u2acb\u2acc"
    "\u1000\u1002\u1004\u1010\u1011\u1015\u1019\u101a\u101c\u101d\u1022\u1031\u1075\u1078\u107a\u1080"
    "\uaa60\uaa61\uaa62\uaa63\uaa64\uaa65\uaa66\uaa6b\uaa6c\uaa6f\uaa7a"
    "\ua856\ua85c\ua85e\ua85f\ua860\ua868"
)
"""Mathematical operators and letters of Burmese and Phags-pa that have one variant (StandardizedVariants.txt)."""
_VARIANTS_OF_HAN = Counter(
    chr(int(parts[0], 16))
    for parts in (
        unicodedata.decomposition(chr(each)).split() for each in (*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA20))
    )
    if len(parts) == 1
)
"""How many standardized variants a Chinese sign has: one for each compatibility ideograph that is composed to it."""
_MONGOLIAN, _MONGOLIAN_SELECTORS = ((0x1820, 0x18AA),), frozenset("\u180b\u180c\u180d\u180e\u180f")
_STACKING = frozenset(
    "\u1039\u17d2\u1a60\u1bab\u2d7f\uaaf6\U00010a3f\U0001107f\U00011133\U000113d0\U0001193e\U00011a47\U00011a99"
    "\U00011d45\U00011d97\U00011f42"
)
"""Marks that set the sign behind them below or onto the one before and show nothing themselves: `Invisible_Stacker` and
`Number_Joiner` of Unicode's Indic_Syllabic_Category, and Tifinagh's joiner."""
_FLAG = "\U0001f3f4"
_FLAGS = tuple(
    "".join([_FLAG, *(chr(0xE0000 + ord(letter)) for letter in region), "\U000e007f"])
    for region in ("gbeng", "gbsct", "gbwls")
)
"""England's, Scotland's and Wales': a black flag with tags. There are no others (Unicode's RGI_Emoji_Tag_Sequence);
any other tags are shown nowhere."""
_FLAG_TAGS = len(_FLAGS[0]) - 1

# Default_Ignorable_Code_Point of Unicode 17 and the signs that are drawn as a space or stand for what is not in the
# text, first and last of each range.
_INVISIBLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x303F, 0x303F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFC),
    (0x13430, 0x1345F),
    (0x16FE4, 0x16FE4),
    (0x1BCA0, 0x1BCA3),
    (0x1D159, 0x1D159),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
_STARTS = tuple(first for first, _ in _INVISIBLE)
LINE_BREAK_HINTS = "\u00ad\u034f\u2060\ufeff"
"""Signs within a word that say where a line may break and where not: soft hyphen, word joiner and their like."""

LOST = "\ufffd"
"""What decoders put in the place of what they could not read: a letter is gone."""
LOST_LETTERS = "holds U+FFFD, which stands for what could not be read; send the text in UTF-8"
_PARTING = dict.fromkeys(map(ord, "\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")
"""What parts lines, pages and fields without being one of the two line ends: words do not run together without it."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_line(value: str) -> str:
    """One line of text: composed (NFC), trimmed, each run of white space a single space, without the joiners and
    selectors that keyboards leave where they show nothing; "" where nothing shows.

    Raises ValueError naming what cannot be seen or stored.
    """
    return _cleaned(" ".join(_checked(value.strip(), allowed="\t").split()))


def clean_lines(value: str) -> str:
    """Text of several lines: composed (NFC), trimmed, line ends as LF, without the joiners and selectors that keyboards
    leave where they show nothing; "" where nothing shows.

    Raises ValueError naming what cannot be seen or stored.
    """
    return _cleaned(_checked(value.replace("\r\n", "\n").replace("\r", "\n"), allowed="\n\t").strip())


def what_shows(value: str, most: int, *, lines: bool = False) -> str:
    """The text without what `clean_line` (with `lines`, `clean_lines`) refuses, `most` characters at most: for words
    that a person did not write here and cannot mend, as those in a file or its name. "" where nothing shows, and where
    letters are lost: half a word is no suggestion."""
    if LOST in value:
        return ""
    text, before = value.replace("\r\n", "\n").replace("\r", "\n").translate(_PARTING), None
    allowed = "\n\t" if lines else "\t"
    while text != before:  # what is taken out or cut off changes what stands beside it
        before = text
        text = _without_idle_signs(unicodedata.normalize("NFC", text if lines else " ".join(text.split())))
        text = "".join(each for place, each in enumerate(text) if _wrong(text, place, allowed) is None).strip()
        text = text[:most].strip()
    return _cleaned(text)


def made_visible(value: str, *, lines: bool = False) -> str:
    """The text as a terminal may get it: each character that `clean_line` (with `lines`, `clean_lines`) refuses, and
    of one line also the tab, as its escape."""
    allowed = "\n\t" if lines else ""
    return "".join(
        each if _wrong(value, place, allowed) is None else each.encode("unicode_escape").decode()
        for place, each in enumerate(value)
    )


def without_invisible(text: str) -> str:
    """The text without what nobody sees, wherever it stands; control characters and spaces stay."""
    return "".join(each for each in text if not is_invisible(each))


def as_it_looks(text: str) -> str:
    """The same for two texts that differ in nothing but a non-joiner or an emoji's selector, which keyboards set as
    they please."""
    return "".join(each for each in text if each != _NON_JOINER and each not in _EMOJI_SELECTORS)


def _cleaned(text: str) -> str:
    return text if any(_shows(each) for each in text) else ""


def _checked(value: str, *, allowed: str) -> str:
    text = _without_idle_signs(unicodedata.normalize("NFC", value))
    for place in range(len(text)):
        wrong = _wrong(text, place, allowed)
        if wrong is not None:
            raise ValueError(wrong)
    return text


def _without_idle_signs(text: str) -> str:
    """Without what people and their keyboards leave behind and that shows nothing there: a non-joiner that has no
    letters of one joining script on both sides (of several together within a word one stays), and an emoji's selector
    behind another symbol."""

    def parting(together: re.Match[str]) -> str:
        before, behind = text[together.start() - 1 : together.start()], text[together.end() : together.end() + 1]
        if _are_joined(before, behind):
            return _NON_JOINER
        beside_a_word = _may_be_joined(before) or _may_be_joined(behind)
        idle = beside_a_word and _kind(before) in "LMNPSZ" and _kind(behind) in "LNPSZ"
        return "" if idle else together[0]

    def selecting(selector: re.Match[str]) -> str:
        before, behind = text[selector.start() - 1 : selector.start()], text[selector.end() : selector.end() + 1]
        idle = _is_symbol(before) and not _is_emoji(before) and _kind(behind) != "M"
        return "" if idle else selector[0]

    text = re.sub(f"{_NON_JOINER}+", parting, text)
    return re.sub(f"[{''.join(_EMOJI_SELECTORS)}]", selecting, text)


def _kind(each: str) -> str:
    """The first letter of a character's general category; of white space and the text's end Z."""
    return "Z" if not each or each.isspace() else unicodedata.category(each)[0]


def _wrong(text: str, place: int, allowed: str) -> str | None:
    """Why a character may not stand where it does."""
    each = text[place]
    if each in allowed or (each.isprintable() and each.isascii()):
        return None
    if each == LOST:
        return LOST_LETTERS
    kind = unicodedata.category(each)
    if kind == "Cs":
        return "holds half of a surrogate pair, which is no character"
    if kind == "Cc":
        word = "a line break" if each in "\n\r\x0b\x0c\x85" else "a control character"
        return f"holds {word} (U+{ord(each):04X})"
    if kind == "Co":
        return f"holds U+{ord(each):04X}, which is for private use and shown differently everywhere"
    shows_nothing = (is_invisible(each) and not _joins(text, place)) or (each in _STACKING and not _stacks(text, place))
    if shows_nothing or _is_noncharacter(each):
        word = "turns the direction of writing" if each in _BIDI else "cannot be seen"
        return f"holds U+{ord(each):04X} ({unicodedata.name(each, 'no character').lower()}), which {word}"
    return None


def _is_noncharacter(each: str) -> bool:
    return 0xFDD0 <= ord(each) <= 0xFDEF or ord(each) & 0xFFFE == 0xFFFE


def is_invisible(each: str) -> bool:
    """Whether a character shows nothing by itself, as every joiner and variation selector."""
    place = bisect_right(_STARTS, ord(each)) - 1
    return place >= 0 and ord(each) <= _INVISIBLE[place][1]


def _shows(each: str) -> bool:
    return _is_emoji(each) or (unicodedata.category(each)[0] not in "CMZ" and not is_invisible(each))


def _joins(text: str, place: int) -> bool:
    """Whether an invisible sign has work to do where it stands: a non-joiner between letters of a script that joins
    its letters (Persian and Hindi need it), a joiner behind what it gives another shape or between the parts of an
    emoji, a variation selector behind what has variants, a tag in a flag."""
    each, before, behind = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if each in _EMOJI_SELECTORS:
        return _is_emoji(before) or (before in _KEYS and behind == _KEYCAP)
    if each == "\ufe00" and before in _OF_FIRST_VARIANTS:
        return True
    if "\ufe00" <= each <= "\ufe02":
        return ord(each) - 0xFE00 < _VARIANTS_OF_HAN[before]
    if "\U000e0100" <= each <= "\U000e01ef":
        return _is_within(before, _HAN)
    if each in _MONGOLIAN_SELECTORS:
        return _is_within(before, _MONGOLIAN)
    if each == _NON_JOINER:
        return _are_joined(before, behind)
    if each == _JOINER:
        return _joins_emoji(text, place) or _takes_a_joiner(text, place)
    flag = text.rfind(_FLAG, max(0, place - _FLAG_TAGS), place)
    return flag >= 0 and text.startswith(_FLAGS, flag)


def _joins_emoji(text: str, place: int) -> bool:
    """Whether what stands on each side of the place may be a part of a longer emoji (UTS 51, ED-15a)."""
    base, before = text[place - 2 : place - 1], text[place - 1 : place]
    behind, selector = text[place + 1 : place + 2], text[place + 2 : place + 3]
    ends = _is_emoji(base) if before == _COLOURED or before in _SKINS else _is_part(before)
    return ends and (_is_part(behind) or (_is_emoji(behind) and selector == _COLOURED))


def _takes_a_joiner(text: str, place: int) -> bool:
    """Whether what stands before the place looks other with a joiner behind it: a letter without its vowel, as
    Malayalam's chillus were written (UAX 31, 2.3, B), or about to lose it, as Bengali's ra before a ya; one that
    reaches forward and has no letter to reach, as the heh that stands for a year in Persian. Points may stand above
    the letters."""
    before, behind = text[place - 1 : place], text[place + 1 : place + 2]
    if _is_virama(before):
        return _may_be_joined(before) and unicodedata.category(text[place - 2 : place - 1] or " ")[0] in "LM"
    if _is_virama(behind):
        return _are_joined(before, behind)
    first, last = place - 1, place + 1
    while first > 0 and unicodedata.category(text[first]) == "Mn":
        first -= 1
    while last < len(text) and unicodedata.category(text[last]) == "Mn":
        last += 1
    letter, following = text[max(0, first) : first + 1], text[last : last + 1]
    joined_anyway = _are_joined(letter, following) and following not in _JOINED_TO_NOTHING
    return letter in _LETTERS_WITH_A_FORWARD_SHAPE and not joined_anyway


def _is_virama(each: str) -> bool:
    return unicodedata.combining(each or " ") == _VIRAMA


def _stacks(text: str, place: int) -> bool:
    """Whether a mark stands between signs of its own script."""
    before, behind = text[place - 1 : place], text[place + 1 : place + 2]
    return (
        before not in _STACKING
        and unicodedata.category(behind or " ")[0] in "LN"
        and _script(before) == _script(text[place]) == _script(behind)
    )


def _script(each: str) -> str:
    """The word that the names of a script's signs begin with; empty of those that this Python does not know."""
    return unicodedata.name(each or " ", "").partition(" ")[0]


def _is_within(each: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return each != "" and any(first <= ord(each) <= last for first, last in ranges)


def _may_be_joined(each: str) -> bool:
    return (
        _is_within(each, _JOINING) and unicodedata.category(each) in {"Lo", "Lm", "Mn", "Mc"} and not is_invisible(each)
    )


def _are_joined(before: str, behind: str) -> bool:
    """Whether both are of the same joining script."""
    return _may_be_joined(before) and _may_be_joined(behind) and _script(before) == _script(behind)


def _is_symbol(each: str) -> bool:
    return each >= "\u2190" and unicodedata.category(each) in {"Sm", "So"}


def _is_emoji(each: str) -> bool:
    return each in _UNCOLOURED_EMOJI or _is_coloured(each)


def _is_coloured(each: str) -> bool:
    """Whether an emoji needs no selector. One that this Python does not know counts as a wide one."""
    if each in _COLOURED_EMOJI:
        return True
    wide = _is_within(each, _PICTURES) and (
        unicodedata.east_asian_width(each) == "W" or unicodedata.category(each) == "Cn"
    )
    return wide and each not in _SKINS


def _is_part(each: str) -> bool:
    """Whether a sign may be joined to others without a selector."""
    return each in _UNCOLOURED_PARTS or _is_coloured(each)


@dataclass(frozen=True)
class Text:
    """Annotation of a field that takes text: `title: Annotated[str, Text(least=1, most=255)]`.

    The value is `clean_line`'s, or with `lines` `clean_lines`'s; `least` and `most` count its characters.
    """

    most: int
    least: int = 0
    lines: bool = False
    lower: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def clean(value: Any) -> Any:
            # Far above the limit nobody looks further; a little above it, composing may still shorten the text.
            if not isinstance(value, str) or len(value) > 4 * self.most + 64:
                return value
            return clean_lines(value) if self.lines else clean_line(value)

        return core_schema.no_info_before_validator_function(
            clean,
            core_schema.str_schema(
                strict=True, to_lower=self.lower or None, min_length=self.least or None, max_length=self.most
            ),
        )
