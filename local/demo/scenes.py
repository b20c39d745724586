"""Landscapes, skies, seas and cities of the demo."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from local.demo.canvas import (
    LANDSCAPE,
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
    "Snowy peaks under the stars",
    "Jagged white summits below a deep blue night sky full of stars.",
    "mountains, snow, night, stars, winter, peaks, cold",
    "nature travel",
)
def snowy_peaks(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = _stars(sky(size, "050a24", "10245c", "3a5fa0"), random, 1500, 0.7)
    for middle, tall, dark, light in ((0.6, 0.34, "3d5687", "b9cbe8"), (0.78, 0.42, "24375f", "f2f6ff")):
        peaks = np.zeros(width)
        for _ in range(8):
            centre, reach = random.uniform(0, width), random.uniform(0.16, 0.34) * width
            peaks = np.maximum(peaks, random.uniform(0.5, 1) * (1 - np.abs(np.arange(width) - centre) / reach))
        jag = ridge(width, random, 1.6, waves=90) * 0.05
        line = (middle - tall * np.clip(peaks + jag, 0, 1.1)) * height + 0.1 * height
        rows = np.arange(height)[:, None]
        depth = (rows - line[None, :]) / height
        texture = noise(size, random, 26, 5)
        snow = np.clip((texture + 0.16 - depth * 2.6) * 7, 0, 1)
        slope = np.convolve(np.gradient(line), np.ones(41) / 41, mode="same")
        side = np.clip(0.5 + slope[None, :] * 0.5 + (texture - 0.5) * 1.3, 0, 1)
        lit = (
            mix(colour(light), colour(dark), 0.45)[None, None] * (1 - side[..., None]) + colour(light) * side[..., None]
        )
        body = colour(dark) * (1 - snow[..., None]) + lit * snow[..., None]
        pixels = lay(pixels, body, below(size, line))
    return picture(pixels, random)


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
    "Ringed planet with two moons",
    "A banded gas giant with bright rings and two small moons in a violet star field.",
    "planet, rings, space, moons, stars, astronomy, science fiction",
    "science",
)
def ringed_planet(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = _stars(sky(size, "0a0618", "170d33", "0c0a22"), random, 2200)
    pixels += (noise(size, random, 2, 5)[..., None] ** 3) * np.array([0.3, 0.12, 0.42])
    centre, radius = (0.46, 0.52), 290.0
    y, x = np.mgrid[:height, :width].astype(float)
    x, y = x - centre[0] * width, y - centre[1] * height
    tilt = -0.36
    u, v = x * np.cos(tilt) + y * np.sin(tilt), -x * np.sin(tilt) + y * np.cos(tilt)
    far = np.hypot(u, v / 0.26)
    bands = np.interp(far, [330, 345, 420, 425, 440, 530, 545], [0, 0.75, 0.95, 0.15, 0.6, 0.8, 0])
    bands *= 0.75 + 0.25 * np.sin(far * 0.28)
    rings = ramp(np.clip((far - 330) / 215, 0, 1), "f7dfb5", "d0a070", "f2e4cc", "9c7a66")
    shadow = np.where((v < 0) & (np.abs(u - 40) < radius * 0.96), 0.3, 1.0)
    pixels = lay(pixels, rings * shadow[..., None], bands * (v < 0))
    inside = np.hypot(x, y) < radius
    z = np.sqrt(np.clip(radius**2 - x**2 - y**2, 0, None))
    light = np.clip((-0.62 * x - 0.38 * y + 0.68 * z) / radius, 0.03, 1)
    swirl = noise(size, random, 5, 4) * 26
    stripes = 0.5 + 0.5 * np.sin((v + swirl) / radius * 15 + np.sin(v / 31) * 1.4)
    body = ramp(stripes, "a65c3c", "e7b27a", "f6ddb4", "cf8a58") * light[..., None]
    edge = np.clip(radius - np.hypot(x, y), 0, 1) * inside
    pixels = lay(pixels, body, edge)
    pixels = lay(pixels, rings, bands * (v >= 0))
    for place, size_of, tone in (((0.84, 0.22), 34, "bfc7d8"), ((0.12, 0.2), 20, "c99d86")):
        shade = 1 - glow(size, (place[0] + 0.018, place[1] + 0.024), size_of * 1.1) * 0.85
        pixels = lay(pixels, colour(tone) * shade[..., None], disc(size, place, size_of))
    return picture(pixels, random)


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
    "Pastel town by the water",
    "Narrow gabled houses in pastel colours and their reflection in a canal.",
    "houses, canal, pastel, town, reflection, gables, architecture",
    "buildings travel",
)
def town_by_the_water(size: Size, random: Random) -> Image.Image:
    width, height = size
    quay = int(height * 0.66)
    paper = Paper(size, picture(sky(size, "9fd0e8", "d5ecf2", "fdf3e3")))
    walls = ["e8a5a0", "f3cf9a", "a8c8a2", "9fbdd8", "d8b3d0", "f0e0b8", "c9806a", "7fa8a8"]
    x, before = -20.0, ""
    while x < width:
        across, high = random.uniform(95, 140), random.uniform(300, 430)
        wall = str(random.choice([tone for tone in walls if tone != before]))
        before, top = wall, quay - high
        roof = mix(colour(wall), colour("5b2f2a"), 0.72)
        paper.rectangle(x, top, across, high, colour(wall))
        if random.random() < 0.5:
            paper.polygon([(x, top), (x + across / 2, top - 90), (x + across, top)], roof)
        else:
            for step in range(4):
                inset = across * 0.11 * step
                paper.rectangle(
                    x + inset, top - 22 * (step + 1), across - 2 * inset, 24, mix(colour(wall), np.zeros(3), 0.12)
                )
        for row in np.arange(top + 26, quay - 105, 78):
            for share in (0.17, 0.58):
                paper.rectangle(x + across * share - 4, row - 4, across * 0.25 + 8, 58, np.ones(3) * 0.97)
                paper.rectangle(x + across * share, row, across * 0.25, 50, colour("3f5468"))
                paper.rectangle(x + across * share, row + 23, across * 0.25, 3, np.ones(3) * 0.97)
        paper.rectangle(
            x + across * 0.36, quay - 84, across * 0.28, 84, mix(colour(wall), colour("2c1d1d"), 0.7), round_by=6
        )
        x += across
    above = np.asarray(paper.finished(), dtype=float) / 255
    water = above[quay - 1 :: -1][: height - quay]
    rows = np.arange(height - quay)[:, None]
    shift = (np.sin(rows * 0.55) * 5 + np.sin(rows * 0.17 + 2) * 9) * (0.2 + rows / 300)
    columns = np.clip(np.arange(width)[None, :] + shift.astype(int), 0, width - 1)
    pixels = above.copy()
    pixels[quay:] = water[rows, columns] * 0.62 + colour("2f6a80") * 0.38
    pixels[quay : quay + 9] = colour("6b5b52")
    return picture(pixels, random)


@illustration(
    "Autumn birch forest",
    "White birch trunks with black marks among orange and yellow leaves.",
    "birch, forest, autumn, leaves, orange, trees, trunks",
    "nature plants",
    PORTRAIT,
)
def birch_forest(size: Size, random: Random) -> Image.Image:
    width, height = size
    tone = noise(size, random, 6, 5)
    paper = Paper(size, picture(ramp(tone, "7d3a12", "c96a1c", "e9a02f", "f7d271")))
    for depth in range(3):
        for x in random.uniform(0, width, 7):
            across = 12 + 14 * depth + random.uniform(0, 8)
            lean = random.uniform(-30, 30)
            bark = mix(colour("d9b98a"), colour("f7f4ee"), depth / 2)
            paper.polygon([(x, 0), (x + across, 0), (x + across + lean, height), (x + lean, height)], bark)
            paper.polygon(
                [
                    (x + across * 0.7, 0),
                    (x + across, 0),
                    (x + across + lean, height),
                    (x + across * 0.7 + lean, height),
                ],
                bark * 0.82,
            )
            for y in random.uniform(0, height, 14 + 6 * depth):
                start = x + lean * y / height
                reach = across * random.uniform(0.25, 0.8)
                paper.polygon([(start, y), (start + reach, y + 3), (start, y + 8)], colour("2b211c"), 0.85)
        for _ in range(650):
            x, y = random.uniform(0, width), random.uniform(0, height) ** 1.0
            leaf = ramp(np.array(random.random()), "a83c0e", "e0761a", "f6b531", "ffe08a")
            reach = random.uniform(5, 11)
            paper.ellipse((x, y), reach, reach * 0.6, fill=leaf, alpha=0.8)
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


@illustration(
    "Lighthouse on a cliff",
    "A red and white lighthouse sends its beam over a stormy evening sea.",
    "lighthouse, cliff, beam, sea, storm, poster, coast",
    "buildings travel",
    PORTRAIT,
)
def lighthouse(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = sky(size, "16213e", "2c4a6e", "d88c6a", "f4c48a")
    pixels += np.clip(noise(size, random, 3, 5) - 0.5, 0, 1)[..., None] * 0.35
    paper = Paper(size, picture(pixels, random))
    lamp = (640.0, 392.0)
    for spread in (90, 60, 34):
        paper.polygon([lamp, (-40, 250 - spread), (-40, 250 + spread * 2)], colour("fff2c0"), 0.22)
        paper.polygon([lamp, (1060, 500 - spread), (1060, 500 + spread)], colour("fff2c0"), 0.12)
    for number in range(7):
        base = 1080 + number * 62
        line = [(x, base + 16 * np.sin(x / (46 + number * 9) + number * 1.7)) for x in range(-10, width + 20, 10)]
        paper.polygon([*line, (width, height), (0, height)], mix(colour("3a6a86"), colour("0c2338"), number / 6))
        paper.line(line, colour("dcecf2"), 3, 0.5)
    paper.polygon(
        [(430, height), (455, 1260), (520, 1120), (545, 1010), (760, 985), (1000, 1040), (1000, height)],
        colour("1d2a2c"),
    )
    paper.polygon([(545, 1010), (760, 985), (1000, 1040), (1000, 1075), (760, 1020), (550, 1040)], colour("4c6b45"))
    bottom, top = 1005.0, 440.0
    for stripe in range(6):
        y0, y1 = bottom - (bottom - top) * stripe / 6, bottom - (bottom - top) * (stripe + 1) / 6
        half0, half1 = 82 - 34 * stripe / 6, 82 - 34 * (stripe + 1) / 6
        tone = colour("c8352f") if stripe % 2 == 0 else colour("f5efe4")
        paper.polygon([(640 - half0, y0), (640 + half0, y0), (640 + half1, y1), (640 - half1, y1)], tone)
        paper.polygon(
            [(640 + half0 * 0.35, y0), (640 + half0, y0), (640 + half1, y1), (640 + half1 * 0.35, y1)], tone * 0.8
        )
    paper.rectangle(582, 424, 116, 16, colour("20262b"))
    paper.rectangle(606, 356, 68, 70, colour("ffe9a3"))
    for x in (606, 638, 670):
        paper.rectangle(x, 356, 5, 70, colour("20262b"))
    paper.polygon([(592, 358), (688, 358), (640, 300)], colour("a22a26"))
    return paper.finished()


@illustration(
    "Neon sun over a grid",
    "A striped neon sun behind palm trees over a glowing perspective grid, in the style of the 1980s.",
    "synthwave, retro, neon, sun, grid, 1980s, palm trees",
    "abstract backgrounds",
)
def neon_sun(size: Size, random: Random) -> Image.Image:
    width, height = size
    horizon = 0.62 * height
    pixels = _stars(sky(size, "0b0221", "2b0a4f", "8f1d74", "ff5f7e"), random, 500, 0.4)
    rows = np.arange(height)[:, None]
    sun = disc(size, (0.5, 0.43), 245)
    gaps = np.where((rows > 0.4 * height) & ((rows - 0.4 * height) % 34 < (rows - 0.4 * height) * 0.075 + 2), 0.0, 1.0)
    body = ramp(
        np.clip((rows - 0.19 * height) / (0.48 * height), 0, 1) * np.ones((1, width)), "fff27a", "ff9a4a", "ff2d8a"
    )
    pixels += glow(size, (0.5, 0.43), 330)[..., None] * np.array([0.45, 0.1, 0.3])
    pixels = lay(pixels, body, sun * gaps)
    pixels[int(horizon) :] = sky((width, height - int(horizon)), "3a0a55", "0a0118")
    paper = Paper(size, picture(pixels))
    for number in range(-26, 27):
        paper.line(
            [(width / 2 + number * 34, horizon), (width / 2 + number * 210, height)], colour("35f0ff"), 1.6, 0.75
        )
    for number in range(16):
        y = horizon + (height - horizon) * (number / 15) ** 2.2
        paper.line([(0, y), (width, y)], colour("35f0ff"), 1.6, 0.75)
    for x, tall, lean in ((170, 500, 50), (1330, 560, -60), (60, 380, 30)):
        _palm(paper, x, horizon + 90, tall, lean, random)
    return paper.finished()


def _palm(paper: Paper, x: float, foot: float, tall: float, lean: float, random: Random) -> None:
    shade = colour("12031f")
    trunk = [(x + lean * (t**1.7), foot - tall * t) for t in np.linspace(0, 1, 24)]
    for (x0, y0), (x1, y1), wide in zip(trunk, trunk[1:], np.linspace(17, 9, 23), strict=False):
        paper.line([(x0, y0), (x1, y1)], shade, wide)
    top_x, top_y = trunk[-1]
    for angle in np.linspace(-2.9, 0.0, 9) + random.uniform(-0.1, 0.1, 9):
        reach = tall * random.uniform(0.3, 0.4)
        spine = [
            (top_x + np.cos(angle) * reach * t, top_y + np.sin(angle) * reach * t + reach * 0.75 * t**2.2)
            for t in np.linspace(0, 1, 16)
        ]
        paper.line(spine, shade, 4)
        for t, (sx, sy) in zip(np.linspace(0, 1, 16), spine, strict=True):
            hang = reach * 0.24 * np.sin(np.pi * min(1, t + 0.12))
            paper.line([(sx, sy), (sx + np.cos(angle) * hang * 0.5, sy + hang)], shade, 3)


@illustration(
    "Cacti in a red desert",
    "Tall saguaro cacti stand before table mountains and a white sun.",
    "cactus, desert, saguaro, mesa, red, western, poster",
    "nature plants",
)
def cacti(size: Size, random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, picture(sky(size, "f2b26b", "f6cf95", "fbe7c6")))
    paper.ellipse((980, 300), 120, fill=colour("fff8e6"))
    for number, (base, tone) in enumerate((("c9714a", 0.56), ("a84f38", 0.62), ("7d3429", 0.72))):
        shade, foot = colour(base), tone * height
        for _ in range(3):
            left, across, tall = (
                random.uniform(-100, width),
                random.uniform(180, 360),
                random.uniform(90, 190) * (1 + 0.2 * number),
            )
            paper.polygon(
                [(left, foot), (left + 36, foot - tall), (left + across - 30, foot - tall), (left + across, foot)],
                shade,
            )
        paper.rectangle(0, foot - 2, width, height, shade)
    paper.rectangle(0, 0.84 * height, width, height, colour("5a221f"))
    for x, foot, tall in ((300, 900, 560), (1180, 930, 470), (690, 860, 260), (880, 880, 170)):
        _cactus(paper, x, foot, tall)
    return paper.finished()


def _cactus(paper: Paper, x: float, foot: float, tall: float) -> None:
    wide, body, light = tall * 0.13, colour("23523d"), colour("3c7a57")
    for side, up, high in ((-1, 0.42, 0.32), (1, 0.55, 0.26)):
        reach = side * wide * 1.7
        arm = wide * 0.72
        y = foot - tall * up
        left = min(x, x + reach)
        paper.rectangle(left, y - arm / 2, abs(reach), arm, body, round_by=arm / 2)
        paper.rectangle(x + reach - arm / 2, y - tall * high, arm, tall * high + arm / 2, body, round_by=arm / 2)
        paper.rectangle(x + reach - arm * 0.12, y - tall * high + arm * 0.4, arm * 0.12, tall * high * 0.75, light)
    paper.rectangle(x - wide / 2, foot - tall, wide, tall, body, round_by=wide / 2)
    for share in (-0.22, 0, 0.22):
        paper.rectangle(x + wide * share - 2, foot - tall + wide * 0.5, 4, tall - wide * 0.6, light)


@illustration(
    "Tulip field with windmill",
    "Rows of red, yellow and pink tulips lead to a windmill on the horizon.",
    "tulips, field, windmill, spring, rows, flowers, Netherlands",
    "plants nature",
)
def tulip_field(size: Size, random: Random) -> Image.Image:
    width, height = size
    horizon = 0.42 * height
    pixels = sky(size, "6fb7e9", "bfe2f5", "f4f6e8")
    pixels = lay(pixels, np.ones(3), np.clip(np.clip(noise(size, random, 4, 5) - 0.55, 0, 1) * 2.4, 0, 0.9))
    paper = Paper(size, picture(pixels))
    paper.rectangle(0, horizon, width, height - horizon, colour("5d8f3d"))
    paper.rectangle(0, horizon - 10, width, 14, colour("3f6f3a"))
    tones = ["d62839", "f9c846", "f283b6", "fff4e6", "e85d2a", "8f4fb0"]
    vanishing = width * 0.62
    for strip in range(-9, 10):
        near0, near1 = vanishing + strip * 240, vanishing + strip * 240 + 160
        tone = colour(tones[strip % len(tones)])
        far0, far1 = vanishing + strip * 15, vanishing + strip * 15 + 10
        paper.polygon([(far0, horizon), (far1, horizon), (near1, height), (near0, height)], tone * 0.72)
        for t in np.linspace(0.02, 1, 46) ** 1.6:
            y = horizon + (height - horizon) * t
            left, right = far0 + (near0 - far0) * t, far1 + (near1 - far1) * t
            radius = 1 + 15 * t
            for x in np.arange(left, right, radius * 2.1):
                petal = tone * random.uniform(0.82, 1.08)
                paper.ellipse((x + random.uniform(-2, 2), y), radius, radius * 1.25, fill=np.clip(petal, 0, 1))
    x = 1060
    paper.polygon(
        [(x - 46, horizon), (x + 46, horizon), (x + 28, horizon - 150), (x - 28, horizon - 150)], colour("6b4a3a")
    )
    paper.polygon([(x - 34, horizon - 148), (x + 34, horizon - 148), (x, horizon - 190)], colour("3c2a24"))
    for angle in np.radians([25, 115, 205, 295]):
        tip = (x + np.cos(angle) * 140, horizon - 155 + np.sin(angle) * 140)
        paper.line([(x, horizon - 155), tip], colour("2c211d"), 5)
        side = np.array([-np.sin(angle), np.cos(angle)]) * 20
        root = (x + np.cos(angle) * 34, horizon - 155 + np.sin(angle) * 34)
        paper.polygon(
            [root, tip, (tip[0] + side[0], tip[1] + side[1]), (root[0] + side[0], root[1] + side[1])],
            colour("efe6d6"),
            0.9,
        )
    return paper.finished()


@illustration(
    "Winter village in the snow",
    "Small houses with glowing windows among snow-covered firs while snow is falling.",
    "winter, snow, village, christmas, firs, night, cosy",
    "holidays buildings",
    SQUARE,
)
def winter_village(size: Size, random: Random) -> Image.Image:
    width, height = size
    paper = Paper(size, picture(sky(size, "0f1f4b", "35548f", "8fa8d0"), random))
    for number, (base, tone) in enumerate(((0.62, "b8c8e6"), (0.74, "d7e2f4"), (0.88, "f4f8ff"))):
        line = [(x, base * height + 34 * np.sin(x / 210 + number * 2.1)) for x in range(-10, width + 20, 20)]
        paper.polygon([*line, (width, height), (0, height)], colour(tone))
        for _ in range(9 - 2 * number):
            x, foot = random.uniform(0, width), base * height + random.uniform(14, 50)
            tall = 120 + 60 * number
            for tier in range(4):
                top, half = foot - tall + tier * tall * 0.2, tall * (0.12 + 0.055 * tier)
                paper.polygon(
                    [(x, top), (x - half, top + tall * 0.34), (x + half, top + tall * 0.34)], colour("1f4a45")
                )
                paper.polygon(
                    [
                        (x, top),
                        (x - half * 0.55, top + tall * 0.16),
                        (x, top + tall * 0.12),
                        (x + half * 0.55, top + tall * 0.16),
                    ],
                    np.ones(3) * 0.97,
                )
    for x, y, scale, wall in ((220, 860, 1.1, "8a3b32"), (620, 800, 0.9, "b5793f"), (930, 930, 1.35, "4b5d7e")):
        across, tall = 170 * scale, 120 * scale
        paper.rectangle(x - across / 2, y - tall, across, tall, colour(wall))
        paper.polygon(
            [(x - across * 0.62, y - tall), (x, y - tall * 1.85), (x + across * 0.62, y - tall)], np.ones(3) * 0.98
        )
        paper.rectangle(x + across * 0.22, y - tall * 1.75, across * 0.13, tall * 0.5, colour(wall) * 0.8)
        for share in (-0.28, 0.12):
            paper.rectangle(
                x + across * share, y - tall * 0.72, across * 0.18, tall * 0.34, colour("ffd978"), round_by=3
            )
        paper.rectangle(x - across * 0.05, y - tall * 0.5, across * 0.14, tall * 0.5, colour("3a2418"), round_by=3)
    for _ in range(420):
        radius = random.uniform(1.2, 4.5)
        paper.ellipse((random.uniform(0, width), random.uniform(0, height)), radius, fill=np.ones(3), alpha=0.85)
    return paper.finished()


@illustration(
    "Sailing boats in a blue bay",
    "Three white sailing boats on turquoise waves under big summer clouds.",
    "sailing, boats, bay, summer, waves, blue, sea",
    "transport travel",
    LANDSCAPE,
)
def sailing_boats(size: Size, random: Random) -> Image.Image:
    width, height = size
    pixels = sky(size, "2f8fd0", "8cc8ea", "dff1f7")
    pixels = lay(pixels, np.ones(3), np.clip(np.clip(noise(size, random, 2, 6) - 0.5, 0, 1) * 3, 0, 0.95))
    paper = Paper(size, picture(pixels))
    for number in range(9):
        base = 560 + number * 52
        line = [
            (x, base + (6 + number) * np.sin(x / (40 + number * 12) + number * 2.3)) for x in range(-10, width + 20, 10)
        ]
        paper.polygon([*line, (width, height), (0, height)], mix(colour("49b6c6"), colour("0b4f7a"), number / 8))
        for boat, (x, row, scale) in enumerate(((360, 2, 0.75), (820, 4, 1.25), (1240, 1, 0.5))):
            if row == number:
                y, s = base + 34, 230 * scale
                paper.polygon([(x, y - s * 1.35), (x, y - s * 0.1), (x + s * 0.62, y - s * 0.1)], np.ones(3) * 0.98)
                paper.polygon(
                    [(x - 8, y - s * 1.2), (x - 8, y - s * 0.1), (x - s * 0.4, y - s * 0.1)],
                    colour(("e4572e", "f3a712", "a8c686")[boat]),
                )
                paper.polygon(
                    [
                        (x - s * 0.55, y - s * 0.06),
                        (x + s * 0.7, y - s * 0.06),
                        (x + s * 0.5, y + s * 0.12),
                        (x - s * 0.4, y + s * 0.12),
                    ],
                    colour("3b2a22"),
                )
    return paper.finished()
