"""Texts in files that no person wrote: devices and programs fill a picture's title and description by themselves.

Such a text is nobody's where it is made of the file's own Make, Model or Software, names or numbers a file, is a path
or an address, has no word, is data (JSON, XML, key=value) of any length, or is in the tables below, which say whose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONGEST = 200
"""What is longer, and no data, was written by somebody."""


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MAKERS = _listed("""
    agfa agfaphoto aiptek benq canon casio contax digimax dji epson fuji fujifilm gopro hasselblad htc huawei jenoptik
    jvc kenox kodak konica kyocera leica lge medion minolta motorola mustek nikon nokia olympus oneplus oppo panasonic
    pentax polaroid praktica realme ricoh rollei samsung sanyo sony toshiba vivitar voigtlander xiaomi yashica zte
""")
"""Of EXIF's Make, without those that are words of every day (Apple, Honor, Sharp): a file's own Make tells them."""
_OF_DEVICES = _listed("action cam co corp corporation digital dsc electronics inc ltd mobile optical still techwin")
"""What stands beside a maker in ImageDescription: "SONY DSC", "KODAK Action Cam", "Minolta DSC"."""
_OF_DEVICES_IN_CAPITALS = _OF_DEVICES | {"camera", "company", "imaging", "phone", "pictures"}
"""The same in a text all of capitals: "SAMSUNG CAMERA PICTURES"; "Nikon camera" may be what a picture shows."""
_CAMERA_IN_CAPITALS = re.compile(r"(?:[A-Z0-9-]+ ){0,3}DIGITAL (?:STILL )?CAMERA")
"""OLYMPUS's, Minolta's, Sanyo's and Traveler's."""
_PHONE_CODE = re.compile(
    r"(?:oz|[fhqrs])?(?:bsh|bst|bt|btf|bty|btr|cof|dav|edf|fdr|hdr|mde|nbt|nor|pl|ptf|ptr|pt|sdr|tbr){1,3}"
    r"(?:[A-Z]{2})?(?:_(?:cuva|HDRB|smooth|soft|vivid|\d+_\d+))?"
)
"""How a Huawei's or Honor's camera says in which mode it was: dav_soft, cof_vivid, oznorCO, rbt. A country stands
before any other word (pl_krakow)."""

_SCREENSHOTS = (
    *("bildschirmfoto", "captura de ecrã", "captura de pantalla", "captura de tela", "capture d\u2019écran"),
    *("capture d'écran", "istantanea schermo", "schermafbeelding", "schermata", "screen shot", "skärmavbild"),
    *("skærmbillede", "skjermbilde", "zrzut ekranu", "снимок экрана", "скриншот", "スクリーンショット"),
    *("屏幕截图", "螢幕截圖", "截屏", "截圖", "스크린샷"),
)
"""As macOS, Windows, Android and GNOME name them."""
_UNTITLED = (
    *("ohne titel", "unbenannt", "sans titre", "sin título", "senza titolo", "sem título", "bez tytułu", "naamloos"),
    *("namnlös", "uden navn", "uten navn", "без имени", "безымянный", "名称未設定", "無題", "未标题", "未命名", "무제"),
)
"""As Photoshop, GIMP and Paint name what has no name yet."""
_FILE_WORDS = _listed("""
    bild cimg dcim dcp dji document download dsc dscf dscn dscp file foto fxt gedc gopr hpim imag image images img imgp
    kif mdsc mmexport mov mvi mvimg pano photo pic picsart pict picture pxl receivedpic scan scanned screen screenshot
    sdc stp untitled vid wp
