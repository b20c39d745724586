"""Things, plants and animals of the demo, drawn flat like posters."""

from __future__ import annotations

import numpy as np
from PIL import Image

from local.demo.canvas import (
    PORTRAIT,
    SQUARE,
    Paper,
    Point,
    Random,
    colour,
    disc,
    glow,
    grid,
    illustration,
    lay,
    mix,
    picture,
    ramp,
    sky,
)

Size = tuple[int, int]
_WHITE = np.ones(3)


def _curve(start: Point, bend: Point, end: Point, count: int = 24) -> list[Point]:
    """Points along a quadratic curve from `start` to `end`, drawn towards `bend`."""
    share = np.linspace(0, 1, count)
    weights = ((1 - share) ** 2, 2 * share * (1 - share), share**2)
    x = sum(weight * point[0] for weight, point in zip(weights, (start, bend, end), strict=True))
    y = sum(weight * point[1] for weight, point in zip(weights, (start, bend, end), strict=True))
    return list(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True))


@illustration(
    "Steaming cup of coffee",
    "A white cup of black coffee on a saucer, with three curls of steam before an orange circle.",
    "coffee, cup, steam, saucer, cafe, breakfast, poster, hot drink",
    "food-drink objects",
    PORTRAIT,
)
def coffee_cup(size: Size, _random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "f3d9b1")
    paper.ellipse((500, 600), 400, fill=colour("e8864a"))
    paper.rectangle(0, 1110, width, height - 1110, colour("5a3325"))
    paper.rectangle(0, 1110, width, 14, colour("714334"))
    paper.ellipse((500, 1170), 400, 74, fill=colour("3d2018"), alpha=0.6)
    paper.ellipse((500, 1148), 380, 70, fill=colour("e9e2d6"))
    paper.ellipse((500, 1140), 380, 66, fill=colour("fbf7ef"))
    paper.ellipse((500, 1144), 230, 36, fill=colour("d8cdbd"))
    paper.ring((752, 880), 122, colour("e9e2d6"), 40)
    paper.ring((750, 876), 118, colour("fbf7ef"), 30)
    side = _curve((210, 740), (220, 1080), (390, 1140))
    other = [(1000 - x, y) for x, y in reversed(side)]
    paper.polygon([*side, *other], colour("fbf7ef"))
    shade = _curve((790, 740), (780, 1080), (610, 1140))
    paper.polygon([*shade, *reversed(_curve((700, 760), (690, 1060), (540, 1140)))], colour("e6dccb"))
    paper.ellipse((500, 742), 290, 74, fill=colour("fbf7ef"))
    paper.ellipse((500, 748), 264, 60, fill=colour("d9cbb6"))
    paper.ellipse((500, 758), 252, 50, fill=colour("3a1d12"))
    paper.ellipse((440, 752), 120, 18, fill=colour("6e3d26"), alpha=0.8)
    for x, tall in ((390, 330), (500, 440), (610, 330)):
        share = np.linspace(0, 1, 60)
        for step in range(len(share) - 1):
            ends = [(x + 34 * np.sin(s * 8) * (0.3 + s), 680 - tall * s) for s in share[step : step + 2]]
            paper.line(ends, colour("fff6e6"), 20 * np.sin(np.pi * (0.06 + 0.9 * share[step])), 0.9)
    return paper.finished()


