"""Whether words could be somebody's contact or secret, which the search neither keeps nor says to others.

Secrets have no form in common, what buyers look for has: words that can be said, small numbers, years, measures and
the models of things. What is none of these is taken for a secret, and so is what is ordinary by itself but stands
where secrets are told.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from imagemarket.platform.text import without_invisible
from imagemarket.search.query.announced import announced
from imagemarket.search.query.links import leads_away
from imagemarket.search.query.lookalikes import plain_letters
from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.words import alike

_DATA = Path(__file__).with_name("data")
_SHOWN_WITH_PASSWORDS = _DATA / "shown_with_passwords.txt"
_NUMBERED_NAMES = _DATA / "numbered_names.txt"


def confidential(words: str) -> bool:
    """Whether any of the words could be somebody's contact or secret, in whichever letters. Doubt is a yes: it costs
    an event its words and a title its place among the suggestions."""
    written = _typed(alike(without_invisible(words)))
    looking = _typed(alike(plain_letters(words)))
    return not _ordinary(written) or any(
        _addresses(each) or _tells_a_secret(each) or announced(each)
        for each in {written, looking, _drawn_together(looking)}
    )


def _typed(text: str) -> str:
    """With the digits of a keyboard in place of other scripts'."""
    return "".join(str(unicodedata.decimal(each, each)) for each in text)


# --- addresses -------------------------------------------------------------------------------------------------------

# An at between brackets, as a code or before somebody who keeps mail; a name of a chat with its number.
_AT_IN_WORDS = r"(?:at|\u00e4t|arroba|chez)"
_KEEPER = r"(?:gmail|googlemail|hotmail|outlook|icloud|yahoo|gmx|proton(?:mail)?)"
_AT = re.compile(
    rf"@|[(\[{{<]\s*{_AT_IN_WORDS}\s*[)\]}}>]|\w%40\w|\b{_AT_IN_WORDS}\s+[\w-]+\s+(?:dot|punkt|punto|ponto)\s+\w"
    rf"|\b{_AT_IN_WORDS}\W+{_KEEPER}\b|\w\W+{_KEEPER}\W+(?:com|de|net)\b|[^\W\d_]{{2,}}#\d{{4}}\b",
    re.IGNORECASE,
)


def _addresses(words: str) -> bool:
    return _AT.search(words) is not None or leads_away(words)


# --- what is ordinary ------------------------------------------------------------------------------------------------