""")
"""What cameras (DCF, JEITA CP-3461), phones and programs begin a file's name with."""
_BESIDE_FILE_WORDS = _listed("""
    a alle am apr at aug bearbeitet burst copie copy cover da dec edit edited effects fb feb final from hdr in jan jul
    jun kopia kopie mar may mp night nov oct of original panorama pm portrait raw sep signal telegram um wa whatsapp
    à às
""")
_OF_A_YEAR = re.compile(r"\D+ (?:from|in|of) (?:1[89]|20)\d\d")
"""As people say when it was: "Photo from 1944"."""
_FILE_NAME = re.compile(
    r".*\.(?:jpe?g|jpe|jfif|png|tiff?|gif|bmp|webp|heic|heif|avif|psd|psb|xcf|pdf|svg|dng|cr[23w]|nef|arw|orf|rw2|raf"
    r"|mov|mp4)",
    re.IGNORECASE,
)
_CATALOGUES = "[Aa]bell|ESO|HD|HIP|IC|LBN|LDN|NGC|PGC|SAO|UGC|ngc"
"""Of stars, clusters and nebulae, which are called by their numbers there: NGC_7000."""
_DAY = r"(?:19|20)\d\d(?:[_.-]?(?:0[1-9]|1[0-2])(?:[_.-]?[0-3]\d)?)?"
"""A year, its month or its day."""
_COUNTED = re.compile(
    r"(?:[Ss]creenshot[_-]|Screencast from |bandicam |vlcsnap-|mpv-shot|ezgif-|signal-"
    r"|(?:ComfyUI|[Ff]lux|WIN)_)\d\S*(?: \d\S*)?"
    r"|[Dd][Jj][Ii]_(?:fly|mimo)_\d[\d_]*"
    r"|[A-Za-z_]+[_-](?:\d{9,}|\d{8}[_.-]\d{4,})[\d_.-]*"
    rf"|(?:[^\s/\\]+[\\/]+)*[_.-]?(?!(?:{_CATALOGUES})[_.-]?\d)[A-Za-z]{{0,5}}[_.-]?"
    rf"(?:(?!{_DAY}(?:[_.-]\d{{1,2}})?$)\d{{4,}}|\d{{3,}}(?=[A-Z]))(?:[_.-]+\d+)*[A-Z]{{0,3}}"
)
"""A few letters and a long number, as files and parts of any device are called: DSC_1234, ICM107B. What is shorter may
be a mountain or an aeroplane (K2, A380), and a year or a day may stand behind a place (Rome2024, wedding_20240506)."""

_PATH = re.compile(
    r"[A-Za-z]:[\\/].*|\\\\[^\s\\].*|~/.*|(?:\.{1,2})?/(?=\S)(?:[^/]+/)+[^/]*|(?:[^\\]+\\){2,}[^\\]*|Macintosh HD:.*"
    r"|(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S+|[Ww][Ww][Ww]\.\S+|(?:mailto:)?[^\s@]+@[^\s@]+\.[A-Za-z]+"
)
"""Of Windows (a drive, a share, folders in a row), Unix and old Macs, and addresses. A slash alone is
between words, too (AC/DC)."""