@illustration(
    "Bowl of fruit",
    "A blue bowl with two apples, oranges, a pear and grapes on a wooden table.",
    "fruit, bowl, apples, oranges, pear, grapes, still life, healthy",
    "food-drink objects",
)
def bowl_of_fruit(size: Size, _random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, picture(sky(size, "f8efe0", "f0dcc0")))
    paper.rectangle(0, 760, width, height - 760, colour("a9713f"))
    for y in (800, 858, 930):
        paper.line([(0, y), (width, y + 6)], colour("8c5a30"), 4)
    paper.ellipse((750, 930), 420, 40, fill=colour("5d3a1e"), alpha=0.5)
    for x, y, radius, tone in ((560, 480, 118, "f08a24"), (930, 470, 112, "f39a2d"), (760, 400, 116, "f5a93f")):
        paper.ellipse((x, y), radius, fill=colour(tone))
        paper.ellipse((x - 34, y - 38), radius * 0.34, radius * 0.26, fill=_WHITE, alpha=0.28)
        paper.ellipse((x + 8, y - radius * 0.62), 7, fill=colour("7a4a12"))
    pear = colour("b7c748")
    paper.ellipse((1075, 520), 96, 108, fill=pear)
    paper.ellipse((1098, 400), 54, 70, fill=pear)
    paper.polygon([(1050, 420), (1146, 420), (1160, 500), (990, 500)], pear)
    paper.line(_curve((1100, 336), (1104, 300), (1130, 284)), colour("5b3a1a"), 9)
    paper.ellipse((1044, 520), 22, 50, fill=_WHITE, alpha=0.25)
    for x, y, tone in ((420, 540, "c62f35"), (720, 560, "a8232f")):
        apple = colour(tone)
        paper.ellipse((x - 38, y), 92, 104, fill=apple)
        paper.ellipse((x + 38, y), 92, 104, fill=apple)
        paper.ellipse((x - 62, y - 36), 24, 38, fill=_WHITE, alpha=0.3)
        paper.line(_curve((x, y - 84), (x + 2, y - 126), (x + 24, y - 150)), colour("4b2e16"), 9)
        leaf = _curve((x + 12, y - 120), (x + 60, y - 182), (x + 112, y - 146))
        paper.polygon(
            [*leaf, *reversed(_curve((x + 12, y - 120), (x + 70, y - 112), (x + 112, y - 146)))], colour("4f8a3a")
        )
    for row, count in enumerate((5, 4, 3)):
        for number in range(count):
            x, y = 880 + number * 54 - row * 4 + row * 27, 560 + row * 44 - 40
            paper.ellipse((x, y), 32, fill=mix(colour("5a2a6e"), colour("7d4696"), (number + row) % 3 / 2))
            paper.ellipse((x - 10, y - 11), 8, fill=_WHITE, alpha=0.4)
    bowl = _curve((270, 610), (330, 920), (600, 925))
    paper.polygon([*bowl, *((1500 - x, y) for x, y in reversed(bowl))], colour("2f6690"))
    paper.rectangle(250, 590, 1000, 46, colour("3a7ca5"), round_by=22)
    for x in range(330, 1200, 84):
        reach = 1 - ((x - 750) / 620) ** 2
        paper.polygon(
            [(x, 690), (x + 26, 690 + 34 * reach), (x, 690 + 68 * reach), (x - 26, 690 + 34 * reach)], colour("d9e8f0")
        )
    paper.rectangle(600, 915, 300, 22, colour("24507a"), round_by=10)
    return paper.finished()


@illustration(
    "Vinyl record with a red label",
    "A black long-playing record seen from above, its grooves catching the light, with the tonearm on it.",
    "vinyl, record, music, turntable, retro, grooves, tonearm, album",
    "arts objects technology",
    SQUARE,
)
def vinyl_record(size: Size, random: Random) -> Image.Image:
    width = size[0]
    x, y = grid(size)
    far, angle = np.hypot(x + 0.06, y), np.arctan2(y, x + 0.06)
    pixels = np.zeros((size[1], width, 3)) + colour("d8c3a5")
    place = (0.5 - 0.03, 0.5)
    pixels *= 1 - 0.5 * (glow(size, (place[0] + 0.01, place[1] + 0.02), 520) * (far > 0.4))[..., None]
    shine = np.clip(np.cos(2 * (angle + 0.75)), 0, 1) ** 14 + 0.35 * np.clip(np.cos(2 * (angle + 0.2)), 0, 1) ** 30
    groove = 0.82 + 0.18 * np.sin(far * 420 + 3 * np.sin(far * 23)) + random.normal(0, 0.02, far.shape)
    gaps = np.ones_like(far)
    for radius in (0.47, 0.58, 0.69, 0.8):
        gaps *= 1 - 0.5 * np.exp(-(((far - radius) / 0.004) ** 2))
    black = (0.055 + 0.42 * shine * np.interp(far, [0.34, 0.4, 0.86, 0.89], [0.2, 1, 1, 0.4])) * groove * gaps
    pixels = lay(pixels, black[..., None] * np.array([1, 0.98, 0.96]), disc(size, place, 0.89 * width / 2))
    label = ramp(np.clip((far - 0.05) / 0.25, 0, 1), "e4572e", "c8352f")
    pixels = lay(pixels, label, disc(size, place, 0.3 * width / 2))
    paper = Paper(size, picture(pixels))
    middle = (place[0] * width, place[1] * size[1])
    paper.ring(middle, 0.285 * width / 2, colour("f5dcb0"), 4)
    for number, half in enumerate((90, 110, 70)):
        paper.rectangle(middle[0] - half / 2, middle[1] + 56 + number * 26, half, 10, colour("f5dcb0"), round_by=5)
    paper.ellipse(middle, 15, fill=colour("e8dcc8"))
    paper.ellipse((1092, 150), 72, fill=colour("4a4a50"))
    paper.ellipse((1092, 150), 54, fill=colour("8d8f96"))
    arm = [*_curve((1092, 40), (1090, 500), (1040, 720)), (905, 860)]
    paper.line(arm, colour("2a2a2e"), 22, 0.35)
    paper.line([(px - 6, py - 8) for px, py in arm], colour("d6d8dd"), 16)
    paper.polygon([(916, 818), (944, 850), (870, 914), (842, 882)], colour("2d2d33"))
    paper.ellipse((1092, 150), 24, fill=colour("d6d8dd"))
    paper.rectangle(1064, 20, 56, 70, colour("3a3a40"), round_by=8)
    return paper.finished()


