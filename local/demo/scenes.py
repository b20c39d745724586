"""Landscapes, skies, seas and cities of the demo."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from local.demo.canvas import (
    PORTRAIT,
    SQUARE,
    Array,
    Paper,
    Random,
    below,
    colour,
    disc,
    glow,
    grid,
    illustration,
    lay,
    mix,
    noise,
    picture,
    ramp,
    ridge,
    sky,
)

Size = tuple[int, int]


def _ranges(
    pixels: Array, random: Random, *, far: str, near: str, count: int, top: float, bottom: float, roughness: float
) -> Array:
    """Ridges one behind the other, paler with distance, mist at the foot of each."""
    height, width = pixels.shape[:2]
    size = (width, height)
    for number in range(count):
        share = number / max(1, count - 1)
        middle = (top + (bottom - top) * share) * height
        line = middle + ridge(width, random, roughness, waves=14) * height * (0.06 + 0.05 * share)
        shade = mix(colour(far), colour(near), share)
        down = np.clip((np.arange(height)[:, None] - line[None, :]) / (0.22 * height), 0, 1)[..., None]
        body = shade * (1 - 0.35 * down * (1 - share)) + colour(far) * 0.35 * down * (1 - share)
        pixels = lay(pixels, body, below(size, line))
    return pixels


def _stars(pixels: Array, random: Random, count: int, lowest: float = 1.0) -> Array:
    height, width = pixels.shape[:2]
    light = np.zeros((height, width))
    rows = random.integers(2, max(3, int(height * lowest) - 2), count)
    columns = random.integers(2, width - 2, count)
    brightness = random.power(0.35, count)
    light[rows, columns] = brightness
    large = brightness > 0.93
    for row, column in zip(rows[large], columns[large], strict=True):
        light[row - 1 : row + 2, column - 1 : column + 2] = 0.9
    soft = Image.fromarray((light * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    return pixels + np.clip(np.asarray(soft)[..., None] / 255 * 2.2, 0, 1) * np.array([0.95, 0.97, 1.0])


def _pines(paper: Paper, random: Random, base: float, tall: float, shade: Array, count: int) -> None:
    width = paper.size[0]
    for x in np.sort(random.uniform(-20, width + 20, count)):
        height = tall * random.uniform(0.6, 1.15)
        foot = base + random.uniform(-0.05, 0.08) * tall
        paper.rectangle(x - height * 0.015, foot - height * 0.2, height * 0.03, height * 0.4, shade)
        tiers = 7
        for tier in range(tiers):
            top = foot - height + tier * height * 0.125
            half = height * (0.035 + 0.028 * tier)
            paper.polygon([(x, top), (x - half, top + height * 0.21), (x + half, top + height * 0.21)], shade)


@illustration(
    "Layered mountains at sunrise",
    "Seven mountain ridges fade into a peach sky with the sun just above the peaks.",
    "mountains, sunrise, ridges, mist, orange, layers, landscape",
    "nature backgrounds",
)
def mountains_at_sunrise(size: Size, random: Random) -> Image.Image:
    pixels = sky(size, "3b4a7a", "c9738a", "f6b48f", "fde6c0")
    pixels = pixels + glow(size, (0.64, 0.42), 260)[..., None] * np.array([0.5, 0.32, 0.12])
    pixels = lay(pixels, np.ones(3) * np.array([1, 0.95, 0.82]), disc(size, (0.64, 0.42), 62))
    pixels = _ranges(pixels, random, far="e9a79a", near="2a1b3d", count=7, top=0.5, bottom=0.93, roughness=0.8)
    return picture(pixels, random)


@illustration(
    "Blue mountains in the mist",
    "Cool blue ridges one behind the other, with pine trees standing in the foreground.",
    "mountains, blue, mist, fog, pine trees, calm, landscape",
    "nature",
    PORTRAIT,
)
def blue_mountains(size: Size, random: Random) -> Image.Image:
    pixels = sky(size, "dfeaf3", "c2d8e8", "a9c6dc")
    pixels = _ranges(pixels, random, far="b4cde0", near="1d3f5f", count=6, top=0.3, bottom=0.85, roughness=0.7)
    paper = Paper(size, picture(pixels, random))
    _pines(paper, random, size[1] * 0.97, 330, colour("12293f"), 26)
    return paper.finished()


@illustration(
    "Desert dunes at dusk",
    "Smooth sand dunes with sharp crests, lit from the left by a low sun.",
    "desert, dunes, sand, dusk, warm, curves, landscape",
    "nature travel",
)
def desert_dunes(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = sky(size, "44356b", "b0587a", "f29e6d", "ffd9a0")
    pixels = lay(pixels, np.ones(3) * np.array([1, 0.87, 0.66]), disc(size, (0.2, 0.38), 54))
    x = np.linspace(0, 1, width)
    rows = np.arange(height)[:, None]
    for number in range(5):
        start, rise, phase = 0.44 + 0.12 * number, 0.05 + 0.025 * number, random.uniform(0, 6)
        crest = (start - rise * (1 - np.abs(np.sin(x * (2.6 + 0.5 * number) + phase))) ** 1.3 * 1.7) * height
        depth = np.clip(rows - crest, 0, None)
        # the edge between light and shade winds from the peak down to the foot of the dune
        columns = np.arange(width) - 0.7 * depth - 30 * np.sin(depth / 55)
        slope = np.interp(columns, np.arange(width), np.gradient(crest))
        lit = np.clip(0.5 - slope * 1.6, 0, 1)
        ripple = (
            0.025 * np.sin(rows * 0.35 + 9 * np.sin(x * 22 + number)[None, :]) * np.clip((rows - crest) / 260, 0, 1)
        )
        tone = np.clip(lit * 0.75 + ripple + 0.2 - (rows - crest) / height * 0.35, 0, 1)
        pixels = lay(pixels, ramp(tone, "4a2440", "a0473f", "e58a4e", "ffc983"), below(size, crest))
    return picture(pixels, random)


@illustration(
    "Sunset over a calm sea",
    "The sun sinks into the sea and its reflection glitters towards the viewer.",
    "sunset, sea, ocean, reflection, orange, horizon, evening",
    "nature travel",
)
def sunset_over_the_sea(size: Size, random: Random) -> Image.Image:
    return picture(
        _sea(size, random, ("23214e", "8b3f6d", "ee7b51", "ffd07a"), (0.5, 0.53), (1, 0.9, 0.62), 78), random
    )


@illustration(
    "Moonlight on the ocean",
    "A full moon among stars lays a silver path over a dark sea.",
    "moon, night, ocean, silver, reflection, stars, dark",
    "nature backgrounds",
    PORTRAIT,
)
def moonlight(size: Size, random: Random) -> Image.Image:
    pixels = _sea(size, random, ("04081a", "0b1a3c", "1f3f6b", "3f6a92"), (0.68, 0.24), (0.95, 0.97, 1.0), 66)
    upper = pixels.copy()
    upper = _stars(upper, random, 500, 0.5)
    pixels[: int(size[1] * 0.5)] = upper[: int(size[1] * 0.5)]
    return picture(pixels, random)


def _sea(
    size: Size,
    random: Random,
    stops: tuple[str, ...],
    sun: tuple[float, float],
    light: tuple[float, float, float],
    radius: float,
) -> Array:
    width, height = size
    horizon = int(height * 0.58)
    shine = np.array(light)
    pixels = np.zeros((height, width, 3))
    pixels[:horizon] = sky((width, horizon), *stops)
    clouds = noise((width, horizon * 5), random, 3, 5)[::5] * np.linspace(0.2, 1, horizon)[:, None]
    pixels[:horizon] += np.clip(clouds - 0.5, 0, 1)[..., None] * shine * 0.5
    pixels += glow(size, sun, radius * 3.2)[..., None] * shine * 0.3
    above = disc(size, sun, radius)
    above[horizon:] = 0
    pixels = lay(pixels, mix(shine, np.ones(3), 0.7), above)
    rows = np.arange(height - horizon)[:, None] / (height - horizon)
    columns = np.linspace(-1, 1, width)[None, :] - (sun[0] * 2 - 1)
    sea = ramp(np.repeat(1 - rows, width, axis=1), stops[0], stops[1], stops[-2]) * 0.72
    ripples = np.zeros((height - horizon, width))
    depth = 1 / (0.02 + rows)
    for _ in range(7):
        ripples += np.sin(
            depth * random.uniform(2, 7)
            + rows * random.uniform(50, 120)
            + columns * random.uniform(8, 40) / (0.2 + rows)
            + random.uniform(0, 6)
        )
    spread = 0.05 + 0.28 * rows
    path = np.exp(-((columns / spread) ** 2)) * np.clip(0.42 + ripples / 5, 0, 1)
    pixels[horizon:] = sea * (1 + ripples[..., None] * 0.025) + path[..., None] * shine * 0.9
    return pixels


@illustration(
    "Northern lights over a pine forest",
    "Green and violet aurora bands wave above the black outline of a pine forest.",
    "aurora, northern lights, night, forest, green, stars, winter",
    "nature travel",
)
def northern_lights(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = _stars(sky(size, "030712", "07152b", "0d2c42"), random, 1100, 0.8)
    rows = np.arange(height)[:, None] / height
    x = np.linspace(0, 1, width)
    for number in range(3):
        foot = (
            0.52
            - 0.1 * number
            + 0.09 * np.sin(x * (5 + number * 2) + random.uniform(0, 6))
            + 0.03 * np.sin(x * 23 + number)
        )
        height_of = 0.34 + 0.1 * np.sin(x * 4 + number)
        above = (foot[None, :] - rows) / height_of[None, :]
        fall = np.where(above > 0, np.exp(-above * 3.2), np.exp(above * 28))
        rays = 0.55 + 0.45 * noise((width, 8), random, 70, 3).mean(axis=0)[None, :]
        band = np.clip(fall * rays * 1.1, 0, 1)
        pixels += (
            band[..., None] * ramp(np.clip(above, 0, 1), "4dffa0", "2fb8a0", "8a4fd0", "3a1a60") * (0.85 - 0.2 * number)
        )
    paper = Paper(size, picture(pixels, random))
    _pines(paper, random, height * 0.99, 250, colour("01060b"), 46)
    return paper.finished()


@illustration(
    "Nebula in crimson and teal",
    "Clouds of glowing gas in crimson and teal, sprinkled with stars.",
    "nebula, space, galaxy, stars, gas, cosmos, astronomy",
    "science abstract",
    SQUARE,
)
def nebula(size: Size, random: Random) -> Image.Image:
    first, second, third = (noise(size, random, cells, 6) for cells in (2, 3, 4))
    x, y = grid(size)
    core = np.exp(-((x - 0.2) ** 2 + (y + 0.15) ** 2) * 1.3)
    pixels = np.zeros((size[1], size[0], 3)) + colour("05040c")
    pixels += (np.clip(first - 0.32, 0, 1) ** 1.6 * core * 4.2)[..., None] * colour("d22a4e")
    pixels += (np.clip(second - 0.42, 0, 1) ** 1.5 * 2.6)[..., None] * colour("137f8f")
    pixels += (core**3 * third * 1.2)[..., None] * colour("ffd7a6")
    pixels *= (1 - 0.75 * np.clip(third * second * 2.4 - 0.62, 0, 1))[..., None]
    return picture(_stars(pixels, random, 2600), random)


@illustration(
    "City skyline at night",
    "Skyscrapers with hundreds of lit windows under a large yellow moon.",
    "city, skyline, night, skyscrapers, windows, moon, urban",
    "buildings travel",
)
def city_at_night(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = _stars(sky(size, "0b1033", "27265e", "6d3f7d"), random, 350, 0.5)
    pixels += glow(size, (0.76, 0.24), 260)[..., None] * np.array([0.35, 0.3, 0.16])
    pixels = lay(pixels, np.ones(3) * colour("ffeeb8"), disc(size, (0.76, 0.24), 92))
    paper = Paper(size, picture(pixels, random))
    for depth, (shade, tall, lit) in enumerate((("3a2f66", 0.6, 0.0), ("231d49", 0.5, 0.22), ("0d0b22", 0.36, 0.42))):
        x = -30.0
        while x < width:
            across = random.uniform(56, 130)
            high = height * tall * random.uniform(0.45, 1.05)
            top = height - high
            paper.rectangle(x, top, across, high, colour(shade))
            if random.random() < 0.35:
                paper.rectangle(x + across * 0.47, top - 60, across * 0.05, 60, colour(shade))
            if random.random() < 0.3:
                paper.rectangle(x + across * 0.2, top - 24, across * 0.6, 26, colour(shade))
            for row in np.arange(top + 14, height - 10, 22):
                for column in np.arange(x + 9, x + across - 12, 17):
                    if random.random() < lit:
                        warm = mix(colour("ffd27a"), colour("fff3cf"), random.random())
                        paper.rectangle(column, row, 8, 12, warm, alpha=0.5 + 0.22 * depth)
            x += across + random.uniform(-6, 14)
    return paper.finished()


@illustration(
    "Hot-air balloons over green hills",
    "Striped hot-air balloons drift over rolling green hills on a clear morning.",
    "hot-air balloon, hills, sky, summer, flight, colourful, adventure",
    "travel transport",
)
def hot_air_balloons(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = sky(size, "5fb4e5", "a9dcf3", "fdf1cf")
    clouds = np.clip(noise(size, random, 3, 5) - 0.55, 0, 1) * 2.2
    pixels = lay(pixels, np.ones(3), np.clip(clouds, 0, 0.85))
    pixels = _ranges(pixels, random, far="a8d08d", near="2f6b3a", count=4, top=0.72, bottom=0.95, roughness=0.5)
    paper = Paper(size, picture(pixels))
    schemes = [
        ("d7263d", "fbe8d3"),
        ("1b998b", "f7d358"),
        ("2e294e", "ff9b71"),
        ("f46036", "fff5e0"),
        ("6a4c93", "c9e4ca"),
    ]
    places = [(0.2, 0.34, 150), (0.55, 0.2, 95), (0.78, 0.42, 185), (0.4, 0.55, 70), (0.92, 0.15, 60)]
    for (x, y, radius), (first, second) in zip(places, schemes, strict=True):
        _balloon(paper, x * width, y * height, radius, colour(first), colour(second))
    return paper.finished()


def _balloon(paper: Paper, x: float, y: float, radius: float, first: Array, second: Array) -> None:
    angles = np.linspace(0, np.pi, 40)
    gores = 9
    for gore in range(gores):
        left, right = (np.cos(np.pi * (1 - (gore + step) / gores)) for step in (0, 1))

        def edge(share: float) -> list[tuple[float, float]]:
            bulge = np.sin(angles) ** 0.8 * (1 - 0.14 * (1 - np.cos(angles)))
            return [(x + radius * share * b, y - radius * np.cos(a) * 1.12) for a, b in zip(angles, bulge, strict=True)]

        tone = (first if gore % 2 else second) * (0.78 + 0.22 * (gore / gores))
        paper.polygon([*edge(float(left)), *reversed(edge(float(right)))], np.clip(tone, 0, 1))
    foot = y + radius * 1.12
    for share in (-0.1, 0.1):
        paper.line(
            [(x + radius * share, foot - radius * 0.06), (x + radius * share, foot + radius * 0.3)],
            colour("5b4636"),
            1.5,
        )
    paper.rectangle(x - radius * 0.13, foot + radius * 0.28, radius * 0.26, radius * 0.2, colour("7a4e2d"), round_by=4)