_LONGEST_WORD = 40
_TELEPHONE = 7
"""So many digits of numbers side by side that are a telephone's, a card's or an account's; a date in short has six."""
_PARTS = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d{1,5}|[1-9]\d{0,2}0{3,9}")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_SIZE = re.compile(r"\d{1,5}(?:x\d{1,5}){1,2}[a-z]{0,3}|\d{1,4}[ikp]\d{2,3}(?:fps)?", re.IGNORECASE)
# 35mm, 4k, 20th and 1920s; also an engine's 320i.
_MEASURE = re.compile(r"\d{1,4}[^\W\d_]{1,3}")
# B52, a350, gt3rs; and what is as short as h2o.
_MODEL = re.compile(r"[^\W\d_]{1,3}\d{1,4}[^\W\d_]{0,2}|\w{2,4}")
_SHORT_MODEL = re.compile(r"\w{2,3}|[^\W\d_]{1,3}\d\d")
# Covid19, iphone15: a word and a number that is no year.
_NUMBERED = re.compile(r"([^\W\d_]{3,})\d{1,2}")
# Boeing747, canon5d and airbusa380, behind a name that has models; but 123 is a password's.
_MODEL_OF_A_NAME = re.compile(r"[^\W\d_]{0,3}(?!123)\d{1,4}[^\W\d_]{0,3}")
_MODELS_ENDINGS = frozenset(
    {"iii", "riii", "siii", "neo", "max", "pro", "promax", "turbo", "ultra", "mini", "plus", "evo"}
)
"""What stands behind a model's number: a7iii, a320neo, porsche911turbo."""
_ENDED = re.compile(r"(\w*\d)([^\W\d_]{3,6})")
_ROWS_OF_DIGITS = ("01234567890", "09876543210")
_KEYBOARD_ROWS = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "qsdfghjklm", "zxcvbnm", "yxcvbnm", "wxcvbn")
_CHOSEN_AS_PASSWORDS = frozenset(
    (
        *(
            "admin",
            "baseball",
            "batman",
            "changeme",
            "charlie",
            "dragon",
            "football",
            "guest",
            "hallo",
            "hello",
            "hunter",
        ),
        *(
            "iloveyou",
            "letmein",
            "login",
            "love",
            "master",
            "michael",
            "monkey",
            "ninja",
            "pokemon",
            "princess",
            "root",
        ),
        *(
            "schatz",
            "secret",
            "shadow",
            "soccer",
            "starwars",
            "sunshine",
            "superman",
            "test",
            "trustno",
            "user",
            "welcome",
        ),
        *("whatever"),
    )
)
"""Of the words that head every list of leaked passwords, those that pictures are not called with a number."""
_SIGN_BEHIND_A_NUMBERED = re.compile(r"[^\W\d_]{3}\d{1,3}(?:[!$%&*?]+[^\W_]|[!$&*]+(?!\S))")
# H2SO4: the elements of what is bottled and drawn.
_FORMULA = re.compile(r"(?i)(?=\w{2,9}$)(?:(?:Al|Ag|Br|Ca|Cl|Cu|Fe|Hg|Li|Mg|Na|Si|Ti|Zn|[CFHIKNOPS])\d{0,2}){2,}")
_INITIALS = frozenset({"html", "xhtml", "lgbtq", "lgbtqi", "lgbtqia", "lgbtqiap", "lgbtqqia"})
"""No words by their letters, and said by everybody."""
_COUNTED = re.compile(r"\d{1,2}([^\W\d_]{4,7})")
_DIGITS = {word: str(digit) for digit, word in enumerate("zero one two three four five six seven eight nine".split())}  # noqa: SIM905 - shorter
_KEYS_BEGINNING = re.compile(
    r"\b(?:akia|asia)[a-z2-7]{16}\b|\b(?:glpat|xox[a-z]|gh[oprsu])-\w|\b(?:sk|pk|rk|hf|npm|pypi)-[\w-]{8,}"
    r"|-{5}|[0-9a-f]{1,4}(?::+[0-9a-f]{1,4}){4}|\bssh-(?:rsa|dss|ed25519)\s",
    re.IGNORECASE,
)
_SNAKE = re.compile(r"[^\W_]+(?:_+[^\W_]+)+")
_SET = re.compile(r"\w{2,}['\"]?=['\"]?\w{2,}")


# Signs within what has no spaces, as of "rock'n'roll", "black/white" and "f/1.4"; more kinds of them are a password's.
_GLUED = re.compile(r"(?<=[^\W_])[!-/:-@\[-^`{-~]+(?=[^\W_])")
_GLUE = re.compile(r"[-'/&+.,:;*|=(\"!?]|(.)\1+|[-.,;:!?()'\"%#]{2}")
_MOST_SIGNS = 3


@dataclass(frozen=True)
class _Part:
    """Letters and digits with nothing between them."""

    text: str
    kind: str
    """"word", "number", "year", "measure", "model", "numbered" or "odd"."""
    before: str
    """The sign right before it."""


def _read(words: str) -> Iterator[_Part]:
    for found in _PARTS.finditer(words):
        for part in _by_script(found[0]):
            yield _Part(part, _kind(part), words[max(0, found.start() - 1) : found.start()])


def _by_script(part: str) -> list[str]:
    """Parted where letters without capitals meet others: such scripts write no spaces beside numbers."""
    if part.isascii():
        return [part]
    return re.findall(r"\d+|[^\W\d_]+", part) if any(unicodedata.category(each) == "Lo" for each in part) else [part]