@illustration(
    "Red bicycle on mint green",
    "A red city bicycle with a brown saddle and a wicker basket, seen from the side, on a mint green ground.",
    "bicycle, bike, red, cycling, basket, city, wheels, ride",
    "transport sports",
)
def red_bicycle(size: Size, _random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "bfe3d0")
    paper.ellipse((750, 470), 400, fill=colour("d6efe2"))
    paper.rectangle(0, 860, width, height - 860, colour("7fb79b"))
    paper.ellipse((750, 872), 560, 16, fill=colour("4f8a70"), alpha=0.7)
    rear, front, crank = (450.0, 640.0), (1060.0, 640.0), (690.0, 650.0)
    for middle in (rear, front):
        for angle in np.linspace(0, 2 * np.pi, 28, endpoint=False):
            rim = (middle[0] + 205 * np.cos(angle + 0.12), middle[1] + 205 * np.sin(angle + 0.12))
            paper.line([(middle[0] + 14 * np.cos(angle), middle[1] + 14 * np.sin(angle)), rim], colour("8b979b"), 2)
        paper.ring(middle, 225, colour("2b2b33"), 18)
        paper.ring(middle, 208, colour("d9dde0"), 8)
        paper.ellipse(middle, 18, fill=colour("5c646b"))
    red, seat, head = colour("d62839"), (610.0, 360.0), (975.0, 340.0)
    paper.line([(970, 270), head, (1010, 470), *_curve((1010, 470), (1030, 580), front)], red, 18)
    for line in ([rear, crank], [rear, seat], [seat, crank], [crank, (992, 420)], [seat, head]):
        paper.line(line, red, 18)
    paper.line([seat, (592, 300)], colour("b9c0c6"), 14)
    paper.polygon(
        [*_curve((510, 286), (560, 262), (690, 282)), *_curve((690, 292), (600, 300), (540, 330))], colour("6b3e26")
    )
    paper.line([*_curve((968, 280), (930, 216), (856, 240))], colour("b9c0c6"), 13)
    paper.line([(890, 232), (846, 244)], colour("6b3e26"), 22)
    paper.ellipse(crank, 58, fill=colour("3c3f46"))
    paper.ellipse(crank, 40, fill=colour("bfe3d0"))
    paper.ellipse(crank, 16, fill=colour("3c3f46"))
    for side in (-58, 58):
        paper.line([(rear[0], rear[1] + side * 0.3), (crank[0], crank[1] + side)], colour("3c3f46"), 5)
    for angle in (0.8, 0.8 + np.pi):
        end = (crank[0] + 92 * np.cos(angle), crank[1] + 92 * np.sin(angle))
        paper.line([crank, end], colour("5c646b"), 12)
        paper.rectangle(end[0] - 34, end[1] - 8, 68, 16, colour("2b2b33"), round_by=6)
    paper.polygon([(1000, 270), (1190, 270), (1160, 410), (1030, 410)], colour("b98246"))
    for row in range(4):
        paper.line([(1004 + row * 7, 300 + row * 30), (1184 - row * 7, 300 + row * 30)], colour("8f5f2e"), 5)
    for share in np.linspace(0.1, 0.9, 7):
        paper.line([(1000 + 190 * share, 270), (1030 + 130 * share, 410)], colour("8f5f2e"), 5)
    paper.rectangle(990, 260, 210, 18, colour("8f5f2e"), round_by=8)
    return paper.finished()