_DEFAULTS = frozenset(
    (
        *("applemark", "ascii", "binary comment", "dcf 1.0", "dcf1.0", "default", "default description", "description"),
        *("default title", "description here", "digital camera", "digital still camera", "digitalcamera", "document"),
        *("fullsizerender", "hdr", "image", "image description", "image title", "imagedescription", "img", "my image"),
        *("my photo", "my picture", "n/a", "nan", "new image", "nil", "no description", "no title", "none", "null"),
        *("photo", "picture", "receivedpic", "scan", "title", "undefined", "unknown", "user comment", "x-default"),
        *(
            "(null)",
            "image from ios",
            "jpeg",
            "jpeg image",
            "test image",
            "enter description here",
            "description of image",
        ),
        *("title here", "untitled image", "untitled photo", "untitled picture", "untitled design"),
    )
)
"""Comments that programs write by default, and what they write where there is none."""
_NUMBERED = re.compile(r"\s*\(\d+\)$")
"""The second of the same name, as browsers and file managers count them."""
_PROGRAMS = "|".join(
    (
        *("adobe", "affinity", "aviary", "b612", "beautyplus", r"camera\+", "camerabag", "canva", "capcut", "corel"),
        *("capture one", "darktable", "dxo", "facetune", "faceapp", "fotor", "gimp", "google photos", "hipstamatic"),
        *("imagej", "imagemagick", "inkscape", "instagram", "irfanview", "krita", "lightroom", "luminar", "matplotlib"),
        *("meitu", "microsoft", "midjourney", "nomacs", r"paint\.net", "paintshop", "paint shop", "photomatix"),
        *("photoscape", "photoshop", "picasa", "picmonkey", "picsart", "pixlr", "polarr", "procreate", "ptgui"),
        *("rawtherapee", "retrica", "shotwell", "sketch", "snapchat", "snapseed", "stable diffusion", "vsco(?:cam)?"),
        *("xnview", "zoner", "iphone", "ipad", "galaxy", "pixel", "huawei", "oneplus", "xiaomi", "redmi", "poco"),
        *("realme", "oppo", r"mi \d+\w*", "moldiv", "nokia", "lumia", "photo editor"),
    )
)
_GENERATORS = "|".join(
    (
        *(
            r"dall[·∙•. -]?e",
            "chatgpt",
            "midjourney",
            "stable ?diffusion",
            "sdxl",
            "dreamstudio",
            "nightcafe",
            "craiyon",
        ),
        *("adobe firefly", "bing image creator", "microsoft designer", "microsoft copilot", "imagefx", "google gemini"),
        *("google imagen", "google ai", "leonardo[ .]?ai", "ideogram[ .]ai", r"flux\.1", "krea[ .]ai", "recraft[ .]ai"),
        *("artbreeder", "grok ai", "meta ai", "openai", "ai"),
    )
)
"""Programs that make pictures of words; those that are words of every day (Firefly, Gemini, Flux) with their makers."""
_GENERATED = re.compile(
    "|".join(
        (
            rf"(?:{_GENERATORS}|grok)(?: (?:v?\d[\w.]*|xl|mini|turbo|creation|generated|generator|image|art)){{1,4}}",
            "adobe firefly|dall[·∙•. -]?e|chatgpt|midjourney|stable diffusion|bing image creator|nightcafe|craiyon",
            r"dall[·∙•. -]?e \d{4}-\d\d-\d\d\b.*",  # the words that it was given stand behind
            r"chatgpt image .*\d.*",  # the day and hour, in its user's language
            "gemini[_ ]generated[_ ]image.*",
            "(?:craiyon|image_?fx)_.*",
            r"firefly[ _]\d{8,}.*",
            r"firefly_[^_]* [^_]*_\d+",  # the words that it was given stand between
            r"grok_(?:image_|\d).*",
            # its models
            "leonardo_(?:anime|creative|diffusion|kino|lightning|lucid|phoenix|select|signature|vision)_.*",
            r"OIG\d?[._]\S+",  # Bing's
            "ai[- ]generated(?: (?:art|content|illustration|image|photo|picture))?",
            r".*[ _-][0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?:[ _-]\d+)?",  # Midjourney's
        )
    ),
    re.IGNORECASE,
)
"""What they call a picture, as they did in 2024 and 2025."""
_VERSION = (
    r"(?:v?\d[\w.]*|xl|cc|cs\d?|pro|max|ultra|plus|camera|express|lightroom|photoshop|photo|elements|designer|selfie"
    "|smart cam)"
)
_WRITTEN_WITH = (
    "(?:photo |image |picture |file )?"
    "(?:captured|created|edited|exported|generated|made|processed|produced|saved|shot|taken|written) "
    f"(?:with|by|using|in|on|from) (?:the |an? )?(?:{_PROGRAMS}|{_GENERATORS})[®™]?(?: {_VERSION}[®™]?){{0,5}}"
    r"(?: on a mac| with .{1,30} preset| \(.{0,40}\))?[.!]?"
)
"""GIMP's comment by default ("Created with GIMP on a Mac"), VSCO's ("Processed with VSCO with c1 preset"),
Photoshop 4's ("File written by Adobe Photoshop® 4.0") and their like."""
_WRITTEN_BY_PROGRAMS = re.compile(
    "|".join(
        (
            _WRITTEN_WITH,
            r"exif[_ ]jpeg[_ ]\w+",  # small cameras
            "lead technologies.*",  # LEADTOOLS
            "creator: gd-jpeg.*",  # PHP's gd
            r"(?:jpeg )?(?:encoded|compressed|optimi[sz]ed) (?:by|with|using) \S+(?: v?\d[\d.]*)?",  # JPEGmini
            r"(?:intel\(r\) jpeg library|u-?lead systems|acd systems|handmade software|lavc\d).*",  # encoders
            r"(?:file source|software|charset|encoder)\s*[:=]\s*\S+",  # of Wikimedia's and of web programs
            rf"(?:adobe |the )?(?:imageready|photoshop|lightroom|gimp|picasa|imagemagick|vsco|picsart)(?: {_VERSION})*",
            "(?:(?:hp|epson|canon|brother) )?scan(?:ned|ner)?(?: (?:image|document|picture))?",  # scanners' programs
            "<.*>",  # small cameras' "<KENOX S630  / Samsung S630>", and XML
        )
    ),
    re.IGNORECASE,
)

_TAKEN_WITH = re.compile(
    r"(?:photo |image |picture |video )?(?:captured|created|made|shot|taken) (?:with|by|using|on|from) (?:an? |the )?",
    re.IGNORECASE,
)
"""Before a device's name: GoPro's "Photo taken with GoPro HERO9 Black"."""
_MODEL = re.compile(
    rf"(?:{'|'.join(sorted(_MAKERS))})"
    r"(?: (?:[\w/-]*\d[\w/-]*|[IVX]+|air|alpha|black|camera|coolpix|cyber-shot|eos|galaxy|hero|lumix|mark|mavic|max"
    r"|mini|osmo|phantom|plus|pocket|powershot|pro|rebel|session|silver|ultra|white|xperia))*[.!]?",
    re.IGNORECASE,
)
_DATA = re.compile(
    r"""[\[{]\s*(?:[\[{]\s*)?(?:"[^"]*"|'[^']*')\s*:|<\?xml\b|<!doctype\b|<[\w:.-]+\s[^<>]*\bxmlns"""
    "|aperio (?:image|leica)",
    re.IGNORECASE,
)
"""How data begin: of a text that a program cut there is no more to go by. Aperio's slides say theirs in a row."""
_XML = re.compile(r"<(?!(?:a|b|br|div|em|font|h\d|i|p|span|strong|u)\b)[a-z_].*>", re.IGNORECASE | re.DOTALL)
"""But for words that a person set in HTML."""
_PIPED = re.compile(r"[^|]*(?:\|[\w .-]+=[^|]*){3,}")
_OF_GENERATORS = re.compile(
    r"\bSteps: \d+, (?:CFG scale|Model|Sampler|Schedule type|Seed|Size)\b|\bJob ID: [0-9a-f]{8}-"
)
"""What Stable Diffusion's web UI and Midjourney write behind the words that they were given."""

