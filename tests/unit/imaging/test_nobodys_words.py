"""What devices and programs write into a file is no title; what people write is one."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from imagemarket.imaging.metadata import description_of
from imagemarket.imaging.nobodys_words import is_nobodys
from tests.described import CAPTION, TITLE, alternatives, with_iptc, xmp

NOBODYS = [
    *("SAMSUNG", "Samsung", "KODAK Action Cam", "ICM107B", "Created with GIMP", "Processed with VSCO with c1 preset"),
    *("cof_vivid", "dav_soft", "oznorCO", "rbt", "fdr", "nor", "rhdr", "edf", "cof", "oznor", "sdr", "mde"),
    *("Exif_JPEG_420", "Exif_JPEG_PICTURE", "LEAD Technologies Inc. V1.01", "Minolta DSC", "SONY DSC", "AppleMark"),
    *("Screenshot_2024-05-01-10-15-03", "Screen Shot 2024-05-01 at 10.15.03 AM", "Screenshot", "untitled-1"),
    *("ImageJ=1.53", "ImageJ=1.53t\nimages=3\nslices=3\nloop=false", '{"shape": [480, 640, 3]}', "[[1, 2], [3: 4]]"),
    *("OLYMPUS DIGITAL CAMERA", " DIGITAL CAMERA", "TRAVELER DIGITAL CAMERA", "SAMSUNG CAMERA PICTURES", "DCF 1.0"),
    *("DSC_1234", "DSC00006", "IMG_20240101_121212", "IMG-20240101-WA0001", "PXL_20240101_101010123.PORTRAIT"),
    *("WhatsApp Image 2024-01-01 at 10.10.10", "P6260031", "Scan 12", "Photo 3", "IMG_0042.jpg", "000001", "null"),
    *("DCIM\\100MEDIA\\DJI_0012.JPG", "My picture.jpg", "sunset.jpg", "_MG_1234", "100_0042", "GOPR0123", "MVIMG_2019"),
    *(
        "Bildschirmfoto 2024-05-01 um 10.15.03",
        "Capture d\u2019écran 2024-05-01 à 10.15.03",
        "Снимок экрана 2024-05-01",
    ),
    *(
        "スクリーンショット 2024-05-01 10.15.03",
        "Unbenannt-1",
        "Sans titre-1",
        "名称未設定-1",
        "Untitled",
        "Untitled 2",
    ),
    *("CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90", "File written by Adobe Photoshop® 4.0"),
    *(
        "Created with GIMP on a Mac",
        "Created with The GIMP",
        "Edited with Snapseed",
        "Made with Canva",
        "Shot on OnePlus",
    ),
    *("Adobe Photoshop CS6", "Picasa", "<KENOX S630  / Samsung S630>", "default", "Image Description", "x-default"),
    *("filter: 0; jpegRotation: 0; module: photo; hw-remosaic: false;", "Software: gnuplot", "Scanned Document"),
    *("<?xml version='1.0'?><OME/>", "  ", "2024", "…", "Optimized by JPEGmini 3.18", "Image 1 of 3", "E5200"),
    *("Screenshot from 2024-05-01 10-15-03", "Screenshot_20240501-101503_Chrome", "FB_IMG_1600000000", "cof_16_9"),
    *("received_1234567890", "PicsArt_05-01-10.10.10", "dji_fly_20240101", "Image from iOS", "hdrpl", "btfhdr"),
    *("Photo Jan 01, 10 10 10 AM", "Samsung Techwin", "Created with Nokia Smart Cam", "[title]", "Image Description:"),
    *(
        "vlcsnap-2020-05-06-07h08m09s123",
        "mpv-shot0001",
        "WIN_20200506_07_08_09_Pro",
        "ComfyUI_00001_",
        "ezgif-4-abc12",
    ),
    *("Photo taken with GoPro HERO9 Black", "Shot on Canon EOS 5D Mark IV", "Taken with a Nikon D850", "Shot on Leica"),
    "a cat, masterpiece\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512",
    "Steps: 20, Sampler: Euler a" + " word" * 1000,
    "Aperio Image Library v10.0.51\r\n46920x33014 [0,100 46000x32914] (256x256) JPEG/RGB Q=30|AppMag = 20",
    "A slide\n46920x33014|AppMag = 20|StripeWidth = 2040|Date = 12/29/09|Time = 09:59:15|User = b414" + "x" * 300,
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org"' + " x" * 200,
    "<scan>" + "<part>12</part>" * 50 + "</scan>",
    '{"prompt": "a cat", ' + '"a": 1, ' * 1000 + '"b": 2}',
    '[{"prompt": "a cat", ' + '"a": 1, ' * 50,
    *("IMG_1234 copy", "Copy of IMG_1234", "DSC_0123-HDR-Pano", "Untitled_Panorama1", "2024-01-01 10.10.10"),
]
SOMEBODYS = [
    *("Sony building at night", "Created with love", "Samsung Galaxy phone on a table", "Boats on a lake", "Café"),
    *(
        "Nikon camera",
        "Vintage Leica camera",
        "My first digital camera",
        "A Kodak moment",
        "Canon in D",
        "Olympus Mons",
    ),
    *("K2", "A380", "B-52 over the sea", "Boeing 747", "Rome2024", "Paris 2024", "Route 66", "Apollo 11", "MP3 player"),
    *("Untitled (study in blue)", "Untitled landscape", "Photo of my mother", "Picture of Dorian Gray", "Portrait"),
    *("Scan of an old map", "Image of a fox", "Screenshot of a terminal", "Default settings of a lathe", "Portrait 3"),
    *(
        "Made in Canada",
        "Made by hand",
        "Taken by surprise",
        "Made with real butter",
        "Shot in Berlin",
        "Edited by Ada",
    ),
    *("Taken with my iPhone in Rome", "Taken from the Galaxy Tower", "Created with wood", "Processed with care"),
    *("Processed cheese", "Produced by farmers", "E = mc²", "love=life", "1 + 1 = 2 apples", "Norse gods", "North"),
    *("Norway", "Dave", "Editor", "Nordic light", "Hdr nights at the pier", "File cabinets", "Dock 1234 at dawn"),
    *("Titel - Kyra", "mit blauem Kleid", "The Title (ref2019.1)", "Kayak on a mountain lake", "Tree in autumn"),
    *("二月の雪", "富士山", "Закат над морем", "غروب الشمس", "שקיעה", "Ζάκυνθος", "한강", "क्षितिज", "雪"),
    *("Opus 1812", "Apple", "Apples", "Pixel art", "Windows", "Microsoft campus", "Instagram wall", "Dump of data"),
    *(
        "Gimp mask",
        "Sketch of a cat",
        "Adobe houses in Taos",
        "Picasa Hotel",
        "Description of a Struggle",
        "P",
        "No. 5",
    ),
    *("Note: the sea; the sky; the land", "Rain [wet street]", "Berlin, 1.5.2024", "Trust", "Honor", "Sharp edges"),
    *(
        "Photo from Jan",
        "Image from the moon",
        "Nokia at dawn",
        "A test image of mine",
        "Sam 1999",
        "Screenshot-like wall",
        "May 2024",
    ),
    *(
        "Taken with my Nikon D850",
        "Shot on a Leica in Rome",
        "Made by Ricoh workers",
        "Taken with love",
        "Taken by Sony men",
    ),
    *("Steps: 20 of them, sampled", "Lake | sky | tree | sea", "<3 Paris", "{Lake}", "Windy", "signal-box 12"),
    "<p>" + "A lake at dawn. " * 30 + "</p>",
    *("Jane's photo", "Scanned by light", "Pano over 12 hills", "Sam", "Sam and Pat 1999", "Media city 2020", "Vivo"),
]


@pytest.mark.parametrize("text", NOBODYS)
def test_what_devices_and_programs_write_is_nobodys_wherever_it_stands(text: str) -> None:
    assert is_nobodys(text)


@pytest.mark.parametrize("text", SOMEBODYS)
def test_what_people_write_is_theirs(text: str) -> None:
    assert not is_nobodys(text, ("Apple", "iPhone 12"), ("Adobe Photoshop 21.0 (Windows)",))


@pytest.mark.parametrize(
    ("text", "make", "model", "software"),
    [
        ("Trust Gemini", "Trust.", "Gemini11", ""),
        ("HONOR", "Honor", "ANY-LX1", ""),
        ("iPhone 12", "Apple", "iPhone 12 Pro", ""),
        ("Sharp digital camera", "SHARP", "", ""),
        ("RICOH GR III", "RICOH IMAGING COMPANY, LTD.", "RICOH GR III", ""),
        ("Polarr Photo Editor", "", "", "Polarr Photo Editor 5.10"),
    ],
)
def test_what_is_made_of_the_names_of_device_and_program_is_nobodys(
    text: str, make: str, model: str, software: str
) -> None:
    assert is_nobodys(text, (make, model), (software,))
    assert not is_nobodys(f"{text} beside the window", (make, model), (software,))


@pytest.mark.parametrize("text", ["Galaxy", "Windows", "Desire", "Galaxies"])
def test_one_word_of_a_longer_name_may_be_what_a_picture_shows(text: str) -> None:
    assert not is_nobodys(text, ("samsung", "Galaxy S21", "HTC Desire"), ("Windows Photo Editor 10.0",))


def _jpeg(**options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "teal").save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("text", ["SONY DSC", "untitled-1", "Created with GIMP", "HONOR"])
def test_title_and_description_of_exif_iptc_and_xmp_are_held_to_it_alike(text: str) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x010F] = text, "Honor"
    described = f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>'
    packet = xmp(alternatives(x_default=text) + described, attributes=f'photoshop:Headline="{text}"')
    every = with_iptc(_jpeg(exif=exif, xmp=packet), (TITLE, text.encode()), (CAPTION, text.encode()))
    found = description_of(io.BytesIO(every))
    assert (found.title, found.description) == (None, None)
    person = with_iptc(_jpeg(exif=exif, xmp=packet), (TITLE, b"Red boats"), (CAPTION, b"Two of them."))
    found = description_of(io.BytesIO(person))
    assert (found.title, found.description) == ("Red boats", "Two of them.")


@pytest.mark.parametrize("length", [10, 190, 200, 300, 2000, 6000, 30_000])
def test_data_are_told_before_a_text_is_cut(length: int) -> None:
    exif = Image.Exif()
    for data in ('{"a": "' + "x" * length + '"}', '<?xml version="1.0"?><OME>' + "x" * length + "</OME>"):
        exif[0x010E] = data
        text = data.replace("<", "&lt;")
        described = f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>'
        for file in (
            _jpeg(exif=exif),
            _jpeg(xmp=xmp(alternatives(x_default=text) + described)),
            with_iptc(_jpeg(), (TITLE, data.encode()), (CAPTION, data.encode())),
        ):
            found = description_of(io.BytesIO(file))
            assert (found.title, found.description) == (None, None)
    both = with_iptc(_jpeg(xmp=xmp(alternatives(x_default=text))), (TITLE, b"boat " * 100), (CAPTION, b"boat " * 1000))
    found = description_of(io.BytesIO(both))
    assert (found.title, found.description) == (("boat " * 40).strip(), ("boat " * 400).strip())


@pytest.mark.parametrize(
    "part",
    [
        "[ ",
        "{",
        "taken with nikon ",
        "| a",
        "|a=b",
        "<a ",
        '{"',
        "Steps: 1, ",
        "a",
        "DSC_",
        "a=1;",
        "a:",
        "1 ",
        "created with gimp ",
        "\\",
        "_1",
        "nor",
        "x/",
        "[",
        "-",
    ],
)
def test_hostile_texts_take_no_time(part: str) -> None:
    began = time.process_time()
    for text in (part * 700, part * 60, f"{part * 60}!", f"shot on gimp {part * 60}"):
        is_nobodys(text * 5)
        is_nobodys(text[:2000])
        is_nobodys(text[:200])
    assert time.process_time() - began < 5