@illustration(
    "Piano keys",
    "Two octaves of black and white piano keys seen from above, with a red felt strip behind them.",
    "piano, keys, keyboard, music, instrument, black and white, octave",
    "arts objects",
)
def piano_keys(size: Size, _random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "17130f")
    paper.rectangle(0, 128, width, 44, colour("8c1c2b"))
    count = 14
    across = width / count
    for key in range(count):
        paper.rectangle(key * across + 2, 172, across - 4, height - 212, colour("cfc8ba"), round_by=10)
        paper.rectangle(key * across + 2, 160, across - 4, height - 230, colour("fbf8f0"), round_by=10)
        paper.rectangle(key * across + 2, 172, 7, height - 250, _WHITE)
    for row in range(34):
        paper.rectangle(0, 172 + row, width, 1, np.zeros(3), alpha=0.3 * (1 - row / 34))
    for key in range(count):
        if key % 7 in {0, 1, 3, 4, 5}:
            left = (key + 1) * across - 32
            paper.rectangle(left + 10, 172, 66, 452, np.zeros(3), alpha=0.28, round_by=8)
            paper.rectangle(left, 166, 64, 448, colour("100e0d"), round_by=7)
            paper.rectangle(left + 7, 166, 50, 412, colour("2c2927"), round_by=6)
            paper.rectangle(left + 12, 172, 8, 390, colour("5a5552"), round_by=4)
            paper.rectangle(left + 7, 566, 50, 12, colour("6a6460"), round_by=5)
    return paper.finished()


@illustration(
    "Snake plant in a terracotta pot",
    "Upright dark green leaves edged with yellow grow from a terracotta pot before a pink arch.",
    "snake plant, sansevieria, houseplant, terracotta pot, leaves, green, pink, decor",
    "plants interiors",
    PORTRAIT,
)
def snake_plant(size: Size, random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "f6e7dc")
    paper.rectangle(190, 480, 620, 1020, colour("eab3a2"))
    paper.ellipse((500, 480), 310, fill=colour("eab3a2"))
    paper.rectangle(0, 1340, width, height - 1340, colour("c98f76"))
    blades = [
        (x, tall)
        for x, tall in zip(np.linspace(-175, 175, 9), (470, 640, 560, 800, 900, 760, 620, 700, 440), strict=True)
    ]
    for offset, tall in sorted(blades, key=lambda blade: -blade[1]):
        foot, tip = 500 + offset * 0.75, (500 + offset * 1.85, 1010 - tall)
        half = random.uniform(38, 48)
        bow = offset * 0.5
        for share, tone in ((1.0, "d9c75a"), (0.72, "2f6b45")):
            left = _curve((foot - half * share, 1020), (foot - half * 1.25 * share + bow, 1010 - tall * 0.6), tip)
            right = _curve((foot + half * share, 1020), (foot + half * 1.25 * share + bow, 1010 - tall * 0.6), tip)
            paper.polygon([*left, *reversed(right)], colour(tone))
        for share in np.linspace(0.08, 0.8, 11):
            x = foot * (1 - share) ** 2 + 2 * share * (1 - share) * (foot + bow) + share**2 * tip[0]
            y = 1020 * (1 - share) ** 2 + 2 * share * (1 - share) * (1010 - tall * 0.6) + share**2 * tip[1]
            reach = half * 0.55 * (1 - share * 0.75)
            paper.line(
                [(x - reach, y + 6), (x - reach / 3, y - 5), (x + reach / 3, y + 5), (x + reach, y - 6)],
                colour("6fa06a"),
                4,
            )
    paper.ellipse((500, 1370), 250, 26, fill=colour("8a5540"), alpha=0.6)
    paper.polygon([(300, 1060), (700, 1060), (650, 1370), (350, 1370)], colour("c4623f"))
    paper.polygon([(600, 1060), (700, 1060), (650, 1370), (580, 1370)], colour("a94f31"))
    paper.rectangle(274, 1000, 452, 82, colour("d0704b"), round_by=10)
    paper.rectangle(274, 1066, 452, 16, colour("a94f31"), round_by=8)
    return paper.finished()


