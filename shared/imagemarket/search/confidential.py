"""Whether words could be somebody's contact or secret, which the search neither keeps nor says to others."""

from __future__ import annotations

import re

from imagemarket.platform.text import without_invisible
from imagemarket.search.lookalikes import plain_letters
from imagemarket.search.spelling import english_words
from imagemarket.search.words import alike

# An address, also as people write it for people, a link, or a number that could be a telephone's, a card's or an
# account's.
_SOMEBODYS = re.compile(
    r"@|[(\[{<]\s*at\s*[)\]}>]|\bat\s+[\w-]+(?:\.|\s+\.\s*|\s*\(?\bdot\b\)?\s*)[a-z]{2,}\b"
    r"|\bat\s+[\w-]+\.\s+(?:com|net|org|info|io|de)\b"
    r"|\bat\s+(?:gmail|googlemail|hotmail|outlook|icloud|yahoo|gmx|proton(?:mail)?)\b"
    r"|https?:|www\.|(?:\d[\s_./()*+\u00b7-]*){6,}|(?:\d[\W_]{0,3}){9,}",
    re.IGNORECASE,
)
# Years from and to, and an aeroplane's or another thing's model ("747-400"), are digits enough, but nobody's number.
_OF_THINGS = re.compile(r"(?<![\d+])(?<!\d[\W_])(?:(?:1[5-9]|20)\d\d\W{1,3}(?:1[5-9]|20)\d\d|\d{3}-\d{3})(?![\W_]*\d)")
# A token or a key: how well-known ones begin, letters and digits without end or that change all the time, what no word
# is as long as, base64, which changes between small and capital letters as no name does, and what a name of a secret is
# set to.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|pypi|npm|hf|shp\w\w|dop_v1)[-_][\w-]{8,}|\b(?:gh[oprsu][-_]|github_pat_|glpat-|xox[abeprs]-|whsec_)\w{4,}"
    r"|\b(?:AKIA|ASIA)[a-z2-7]{16}\b"
    r"|(?-i:\b(?:AIza|AKIA|ASIA|eyJ|ya29\.|SG\.)[\w-]{8,})"
    r"|(?=[^\W_]*\d)(?=\d*[^\W\d_])[\w+/=.-]{16,}|[\w+/=]{40,}"
    r"|\b(?=\w{8,})\w*?(?:(?:\d+[^\W\d_]+){3}|(?:\d+[^\W\d_x]+){2}\d)|\w*passw\w*\d"
    r"|-{2,}\s*(?:BEGIN|END)\b|\b(?:BEGIN|END)[ \w]*\b(?:KEY|CERTIFICATE|MESSAGE)\b\s*-|\bssh-(?:rsa|dss|ed25519)\s"
    r"|(?-i:\b(?=(?:\w*[a-z][A-Z]){2})(?=\w*[A-Z]{2})\w{10,})"
    r"|\b(?:basic|bearer|digest)\s+(?=\S*\d|\S*=|(?-i:\S*[a-z][A-Z]))[\w+/=.-]{6,}"
    # "turkey: a journey", "compass: detail" and "author: portrait" are titles
    r"|(?:\w*(?:passw\w*|passphrase|passcode|passkey|pwd|token|secret|credentials?)"
    r"|(?:\b|_|\b(?:my|api|secret|access|private|client|auth|ssh|aws))"
    r"(?:pass|pw|pin|key|auth(?:ori[sz]ation|entication)?|login|user(?:[ _-]?(?:name|id))?|otp|cv[cv]))"
    r"['\"]?\s*[:=]+\s*\S"
    r"|\b\w+['\"]?=['\"]?(?=\w*\d)(?=\w*[^\W\d_])\w{6,}"
    r"|(?:\u5bc6\u7801|\u5bc6\u78bc|\u30d1\u30b9\u30ef\u30fc\u30c9|\ube44\ubc00\ubc88\ud638)\W*\w{3,}",
    re.IGNORECASE,
)
_SECRETS_NAME = (
    r"(?:(?:my)?p[a4@][s5$]{1,2}[ _]?w[o0]r[dt]s?|passwd|pass ?phrases?|pass ?codes?|pwd"
    r"|credentials?|otp|cv[cv]|pin (?:code|number)|kennwor\w+|wachtwoord"
    r"|mot de passe|contrase\u00f1a|contrasena|senha|salasana|l\u00f6senord|losenord|has\u0142o"
    r"|\u043f\u0430\u0440\u043e\u043b\u044c"
    r"|(?:api|secret|private|access|auth\w*|client|session|encryption|ssh|aws)[ _-]?(?:keys?|tokens?|secrets?))"
)
# What is told with a password is words ("password protection icon"), or it may be the password.
_OF_A_SECRET = re.compile(rf"\b{_SECRETS_NAME}\b", re.IGNORECASE)
_TOLD = re.compile(
    rf"\b{_SECRETS_NAME}\s+(?:is|was|are)\s+\S|\b(?:my|our)\s+(?:{_SECRETS_NAME}|pin|pass|token|secret|key|login|code)"
    r"\s+(?:is|was)\s+\S|\b(?:pin|code)s?\W+(?:(?:is|was|number|no)\W+)*\d{4}\b(?!s)",
    re.IGNORECASE,
)
# Beside what is a secret's name now and then (a boarding pass, a token ring), a number or letters and digits tell it.
_PERHAPS_A_SECRETS = re.compile(
    r"\b(?:pins?|pass|tokens?|secrets?|codes?|keys?|log ?in|user ?names?|auth\w*|2fa|iban|ssn|account)\b", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d(?:s|er|'s)?\b", re.IGNORECASE)
_LIKE_A_SECRET = re.compile(
    r"(?:\d[\s./-]?){4,}|\b(?=\w*\d)(?=\w*[^\W\d_])(?!\d+(?:[a-z]{1,3}|x\d+\w*)\b)\w{6,}", re.IGNORECASE
)
_UNSPEAKABLE = re.compile(r"[b-df-hj-np-tv-xz]{4}", re.IGNORECASE)
# Words and little numbers with dashes between ("20th-century-architecture"), which are no key as long as it is.
_DASHED = re.compile(r"(?<![\w-])[^\W_]+(?:-[^\W_]+)+(?![\w-])")
_LITTLE_NUMBER = re.compile(r"\d{1,4}[a-z]{0,2}", re.IGNORECASE)


def confidential(words: str) -> bool:
    """Whether any of the words could be somebody's contact or secret, in whichever letters. Doubt is a yes: it costs
    an event its words and a title its place among the suggestions."""
    return any(map(_shows_confidential, {alike(without_invisible(words)), alike(plain_letters(words))}))


def _shows_confidential(words: str) -> bool:
    apart = _DASHED.sub(_parted, words)
    return (
        _SOMEBODYS.search(_OF_THINGS.sub(" ", words)) is not None
        or _SECRET.search(apart) is not None
        or _tells_a_secret(apart)
    )


def _parted(dashed: re.Match[str]) -> str:
    """What stands between dashes as words by themselves, where each is an English word or a little number."""
    parts = dashed[0].split("-")
    ordinary = all(_LITTLE_NUMBER.fullmatch(part) or part.lower() in english_words() for part in parts)
    return " ".join(parts) if ordinary else dashed[0]


def _tells_a_secret(words: str) -> bool:
    """Whether a secret is named and told, or beside its name something stands that is no English word, or beside what
    may be its name something that looks like one."""
    if _TOLD.search(words):
        return True
    others, named = _OF_A_SECRET.subn(" ", words)
    if named and any(
        other.strip(".,;:!?()\"'").lower() not in english_words() for other in others.split() if other.strip("-&/|+")
    ):
        return True
    others, named = _PERHAPS_A_SECRETS.subn(" ", words)
    return bool(named) and (_LIKE_A_SECRET.search(_YEAR.sub(" ", others)) is not None or _made_up_behind(words))


def _made_up_behind(words: str) -> bool:
    """Whether right behind what may be a secret's name letters stand that nobody can say."""
    behind = (words[name.end() :].split() for name in _PERHAPS_A_SECRETS.finditer(words))
    return any(
        _UNSPEAKABLE.search(following[0]) and following[0].lower() not in english_words()
        for following in behind
        if following
    )