def _kind(part: str) -> str:
    if part.isalpha():
        return "word" if _sayable(part) else "odd"
    if _NUMBER.fullmatch(part):
        return "year" if _YEAR.fullmatch(part) else "number"
    if _MEASURE.fullmatch(part) or _SIZE.fullmatch(part):
        return "measure"
    if (counted := _COUNTED.fullmatch(part)) and counted[1].lower() in english_words():
        return "measure"
    if part.isdecimal():
        return "odd"
    if _follows_a_row(part.lower()):
        return "odd"
    if (ended := _ENDED.fullmatch(part)) and ended[2].lower() in _MODELS_ENDINGS:
        part = ended[1]
    if _MODEL.fullmatch(part) or _FORMULA.fullmatch(part):
        return "model"
    if (numbered := _NUMBERED.fullmatch(part)) and _may_be_numbered(numbered[1]):
        return "numbered"
    if _is_a_names_model(part.lower()):
        return "numbered"
    return "odd"


def _ordinary(words: str) -> bool:
    parts = list(_read(words))
    return (
        not any(part.kind == "odd" for part in parts)
        and _most_digits(parts) < _TELEPHONE
        and not _has_a_key_in_groups(parts)
        and _KEYS_BEGINNING.search(words) is None
        and _SET.search(words) is None
        and all(_is_of_words(each[0]) for each in _SNAKE.finditer(words))
        and _SIGN_BEHIND_A_NUMBERED.search(words) is None
        and not any(map(_mixes_signs, words.split()))
    )


def _mixes_signs(together: str) -> bool:
    if not _PARTS.search(together):
        return False
    glue = _GLUED.findall(together)
    return not all(map(_GLUE.fullmatch, glue)) or len(set("".join(glue))) >= _MOST_SIGNS


def _most_digits(parts: list[_Part], *, with_years: bool = False) -> int:
    """The most digits that stand side by side, also in words ("five five five"). Years are none of a number, unless it
    begins as telephones do; nor are a thousand's noughts."""
    most = together = 0
    years = with_years
    for part in parts:
        digits = _DIGITS.get(part.text.lower(), part.text)
        if not digits.isdecimal():
            together, years = 0, with_years
            continue
        years |= part.before == "+" or (len(digits) > 2 and digits[0] == "0" and together == 0)
        together += 0 if digits == "000" or (part.kind == "year" and not years) else len(digits.rstrip("0")) or 1
        together += len(digits) - len(digits.rstrip("0")) if len(digits) <= 4 and digits != "000" else 0
        most = max(most, together)
    return most


def _has_a_key_in_groups(parts: list[_Part]) -> bool:
    """Four groups side by side most of which mix letters and digits."""
    groups: list[str] = []
    for part in parts:
        groups = [*groups, part.kind] if part.kind in {"model", "numbered", "measure", "number"} else []
        if len(groups) >= 4 and groups.count("model") + groups.count("numbered") >= 3:
            return True
    return False


def _is_of_words(snake: str) -> bool:
    """Underscores are a machine's, and a key's as well as a file's."""
    return all(part.isdecimal() or part.lower() in english_words() for part in snake.split("_") if part)


