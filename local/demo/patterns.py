"""Patterns and ornaments of the demo."""

from __future__ import annotations

import numpy as np
from PIL import Image

from local.demo.canvas import (
    SQUARE,
    Paper,
    Random,
    colour,
    grid,
    illustration,
    noise,
    picture,
    ramp,
)

Size = tuple[int, int]


@illustration(
    "Truchet tiles in navy and coral",
    "Quarter circles on square tiles, turned at random, join into winding ribbons of coral and sand on navy.",
    "truchet, tiles, geometric, ribbons, curves, maze, navy, coral",
    "abstract backgrounds",
    SQUARE,
)
def truchet_tiles(size: Size, random: Random) -> Image.Image:
    width, height = size
    side = 120
    y, x = np.mgrid[:height, :width].astype(np.float64) + 0.5
    turned = random.random((height // side, width // side)) < 0.5
    u, v = x % side / side, y % side / side
    u = np.where(turned[(y // side).astype(int), (x // side).astype(int)], 1 - u, u)
    nearest = np.minimum(np.hypot(u, v), np.hypot(1 - u, 1 - v))
    off = np.abs(nearest - 0.5)
    along = (x / width + y / height) / 2
    ribbon = ramp(along, "ff6f59", "f7a278", "f4d9a8")
    pixels = np.zeros((height, width, 3)) + colour("14213d")
    for reach, shade in (
        (0.21, colour("0b1428")),
        (0.17, ribbon),
        (0.055, colour("14213d")),
        (0.025, ribbon * 0.5 + 0.5),
    ):
        mask = np.clip((reach - off) * side, 0, 1)[..., None]
        pixels = pixels * (1 - mask) + shade * mask
    return picture(pixels)


@illustration(
    "Flow field of coloured threads",
    "Hundreds of thin threads in blue, rose and amber drift along an invisible current on a dark ground.",
    "flow field, lines, threads, generative art, curves, motion, abstract",
    "abstract arts",
)
def flow_field(size: Size, random: Random) -> Image.Image:
    width, height = size
    turn = noise(size, random, 2, 2) * 2.6 * np.pi
    paper = Paper(size, "0e1320")
    tones = ["3d7ea6", "5ec2c2", "e8788a", "f2b263", "f4ead5", "7a6bb8"]
    count, steps = 1300, 46
    at = np.column_stack([random.uniform(-40, width + 40, count), random.uniform(-40, height + 40, count)])
    start, trail = at.copy(), [at.copy()]
    for _ in range(steps):
        columns = np.clip(at[:, 0], 0, width - 1).astype(int)
        rows = np.clip(at[:, 1], 0, height - 1).astype(int)
        angle = turn[rows, columns]
        at += 7 * np.column_stack([np.cos(angle), np.sin(angle)])
        trail.append(at.copy())
    threads = np.stack(trail, axis=1)
    for number in range(count):
        share = np.clip(start[number, 0] / width + random.normal(0, 0.12), 0, 0.999)
        tone = colour(tones[int(share * len(tones))])
        points = [(float(x), float(y)) for x, y in threads[number]]
        paper.line(points, tone, random.choice([1.2, 1.8, 3.2]), random.uniform(0.45, 0.9))
    return paper.finished()


@illustration(
    "Halftone ball on yellow",
    "A ball shaded with black halftone dots on a bright yellow ground, in the manner of printed comics.",
    "halftone, dots, pop art, comic, sphere, print, yellow, retro",
    "abstract signs-symbols",
    SQUARE,
)
def halftone_ball(size: Size, _random: Random) -> Image.Image:
    x, y = grid(size)
    u, v = x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6), -x * np.sin(np.pi / 6) + y * np.cos(np.pi / 6)
    pitch = 0.034
    cell_u, cell_v = np.round(u / pitch) * pitch, np.round(v / pitch) * pitch
    # the tone is that of the middle of the dot's cell, so that every dot stays round
    at_x = cell_u * np.cos(np.pi / 6) - cell_v * np.sin(np.pi / 6)
    at_y = cell_u * np.sin(np.pi / 6) + cell_v * np.cos(np.pi / 6)
    radius, middle = 0.66, -0.06
    z = np.sqrt(np.clip(radius**2 - at_x**2 - (at_y - middle) ** 2, 0, None))
    lit = np.clip((-0.5 * at_x - 0.6 * (at_y - middle) + 0.62 * z) / radius, 0, 1)
    shadow = np.exp(-(((at_x - 0.16) / 0.6) ** 2 + ((at_y - 0.68) / 0.1) ** 2)) * 0.75
    on_ball = np.hypot(x, y - middle) < radius
    reach = np.sqrt(np.where(on_ball, (1 - lit) ** 1.4 * 0.92, shadow)) * pitch * 0.72
    dots = np.clip((reach - np.hypot(u - cell_u, v - cell_v)) * size[0] / 2 + 0.5, 0, 1)[..., None]
    ball = np.clip((radius - np.hypot(x, y - middle)) * size[0] / 2 + 0.5, 0, 1)[..., None]
    ground = colour("ffd60a") * (1 - ball) + colour("ff4d6d") * ball
    return picture(ground * (1 - dots) + colour("16120e") * dots)


@illustration(
    "Marbled paper in indigo and gold",
    "Swirling bands of indigo, teal, cream and gold, like the endpapers of an old book.",
    "marbling, marbled paper, swirls, ink, indigo, gold, endpaper, fluid",
    "backgrounds abstract arts",
)
def marbled_paper(size: Size, random: Random) -> Image.Image:
    x, y = grid(size)
    # every bend is taken at the place the one before led to, which curls the bands
    for strength, cells in ((0.9, 2), (0.5, 4), (0.16, 9)):
        across, down = noise(size, random, cells, 2) - 0.5, noise(size, random, cells, 2) - 0.5
        x, y = x + strength * (across + 0.35 * np.sin(4 * y)), y + strength * (down + 0.35 * np.sin(4 * x))
    bands = y * 1.5 + 0.5 * x
    vein = np.abs((bands * 2) % 1 - 0.5) * 2
    tone = ramp(
        bands % 1, "16205c", "16205c", "1f5d7a", "4fb0ae", "f3e7cb", "f3e7cb", "d79a2b", "8c2f39", "2a1d52", "16205c"
    )
    gold = np.clip((0.09 - vein) * 22, 0, 1)[..., None]
    pixels = tone * (1 - gold) + colour("f6d27c") * gold
    return picture(pixels * (0.93 + 0.1 * noise(size, random, 90, 2))[..., None], random)


@illustration(
    "Seamless Japanese wave pattern",
    "Overlapping fans of concentric arcs, called seigaiha, in blues with a few in gold; the tile repeats in both ways.",
    "seigaiha, waves, seamless pattern, japanese, arcs, scales, blue, textile",
    "backgrounds abstract",
    SQUARE,
)
def seigaiha_waves(size: Size, random: Random) -> Image.Image:
    height = size[1]
    radius, rows, columns = 100, 24, 6
    paper = Paper(size, "f5f0e2")
    blues = ["12355b", "1f5f8b", "3c8dbc", "174a73", "66a9c9"]
    tones = random.choice(blues, (rows, columns))
    tones[random.random((rows, columns)) < 0.09] = "c9972f"
    for row in range(-2, rows + 3):
        for column in range(-1, columns + 1):
            x = column * 2 * radius + (radius if row % 2 else 0)
            y = row * height / rows + radius / 2
            tone = colour(str(tones[row % rows, column % columns]))
            for reach, shade in ((1, colour("f5f0e2")), (0.94, tone), (0.72, colour("f5f0e2")), (0.66, tone)):
                paper.ellipse((x, y), radius * reach, fill=shade)
            paper.ellipse((x, y), radius * 0.44, fill=colour("f5f0e2"))
            paper.ellipse((x, y), radius * 0.38, fill=tone)
    return paper.finished()
