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
    illustration,
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