@illustration(
    "Shelves full of books",
    "Four wooden shelves of upright and leaning books with colourful spines.",
    "books, bookshelf, library, reading, spines, shelves, colourful, study",
    "education interiors",
)
def bookshelf(size: Size, random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "4a2f20")
    tones = [
        "b23a48",
        "2f5d62",
        "e0a458",
        "355070",
        "6d597a",
        "e9d8a6",
        "577590",
        "90a955",
        "d1603d",
        "343a40",
        "f4f1de",
    ]
    bay = height / 4
    for shelf in range(4):
        floor = (shelf + 1) * bay - 26
        paper.rectangle(0, shelf * bay, width, 40, np.zeros(3), alpha=0.3)
        x, before = 26.0, ""
        while x < width - 60:
            across, tall = random.uniform(24, 58), random.uniform(140, 204)
            tone = str(random.choice([name for name in tones if name != before]))
            before, spine, trim = tone, colour(tone), mix(colour(tone), colour("fff3d6"), 0.7)
            if tone in {"e9d8a6", "f4f1de"}:
                trim = colour("8a5a33")
            if random.random() < 0.09 and x < width - 160:
                lean = random.uniform(34, 54)
                paper.polygon(
                    [(x + lean, floor - tall), (x + lean + across, floor - tall + 10), (x + across, floor), (x, floor)],
                    spine,
                )
                x += across + lean
            else:
                paper.rectangle(x, floor - tall, across, tall, spine, round_by=4)
                paper.rectangle(x, floor - tall, 5, tall, _WHITE, alpha=0.16)
                paper.rectangle(x + across - 6, floor - tall, 6, tall, np.zeros(3), alpha=0.2)
                kind = random.integers(3)
                if kind == 0:
                    for share in (0.1, 0.16, 0.82):
                        paper.rectangle(x, floor - tall * (1 - share), across, 5, trim)
                elif kind == 1:
                    paper.rectangle(x + across * 0.25, floor - tall * 0.85, across * 0.5, tall * 0.42, trim, round_by=3)
                else:
                    paper.rectangle(x + across * 0.42, floor - tall * 0.8, across * 0.16, tall * 0.55, trim)
                    paper.ellipse((x + across / 2, floor - tall * 0.12), across * 0.16, fill=trim)
            x += across + random.uniform(0, 3) + (random.uniform(30, 80) if random.random() < 0.05 else 0)
        paper.rectangle(0, floor, width, 26, colour("9c6b43"))
        paper.rectangle(0, floor + 20, width, 6, colour("6f4729"))
    for x in (0, width - 24):
        paper.rectangle(x, 0, 24, height, colour("8a5c39"))
    return paper.finished()