_PAIR = re.compile(r"\s*[A-Za-z_][\w.-]+\s*=[^=]*")
_VALUE = re.compile(r"=\s*(?:[-+.\d]\S*|[\"'\[{].*|true|false)?\s*$", re.IGNORECASE)
_PAIRS = re.compile(r"(?:\s*[\w-]+\s*[:=][^;:=]*;){3,}[^;]*")
"""Xiaomi's and Samsung's "filter: 0; jpegRotation: 0; module: photo; …"."""


def is_nobodys(text: str, devices: Sequence[str] = (), programs: Sequence[str] = ()) -> bool:
    """Whether a device or a program wrote the text; `devices` are the file's own Make and Model, `programs` its
    Software."""
    if _is_data(text.strip()):
        return True
    if len(text) > _LONGEST:
        return False
    line = " ".join(text.split())
    patterns = (_WRITTEN_BY_PROGRAMS, _GENERATED, _CAMERA_IN_CAPITALS, _PHONE_CODE, _COUNTED, _FILE_NAME, _PATH)
    return (
        not any(letter.isalpha() for letter in line)
        or _NUMBERED.sub("", line).casefold().strip(" .:[]<>{}$") in _DEFAULTS
        or any(pattern.fullmatch(line) for pattern in patterns)
        or _is_of_makers(line)
        or _is_of_the_file(line, devices, programs)
        or _is_taken_with(line, devices)
        or _names_a_file(line)
    )


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())


def _is_data(text: str) -> bool:
    signs = {"{}": ':"', "[]": '"[{'}.get(text[:1] + text[-1:], "")
    if any(sign in text[1:-1] for sign in signs):
        return True
    if _DATA.match(text) or (len(text) > _LONGEST and _XML.fullmatch(text)):
        return True
    if _PIPED.fullmatch(text) or _OF_GENERATORS.search(text):
        return True
    lines = text.splitlines()
    if lines and all(_PAIR.fullmatch(line) for line in lines) and any(map(_VALUE.search, lines)):
        return True
    return _PAIRS.fullmatch(text) is not None


def _is_of_makers(line: str) -> bool:
    words = set(_words(line))
    beside = _OF_DEVICES_IN_CAPITALS if line.isupper() else _OF_DEVICES
    return not words.isdisjoint(_MAKERS) and words <= _MAKERS | beside


def _is_of_the_file(line: str, devices: Sequence[str], programs: Sequence[str]) -> bool:
    """A single word only where it is a whole name: a Galaxy's owner may photograph one, and "Windows Photo Editor" may
    have shown windows. Of a program's name the beginning counts alone."""
    words, is_phrase = _words(line), " " in line
    names = [_words(each) for each in (*devices, *programs)]
    if words in names:
        return words != ["apple"]  # which no phone of theirs writes, and people photograph
    own = {word for device in devices for word in _words(device)}
    if is_phrase and not own.isdisjoint(words) and own.union(_OF_DEVICES_IN_CAPITALS).issuperset(words):
        return True
    return is_phrase and any(_words(program)[: len(words)] == words for program in programs)


def _is_taken_with(line: str, devices: Sequence[str]) -> bool:
    begun = _TAKEN_WITH.match(line)
    device = line[begun.end() :] if begun else ""
    own = [each for name in devices for each in _words(name)]
    return bool(device) and (_MODEL.fullmatch(device) is not None or {*_words(device)} <= {*own, "camera"})


def _names_a_file(line: str) -> bool:
    text = line.casefold()
    for names, name in ((_SCREENSHOTS, "screenshot"), (_UNTITLED, "untitled")):
        for each in names:
            text = text.replace(each, name)
    words = set(_words(text))
    if _OF_A_YEAR.fullmatch(text):
        return False
    telling = _FILE_WORDS if any(letter.isdigit() for letter in text) else {"screenshot", "untitled"}
    return words <= _FILE_WORDS | _BESIDE_FILE_WORDS and not words.isdisjoint(telling)