def _sayable(word: str) -> bool:
    """Whether a word is one of English, or could be one of another language or a name."""
    plain = word.lower()
    if plain in english_words() or plain in _INITIALS:
        return True
    if len(word) > _LONGEST_WORD:
        return False
    if len(re.findall(r"[a-z][A-Z]", word)) > 1:  # base64 changes between small and capital letters as no name does
        return all(each.lower() in english_words() for each in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", word))
    return _flow(plain) >= next(least for letters, least in _LEAST_FLOW if len(word) >= letters)


def _may_be_numbered(word: str) -> bool:
    """A word by its vowels as well, no secret's name with the secret ("passwordhunter") and none that people choose."""
    plain = word.lower()
    if plain in _CHOSEN_AS_PASSWORDS or _runs_along_keys(plain):
        return False
    said = not plain.isascii() or not set("aeiouy").isdisjoint(plain) or plain in _INITIALS or plain in english_words()
    return said and "passw" not in plain and _sayable(word)


def _runs_along_keys(word: str) -> bool:
    """Whether keys side by side spell most of it ("qwertz"), forwards or backwards; "property" has four such."""
    least = 5 if word in english_words() else 4
    rows = [*_KEYBOARD_ROWS, *(row[::-1] for row in _KEYBOARD_ROWS)]
    return any(word[at : at + least] in row for row in rows for at in range(len(word) - least + 1))


def _follows_a_row(part: str) -> bool:
    """Whether three letters and the digits behind them each follow one another, as "abc123" and "qwe321" do."""
    letters, digits = part[:3], part[3:]
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return (
        len(digits) >= 3
        and any(letters in row for row in (alphabet, *_KEYBOARD_ROWS))
        and any(digits in row for row in _ROWS_OF_DIGITS)
    )


def _is_a_names_model(part: str) -> bool:
    names = _numbered_names()
    return part in names or any(
        part[:at] in names and _MODEL_OF_A_NAME.fullmatch(part, at) for at in range(2, len(part))
    )


@cache
def _numbered_names() -> frozenset[str]:
    lines = _NUMBERED_NAMES.read_text(encoding="utf-8").splitlines()
    names = {name for line in lines if not line.startswith("#") for name in line.split()}
    return frozenset(names | set(map(plain_letters, names)))


_LEAST_FLOW = ((12, 0.5), (10, 0.3), (6, 0.01), (0, 0.0))
"""By a word's letters: "krzysztof" has one three of English, and few names are longer and as far from it."""


def _flow(word: str) -> float:
    """The share of the word's threes of letters that frequent English words have as well; 1 for a word too short to
    tell and in another script."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", word) if unicodedata.category(each)[0] != "M")
    if not plain.isascii():
        return 1.0
    if len(plain) > 5 and not set("aeiouy") & set(plain):
        return 0.0
    threes = [plain[at : at + 3] for at in range(len(plain) - 2)]
    return sum(each in _threes() for each in threes) / len(threes) if len(plain) > 5 else 1.0


@cache
def _threes() -> frozenset[str]:
    return frozenset(word[at : at + 3] for word in islice(english_words(), 30_000) for at in range(len(word) - 2))


# --- where secrets are told ------------------------------------------------------------------------------------------

_PASSWORDS_NAME = (
    r"(?:\w*p[a4@][s5$]{1,2}[ _-]?w[o0\u00f6]r[dt](?:e?s?|er)|passwd|pass ?phrases?|pass ?codes?|pwd|kennw[o\u00f6]r\w+"
    r"|wachtwoord(?:en)?|mots? de passe|contrase(?:\u00f1|n|ny)as?|senhas?|salasan\w+|l(?:\u00f6|o)senord\w*|passord\w*"
    r"|adgangskode\w*|kodeord|has(?:\u0142|l)[oa]|hes(?:lo|la|el)|jelsz(?:\u00f3|o)\w*|[s\u015f]ifre\w*|lozink[ae]"
    r"|\u043f\u0430\u0440\u043e\u043b\w*|\u03ba\u03c9\u03b4\u03b9\u03ba\w+ \u03c0\u03c1\w+\u03b2\w+"
    r"|kata sandi|m\u1eadt kh\u1ea9u|(?:seed|recovery|mnemonic) phrase)"
)
"""What a password is called in languages whose words have spaces between."""
_SECRETS_NAME = (
    rf"(?:{_PASSWORDS_NAME}|credentials?|otp|cv[cv]2?|pin[ -]?(?:code|number)s?|geheimzahl|geheimnummer|pincode"
    r"|(?:api|secret|private|access|auth\w*|client|session|encryption|ssh|aws)[ _-]?(?:keys?|tokens?|secrets?))"
)
"""What a secret is called and little else."""
_OF_A_PASSWORD = re.compile(rf"\b{_PASSWORDS_NAME}\b", re.IGNORECASE)
_OF_A_SECRET = re.compile(rf"\b{_SECRETS_NAME}\b", re.IGNORECASE)
_UNSPACED_NAME = re.compile(
    "\u5bc6\u7801|\u5bc6\u78bc|\u53e3\u4ee4|\u30d1\u30b9\u30ef\u30fc\u30c9|\u6697\u8a3c\u756a\u53f7|\u6697\u8bc1"
    "|\ube44\ubc00\ubc88\ud638|\uc554\ud638|\ud328\uc2a4\uc6cc\ub4dc|\u0e23\u0e2b\u0e31\u0e2a\u0e1c\u0e48\u0e32\u0e19|\u9a8c\u8bc1\u7801"
    "|\u0643\u0644\u0645\u0629 (?:\u0627\u0644)?(?:\u0645\u0631\u0648\u0631|\u0633\u0631)"
    "|\u0631\u0645\u0632 \u0639\u0628\u0648\u0631|\u0627\u0644\u0631\u0642\u0645 \u0627\u0644\u0633\u0631\u064a"
    "|\u092a\u093e\u0938\u0935\u0930\u094d\u0921|\u05e1\u05d9\u05e1\u05de(?:\u05d4|\u05ea|\u05d0\u05d5\u05ea)"
)
_PERHAPS = (
    r"(?:pins?|pass|pw|tokens?|secrets?|codes?|keys?|log ?in|user ?names?|user|auth\w*|2fa|iban|ssn|accounts?|bearer"
    r"|puk|c(?:\u00f3|o)digo|codice|kod|kode|clave|chave|konto|schl(?:\u00fc|u)ssel"
    r"|\u043a\u043e\u0434|\u043f\u0438\u043d|\u043a\u043b\u044e\u0447)"
)
"""What is a secret's name now and then (a boarding pass, a token ring)."""
_PERHAPS_A_SECRETS = re.compile(rf"\b{_PERHAPS}\b", re.IGNORECASE)
_TOLD = re.compile(
    rf"\b{_SECRETS_NAME}\s+(?:is|was|are)\s+\S|\b(?:my|our)\s+(?:{_SECRETS_NAME}|{_PERHAPS})\s+(?:is|was)\s+\S"
    rf"|\S\s+(?:is|was)\s+(?:my|our)\s+(?:{_SECRETS_NAME}|{_PERHAPS})\b"
    r"|\b(?:pins?|(?:access|confirmation|door|security|verification) codes?)\W+"
    r"(?:(?:is|was|number|no|code)\W+)*\d{4}\b(?!s)|\bcode\W+(?:(?:is|was|number|no)\W+)+\d{4}\b"
    rf"|\b(?:log ?in|user ?(?:name|id)?|account|konto)\W+(?!(?:and|or|und|oder|et|ou|y|o|e)\b)\w+\W+"
    rf"(?:{_SECRETS_NAME}|pass|pw|pin)\W+\w"
    # "turkey: a journey", "compass: detail" and "author: portrait" are titles
    r"|(?:\w*(?:passw\w*|passphrase|passcode|passkey|pwd|token|secret|credentials?)"
    r"|(?:\b|_|\b(?:my|api|secret|access|private|client|auth|ssh|aws))"
    r"(?:pass|pw|pin|key|bearer|auth(?:ori[sz]ation|entication)?|login|user(?:[ _-]?(?:name|id))?|otp|cv[cv]))"
    r"['\"]?\s*[:=]+\s*\S|\b(?:BEGIN|END)[ \w]*\b(?:KEY|CERTIFICATE|MESSAGE)\b\s*-",
    re.IGNORECASE,
)
_PIN_TO_WEAR = re.compile(
    r"(?i)\b(?:badge|bobby|bowling|enamel|hair|hat|lapel|map|metal|push|rolling|safety|souvenir|tie)[ -]?pins?\b"
)
"""Pins with a year, and no number."""
_LEET = str.maketrans("013457$", "oieasts")
_NAMED_AND_TOLD = re.compile(r"([^\W\d_]+?)(\d{2,})")


def _tells_a_secret(words: str) -> bool:
    """Whether a secret is named and told; or beside its name something stands that is no English word, or beside what
    may be its name something that looks like one."""
    words = _PIN_TO_WEAR.sub("badge", _PARTS.sub(_named_apart, words).replace("_", " "))
    if _TOLD.search(words):
        return True
    others, named = _OF_A_SECRET.subn(" ", words)
    others, unspaced = _UNSPACED_NAME.subn(" ", others)
    if unspaced or _OF_A_PASSWORD.search(words):
        if not _pictures_a_password(others):
            return True
    elif named and not all(_says_nothing_secret(part) for part in _read(others)):
        return True
    others, named = _PERHAPS_A_SECRETS.subn(" , ", words)
    parts = list(_read(others))
    return bool(named) and (
        _most_digits(parts) >= 4
        or any(part.kind == "odd" or (part.kind == "model" and not _SHORT_MODEL.fullmatch(part.text)) for part in parts)
        or _made_up_behind(words)
        or _signs_somebody_in(words)
    )


_NAME_AND_PASSWORD = re.compile(
    r"(?i)\b(?:log ?in|user ?(?:name|id)?|account)\W+([^\W\d_]+)\W+[^\W\d_]{3,}\d{1,4}[^\W\d_]{0,3}\b"
)


def _signs_somebody_in(words: str) -> bool:
    """Whether a name and a numbered word stand behind a login ("login ada hunter2", but not "login page html5")."""
    pictured, _ = _shown_with_passwords()
    return any(found[1].lower() not in pictured for found in _NAME_AND_PASSWORD.finditer(words))


def _named_apart(part: re.Match[str]) -> str:
    """ "p1n" as "pin" and "pin4711" as "pin 4711"."""
    text = part[0]
    if text.isalpha() or text.isdecimal():
        return text
    told = _NAMED_AND_TOLD.fullmatch(text)
    if told and (_is_name(told[1]) or _is_name(told[1].lower().removeprefix("my"))):
        return f"{told[1].lower().removeprefix('my')} {told[2]}"
    disguised = text.translate(_LEET)
    return disguised if _is_name(disguised) else text


def _is_name(word: str) -> bool:
    return _OF_A_SECRET.fullmatch(word) is not None or _PERHAPS_A_SECRETS.fullmatch(word) is not None


def _pictures_a_password(others: str) -> bool:
    """Whether what stands with a password's name is of what pictures show with one: passwords are ordinary words."""
    _, unspaced = _shown_with_passwords()
    return all(map(_is_pictured, _read(unspaced.sub(" ", others))))


def _is_pictured(part: _Part) -> bool:
    words, _ = _shown_with_passwords()
    plain = part.text.lower()
    return (
        plain in words
        or plain.removesuffix("s") in words
        or (part.kind == "word" and len(plain) == 1 and plain.isascii())
        or (part.kind in {"number", "measure"} and len(plain) < 3)
    )


@cache
def _shown_with_passwords() -> tuple[frozenset[str], re.Pattern[str]]:
    """The words that stand between spaces, each with plain letters as well, and the others in any place."""
    lines = _SHOWN_WITH_PASSWORDS.read_text(encoding="utf-8").splitlines()
    words = {word for line in lines if not line.startswith("#") for word in line.split()}
    unspaced = {word for word in words if unicodedata.category(word[0]) == "Lo"}
    spaced = frozenset(words - unspaced)
    longest_first = sorted(map(alike, unspaced), key=len, reverse=True)
    return spaced | frozenset(map(plain_letters, spaced)), re.compile("|".join(longest_first))


def _says_nothing_secret(part: _Part) -> bool:
    return _is_pictured(part) or (part.kind == "word" and part.text.lower() in english_words())


def _made_up_behind(words: str) -> bool:
    """Whether right behind what may be a secret's name a word stands that hardly anybody can say, or a numbered one
    ("secret hunter2")."""
    behind = (_PARTS.search(words, name.end()) for name in _PERHAPS_A_SECRETS.finditer(words))
    return any(
        _kind(following[0]) == "numbered"
        or (following[0].isalpha() and following[0].lower() not in english_words() and _hardly_sayable(following[0]))
        for following in behind
        if following is not None
    )


def _hardly_sayable(word: str) -> bool:
    return _flow(word.lower()) < 0.6 or re.search(r"[b-df-hj-np-tv-xz]{4}", word, re.IGNORECASE) is not None


_SINGLE = re.compile(r"(?<![^\W_])[^\W\d_](?:[\s.-]+[^\W\d_]){2,}(?![^\W_])")


def _drawn_together(words: str) -> str:
    """With "p i n" in one."""
    return _SINGLE.sub(lambda letters: re.sub(r"[\s.-]", "", letters[0]), words)