@illustration(
    "Owl on a branch at night",
    "A brown owl with large yellow eyes sits on a bare branch before a pale full moon.",
    "owl, bird, night, moon, branch, eyes, wildlife, animal",
    "animals nature",
    PORTRAIT,
)
def owl_on_a_branch(size: Size, random: Random) -> Image.Image:
    width = size[0]
    pixels = sky(size, "101a3a", "2a3f6f", "4d6a8f")
    pixels += glow(size, (0.5, 0.42), 420)[..., None] * 0.3
    paper = Paper(size, picture(pixels, random))
    for _ in range(90):
        star = (random.uniform(0, width), random.uniform(0, 1000))
        paper.ellipse(star, random.uniform(1, 3), fill=_WHITE, alpha=0.8)
    paper.ellipse((500, 630), 400, fill=colour("f3ecd2"))
    for x, y, radius in ((330, 440, 60), (700, 520, 44), (250, 700, 36), (760, 800, 52), (620, 330, 30)):
        paper.ellipse((x, y), radius, fill=colour("e2d8b8"))
    bark = colour("1d1512")
    paper.polygon([(0, 1130), (420, 1100), (1000, 1020), (1000, 1076), (430, 1166), (0, 1210)], bark)
    paper.line([(700, 1080), (800, 960), (900, 900)], bark, 22)
    paper.line([(800, 960), (810, 860)], bark, 12)
    paper.line([(180, 1130), (90, 1010), (40, 960)], bark, 18)
    dark, brown, pale = colour("4a2f1f"), colour("7a5134"), colour("dcc09a")
    paper.polygon([(440, 1080), (560, 1070), (540, 1300), (500, 1330), (460, 1300)], dark)
    paper.ellipse((500, 830), 215, 300, fill=brown)
    paper.polygon([(312, 590), (330, 400), (450, 500)], brown)
    paper.polygon([(688, 590), (670, 400), (550, 500)], brown)
    paper.ellipse((500, 620), 206, 170, fill=brown)
    paper.ellipse((500, 890), 140, 210, fill=pale)
    for row in range(7):
        for column in range(-2, 3):
            x, y = 500 + column * 48 + (24 if row % 2 else 0), 770 + row * 44
            if ((x - 500) / 125) ** 2 + ((y - 890) / 190) ** 2 < 1:
                paper.line(_curve((x - 16, y), (x, y + 26), (x + 16, y)), brown, 6)
    for side in (-1, 1):
        wing = _curve((500 + side * 175, 690), (500 + side * 275, 900), (500 + side * 120, 1110))
        paper.polygon(
            [*wing, *reversed(_curve((500 + side * 175, 690), (500 + side * 110, 880), (500 + side * 120, 1110)))], dark
        )
        eye = (500 + side * 88, 610)
        paper.ellipse(eye, 92, fill=pale)
        paper.ellipse(eye, 66, fill=colour("f2b705"))
        paper.ellipse(eye, 38, fill=colour("14100d"))
        paper.ellipse((eye[0] - 14, eye[1] - 16), 11, fill=_WHITE)
        for toe in (-34, 0, 34):
            paper.ellipse((500 + side * 75 + toe, 1108 - side * 8), 17, 30, fill=colour("d99a2b"))
    paper.polygon([(470, 650), (530, 650), (500, 722)], colour("d99a2b"))
    return paper.finished()


@illustration(
    "Circuit board with a processor",
    "Golden traces run from a square processor to round contact points and over the edges of a green board.",
    "circuit board, processor, chip, electronics, traces, computer, hardware, green",
    "technology",
)
def circuit_board(size: Size, random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "0c3b2e")
    for x in range(0, width, 50):
        paper.line([(x, 0), (x, height)], colour("0f4535"), 2)
    for y in range(0, height, 50):
        paper.line([(0, y), (width, y)], colour("0f4535"), 2)
    middle, half, pins = (750.0, 500.0), 170.0, 12
    gold = colour("d9b24c")
    for side in range(4):
        turn = np.array([[0, -1], [1, 0]]) if side % 2 else np.eye(2)
        turn = turn * (1 if side < 2 else -1)
        room = (width if side % 2 == 0 else height) / 2
        for pin in range(pins):
            offset = (pin - (pins - 1) / 2) * 26
            # the outer traces bend first, so that no two of them cross
            bend = half + 40 + (1 - abs(offset) / 150) * 90
            spread = offset * (2.6 if side % 2 == 0 else 3.4)
            end = room - random.uniform(30, 90)
            slope = abs(spread - offset)
            places = [
                (half, offset),
                (bend, offset),
                (min(bend + slope, end), spread),
                (max(end, bend + slope), spread),
            ]
            points = [
                (float(p[0]) + middle[0], float(p[1]) + middle[1]) for p in (turn @ np.array(at) for at in places)
            ]
            paper.line(points, gold, 5)
            paper.ellipse(points[-1], 13, fill=gold)
            paper.ellipse(points[-1], 6, fill=colour("0c3b2e"))
            foot = turn @ np.array([half + 4, offset]) + middle
            paper.rectangle(foot[0] - 9, foot[1] - 9, 18, 18, colour("cfd4d8"), round_by=3)
    for x, y, tall in ((150, 150, 70), (1340, 160, 90), (170, 850, 90), (1330, 840, 70)):
        paper.rectangle(x - 60, y - tall / 2, 120, tall, colour("16181c"), round_by=6)
        for leg in range(5):
            for edge in (-1, 1):
                paper.rectangle(x - 50 + leg * 22, y + edge * (tall / 2 + 6) - 6, 10, 12, colour("cfd4d8"))
        paper.ellipse((x - 44, y), 6, fill=colour("5b6068"))
    paper.rectangle(middle[0] - half, middle[1] - half, 2 * half, 2 * half, colour("1b1d22"), round_by=14)
    paper.rectangle(middle[0] - 118, middle[1] - 118, 236, 236, colour("8d949c"), round_by=10)
    paper.rectangle(middle[0] - 108, middle[1] - 108, 216, 216, colour("b4bbc2"), round_by=8)
    paper.ellipse((middle[0] - 144, middle[1] - 144), 9, fill=colour("d9b24c"))
    for row, across in enumerate((120, 80)):
        paper.rectangle(middle[0] - across / 2, middle[1] - 22 + row * 34, across, 14, colour("7a818a"), round_by=6)
    return paper.finished()


@illustration(
    "Birthday cake with five candles",
    "A two-tier pink and cream cake with five burning candles, under a row of bunting, with confetti around it.",
    "birthday, cake, candles, party, celebration, bunting, confetti, pink",
    "holidays food-drink",
    SQUARE,
)
def birthday_cake(size: Size, random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, "8fd3e0")
    tones = ["ff5d8f", "ffd23f", "3bceac", "7b5ea7", "ffffff", "ff8c42"]
    for _ in range(150):
        x, y, turn = random.uniform(0, width), random.uniform(200, 960), random.uniform(0, np.pi)
        reach = np.array([np.cos(turn), np.sin(turn)]) * 11
        paper.line([(x - reach[0], y - reach[1]), (x + reach[0], y + reach[1])], colour(str(random.choice(tones))), 9)
    string = _curve((-20, 60), (600, 250), (1220, 60), 200)
    paper.line(string, colour("4a3f55"), 4)
    for flag in range(9):
        x, y = string[10 + flag * 20]
        after = string[24 + flag * 20]
        tone = colour(tones[flag % len(tones)])
        paper.polygon([(x, y), after, ((x + after[0]) / 2, (y + after[1]) / 2 + 90)], tone)
    paper.rectangle(0, 980, width, height - 980, colour("f7f3ee"))
    paper.rectangle(0, 980, width, 12, colour("ddd3ca"))
    paper.ellipse((600, 1050), 440, 46, fill=colour("c9bdb2"))
    paper.ellipse((600, 1036), 430, 44, fill=colour("fffdf8"))
    for left, top, across, tall, body, icing in (
        (250, 740, 700, 290, "ff9ebb", "fff4e0"),
        (370, 510, 460, 240, "fff0d4", "ff6f9c"),
    ):
        paper.rectangle(left, top, across, tall, colour(body), round_by=24)
        paper.rectangle(left, top, across, 58, colour(icing), round_by=24)
        drops = int(across / 58)
        for drop in range(drops):
            x = left + (drop + 0.5) * across / drops
            long = 62 + 34 * ((drop * 7) % 4) / 3
            paper.rectangle(x - 21, top + 24, 42, long, colour(icing), round_by=21)
        for dot in range(drops):
            x = left + (dot + 0.5) * across / drops
            paper.ellipse((x, top + tall - 26), 15, fill=colour(tones[dot % len(tones)]))
        paper.rectangle(left + across - 60, top, 60, tall, np.zeros(3), alpha=0.07, round_by=24)
    for number, x in enumerate(np.linspace(430, 770, 5)):
        paper.rectangle(
            x - 11, 400, 22, 116, colour(("ff5d8f", "3bceac", "7b5ea7", "ff8c42", "2f7fb8")[number]), round_by=4
        )
        for stripe in range(4):
            y = 414 + stripe * 26
            paper.line([(x - 10, y + 10), (x + 10, y)], _WHITE, 5, 0.85)
        paper.line([(x, 402), (x, 384)], colour("4a3f55"), 4)
        paper.ellipse((x, 352), 48, fill=colour("ffe88a"), alpha=0.3)
        flame = _curve((x, 312), (x + 30, 366), (x, 390))
        paper.polygon([*flame, *((2 * x - px, py) for px, py in reversed(flame))], colour("ffb627"))
        paper.ellipse((x, 374), 6, 11, fill=colour("fff6c8"))
    return paper.finished()
