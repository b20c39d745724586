"""The mark that carries an image's identity unseen.

A pattern of 128 by 128 pixels is repeated over the picture, so any part of it of some size holds the whole mark.
The pattern is spread-spectrum (Cox, Kilian, Leighton and Shamoon, 1997) over its spatial frequencies in a ring,
with the picture's own correlation taken out while embedding (improved spread spectrum: Malvar and Florencio,
2003). It carries the 128 bits of the image's id and a check of 32 under a convolutional code; every fifth
frequency is a pilot with a known phase.

Reading is blind. A copy's scale and the place it was cut from are what the pilots agree on: for each scale the
copy's spectrum is taken at just the pattern's frequencies (two matrix products), and the inverse transform of the
pilots peaks at the pattern's place (phase correlation: Kuglin and Hines, 1975). Mirrored and quarter-turned
copies have the same spectrum with its axes exchanged. A copy that is turned by some degrees or distorted has to
be aligned to the original first.

A picture without a mark passes for a marked one when a check fits by chance: at most `MOST_READINGS` readings are
tried, each fits with probability 2**-32, so the chance is below 1 in 50 million. The mark tells where a copy came
from; it does not resist someone who reads this file and wants it gone.
"""

from __future__ import annotations

import binascii
import hashlib
import math
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from imagemarket.imaging.models import WatermarkReading

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

PSNR_DB = 43.5
"""How near a marked picture is to the unmarked one. Clipping at black and white only brings it nearer."""

_TILE = 128
"""Pixels a side of the pattern."""
_LOWEST, _HIGHEST = 10, 28
"""Cycles a tile: below, pictures drown the mark; above, halving and encoders take it."""
_PILOT_EVERY = 5
_LABEL = b"imagemarket.identity_mark.v2"
_PASSES = 3
"""Embedding moves the picture's own correlations a little; each pass corrects the one before."""
_SOLVING_STEPS = 20

_CELL = 6
"""Pixels a side over which the picture's local mean and deviation are taken."""
_SOFTENING = 3.0
"""Grey levels added to a local deviation, so that a flat place does not count without end."""
_CLIP = 1.5
"""Local deviations at which a pixel is cut: edges would drown the mark."""

_ID_BYTES = 16
_CHECK_BYTES = 4
_POLYNOMIALS = (0o171, 0o133, 0o165)
"""The convolutional code of rate 1/3 and constraint length 7 with the greatest free distance (15)."""
_STATES = 64
_TAIL_BITS = 6
_INFORMATION_BITS = 8 * (_ID_BYTES + _CHECK_BYTES) + _TAIL_BITS
_CODE_BITS = _INFORMATION_BITS * len(_POLYNOMIALS)

_READ_LONG_EDGE = 1000
"""Larger copies are brought down to this; the mark has nothing finer."""
_SCALES = (0.33, 2.0)
"""Pixels of a copy to one of the preview that are searched..."""
_SCALE_STEP = 0.004
"""...in these (logarithmic) steps, which blur a pilot over 1000 px by 2 px at most."""
_CANDIDATES = 4
"""Scales tried for each orientation, those on which the pilots agree best."""
_ORIENTATIONS = tuple(
    (swapped, down, right) for swapped in (False, True) for down in (1, -1) for right in (1, -1)
)  # the first is upright
MOST_READINGS = 2 + _CANDIDATES * len(_ORIENTATIONS)
"""How often at most a check is given the chance to fit one picture."""


def embed_identity(picture: Image, image_id: uuid.UUID) -> Image:
    """The picture with the id in it, unseen, as strong as `PSNR_DB` allows.

    Below some 200 px there is not enough room to read it back after wear.
    """
    import numpy as np
    from PIL import Image

    layout = _layout()
    code = _code_bits_of(image_id)
    luma = _luma(picture)
    budget = 255**2 / 10 ** (PSNR_DB / 10)
    amplitudes = np.zeros(len(layout.rows), dtype=np.complex64)
    laid = np.zeros_like(luma)
    for _ in range(_PASSES):
        whitened, response = _whiten(np.clip(luma + laid, 0, 255))
        lines = _upright(_spectrum(whitened, 1.0))
        held = _correlations(lines) * code
        pilots_held = np.real(lines[layout.pilots] * layout.pilot_phases.conj())
        lacking = _Lacking(amplitudes, code, held, pilots_held, response)
        low, high = 0.0, 1.0
        for _ in range(_SOLVING_STEPS):  # the most that every code bit and pilot can have within the budget
            middle = (low + high) / 2
            power = 2 * np.square(np.abs(lacking.up_to(middle))).sum()
            low, high = (low, middle) if power > budget else (middle, high)
        amplitudes = lacking.up_to(low)
        laid = _tiled(amplitudes, luma.shape)
    marked = np.array(picture)
    for channel in range(marked.shape[2]):  # one at a time: three at once in floating point take twelve bytes a pixel
        marked[..., channel] = np.clip(np.rint(marked[..., channel] + laid), 0, 255)
    return Image.fromarray(marked)


def read_identity(picture: Image) -> WatermarkReading:
    """What the picture carries; whole copies take some 30 ms, parts and pictures without a mark some seconds."""
    import numpy as np
    from PIL.Image import Resampling

    reduction = min(1.0, _READ_LONG_EDGE / max(picture.size))
    if reduction < 1:
        sides = max(1, round(picture.width * reduction)), max(1, round(picture.height * reduction))
        picture = picture.resize(sides, Resampling.LANCZOS)
    whitened, _ = _whiten(_luma(picture))

    # a whole copy of a preview, as it was or brought to another size
    for scale in dict.fromkeys((1.0, max(picture.size) / _READ_LONG_EDGE)):
        lines = _upright(_spectrum(whitened, scale))
        image_id, agreement = _read(lines, *_place(lines, fine=True))
        if image_id:
            return WatermarkReading(image_id=image_id, agreement=agreement, scale=scale / reduction)

    steps = np.arange(math.log(_SCALES[0]), math.log(_SCALES[1]), _SCALE_STEP)
    scales = np.exp(steps).tolist()
    spectra = [_spectrum(whitened, scale) for scale in scales]
    best = 0.0
    for orientation in _ORIENTATIONS:
        agreements = [_place(_oriented(spectrum, orientation))[0] for spectrum in spectra]
        for candidate in _peaks(agreements):
            scale, lines = _refined(whitened, scales[candidate], orientation)
            image_id, agreement = _read(lines, *_place(lines, fine=True))
            best = max(best, agreement)
            if image_id:
                upright = orientation == _ORIENTATIONS[0]
                return WatermarkReading(
                    image_id=image_id, agreement=agreement, scale=scale / reduction, upright=upright
                )
    return WatermarkReading(image_id=None, agreement=best)


# --- the code --------------------------------------------------------------------------------------


def _code_bits_of(image_id: uuid.UUID) -> np.ndarray:
    """The identity and its check, coded: one of -1 and 1 for each code bit."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(image_id.bytes + _check(image_id.bytes), dtype=np.uint8))
    _, outputs = _trellis()
    register, coded = 0, []
    for bit in [*bits.tolist(), *[0] * _TAIL_BITS]:
        register = (register << 1 | bit) & (2 * _STATES - 1)
        coded.append(outputs[register])
    return np.concatenate(coded)


def _check(identity: bytes) -> bytes:
    return binascii.crc32(identity).to_bytes(_CHECK_BYTES, "big")


@lru_cache(maxsize=1)
def _trellis() -> tuple[np.ndarray, np.ndarray]:
    """For every content of the code's register: the state it came from, and what it sends."""
    import numpy as np

    registers = np.arange(2 * _STATES)
    ones = [[(register & taps).bit_count() & 1 for taps in _POLYNOMIALS] for register in registers.tolist()]
    return registers >> 1, np.array(ones, dtype=np.float32) * 2 - 1


def _decode(soft: np.ndarray) -> bytes:
    """The most likely identity and check behind noisy code bits (Viterbi's algorithm on soft values)."""
    import numpy as np

    before, outputs = _trellis()
    gains = soft.reshape(_INFORMATION_BITS, -1) @ outputs.T
    score = np.full(_STATES, -np.inf)
    score[0] = 0.0
    chosen = np.empty((_INFORMATION_BITS, _STATES), dtype=np.int64)
    for step in range(_INFORMATION_BITS):
        lower, upper = (score[before] + gains[step]).reshape(2, _STATES)
        chosen[step] = upper > lower
        score = np.maximum(lower, upper)
    state, bits = 0, []
    for step in range(_INFORMATION_BITS - 1, -1, -1):
        bits.append(state & 1)
        state = (state | int(chosen[step, state]) << _TAIL_BITS) >> 1
    return np.packbits(np.array(bits[::-1], dtype=np.uint8)[:-_TAIL_BITS]).tobytes()


# --- the pattern -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Which frequency does what; fixed by `_LABEL` for ever."""

    rows: np.ndarray
    """Cycles a tile downwards of each line of the spectrum, 0 or more..."""
    columns: np.ndarray
    """...and to the right, of either sign. The other half-plane mirrors this one."""
    pilots: np.ndarray
    """Indices of the pilot lines."""
    pilot_phases: np.ndarray
    """Of absolute value 1, one for each pilot line."""
    data: np.ndarray
    """Indices of the lines that carry code bits, one in the real and one in the imaginary part."""
    bit_of: np.ndarray
    """The code bit of each real part, then of each imaginary part."""
    signs: np.ndarray
    """The sign that it is carried with."""
    carriers: np.ndarray
    """How many parts carry each code bit."""


@lru_cache(maxsize=1)
def _layout() -> _Layout:
    import numpy as np

    rows, columns = np.mgrid[0 : _HIGHEST + 1, -_HIGHEST : _HIGHEST + 1]
    radius = np.hypot(rows, columns)
    used = (radius >= _LOWEST) & (radius <= _HIGHEST) & ((rows > 0) | (columns > 0))
    rows, columns = rows[used], columns[used]
    noise = hashlib.shake_256(_LABEL).digest(48 * len(rows))
    lots, quadrants, of_parts, signs = np.split(np.frombuffer(noise, dtype=np.uint64), np.array([1, 2, 4]) * len(rows))
    order = np.argsort(lots, kind="stable")
    pilots, data = np.split(order, [len(rows) // _PILOT_EVERY])
    parts = 2 * len(data)
    bit_of = np.empty(parts, dtype=np.int64)
    bit_of[np.argsort(of_parts[:parts], kind="stable")] = np.arange(parts) % _CODE_BITS
    return _Layout(
        rows=rows,
        columns=columns,
        pilots=pilots,
        pilot_phases=np.exp(0.5j * np.pi * (quadrants[pilots] % 4 + 0.5)).astype(np.complex64),
        data=data,
        bit_of=bit_of,
        signs=np.where(signs[:parts] & 1, 1, -1).astype(np.float32),
        carriers=np.bincount(bit_of, minlength=_CODE_BITS),
    )


@dataclass(frozen=True)
class _Lacking:
    """What a marked picture lacks, and the amplitudes that give it that."""

    amplitudes: np.ndarray
    """Of the pattern as it is."""
    code: np.ndarray
    held: np.ndarray
    """Each code bit's correlation, positive in the direction of its value."""
    pilots_held: np.ndarray
    response: float
    """Correlation for each grey level of amplitude."""

    def up_to(self, strength: float) -> np.ndarray:
        """Amplitudes of the lines that bring every code bit and pilot to the strength; what has it is left alone."""
        import numpy as np

        layout = _layout()
        push = (np.maximum(strength - self.held, 0) * self.code)[layout.bit_of] * layout.signs
        real, imaginary = np.split(push / self.response, 2)
        amplitudes = self.amplitudes.copy()
        amplitudes[layout.data] += real + 1j * imaginary
        pilots = np.maximum(strength - self.pilots_held, 0) / self.response
        amplitudes[layout.pilots] += pilots * layout.pilot_phases
        return amplitudes


def _tiled(amplitudes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The pattern of the amplitudes in grey levels, repeated over a picture of the shape."""
    import numpy as np

    layout = _layout()
    spectrum = np.zeros((_TILE, _TILE), dtype=np.complex64)
    spectrum[layout.rows, layout.columns] = amplitudes
    spectrum[-layout.rows, -layout.columns] += amplitudes.conj()
    tile = np.fft.ifft2(spectrum, norm="forward").real.astype(np.float32)
    down, right = (np.arange(length) % _TILE for length in shape)
    return tile[down][:, right]


# --- the picture -----------------------------------------------------------------------------------


def _luma(picture: Image) -> np.ndarray:
    import numpy as np

    return np.asarray(picture.convert("L"), dtype=np.float32)


def _whiten(luma: np.ndarray) -> tuple[np.ndarray, float]:
    """What is left of each pixel beside its neighbourhood, weighed as a mark under it can be trusted; and what
    becomes of one grey level of a mark, in the mean."""
    import numpy as np
    from PIL import Image
    from PIL.Image import Resampling

    size = luma.shape[1], luma.shape[0]
    cells = max(1, round(size[0] / _CELL)), max(1, round(size[1] / _CELL))

    def averaged(values: np.ndarray) -> np.ndarray:
        small = Image.fromarray(values).resize(cells, Resampling.BOX)
        return np.asarray(small.resize(size, Resampling.BILINEAR), dtype=np.float32)

    rest = luma - averaged(luma)
    weight = 1 / (np.sqrt(averaged(np.square(rest))) + _SOFTENING)
    return np.clip(rest * weight, -_CLIP, _CLIP) * weight, float(np.square(weight).mean())


def _spectrum(whitened: np.ndarray, scale: float) -> np.ndarray:
    """The Fourier coefficients of a picture that shows the pattern at a scale, at the pattern's frequencies:
    rows for 0 to `_HIGHEST` cycles a tile downwards, columns for -`_HIGHEST` to `_HIGHEST` to the right."""
    import numpy as np

    height, width = whitened.shape

    def waves(length: int) -> tuple[np.ndarray, np.ndarray]:
        turns = np.outer(np.arange(_HIGHEST + 1) / (scale * _TILE), np.arange(length)) % 1
        angles = (2 * np.pi * turns).astype(np.float32)
        return np.cos(angles), np.sin(angles)

    (down_cos, down_sin), (right_cos, right_sin) = waves(height), waves(width)
    even, odd = down_cos @ whitened, down_sin @ whitened
    even_even, even_odd, odd_even, odd_odd = (
        even @ right_cos.T,
        even @ right_sin.T,
        odd @ right_cos.T,
        odd @ right_sin.T,
    )
    rightwards = even_even - odd_odd - 1j * (odd_even + even_odd)
    leftwards = even_even + odd_odd - 1j * (odd_even - even_odd)
    return np.concatenate([leftwards[:, :0:-1], rightwards], axis=1) / whitened.size


def _oriented(spectrum: np.ndarray, orientation: tuple[bool, int, int]) -> np.ndarray:
    """The pattern's lines in the spectrum of a copy whose axes were exchanged or turned round."""
    import numpy as np

    layout = _layout()
    swapped, down, right = orientation
    rows, columns = down * layout.rows, right * layout.columns
    if swapped:
        rows, columns = columns, rows
    mirrored = rows < 0  # a real picture's spectrum is known by half of it
    lines = spectrum[np.abs(rows), np.where(mirrored, -columns, columns) + _HIGHEST]
    return np.where(mirrored, lines.conj(), lines)


def _upright(spectrum: np.ndarray) -> np.ndarray:
    return _oriented(spectrum, _ORIENTATIONS[0])


def _place(lines: np.ndarray, *, fine: bool = False) -> tuple[float, float, float]:
    """How well the pilots agree on a place of the pattern, in standard deviations of chance; and that place:
    pixels downwards and to the right, to half a pixel when `fine`."""
    import numpy as np

    layout = _layout()
    side = 2 * _TILE if fine else _TILE
    votes = lines[layout.pilots] * layout.pilot_phases.conj()
    sizes = np.abs(votes)
    votes *= np.minimum(1, 1.5 * np.median(sizes) / np.maximum(sizes, 1e-12))  # an edge's line must not outvote all
    spectrum = np.zeros((side, side), dtype=np.complex64)
    spectrum[layout.rows[layout.pilots], layout.columns[layout.pilots]] = votes
    surface = np.fft.ifft2(spectrum, norm="forward").real
    row, column = divmod(int(surface.argmax()), side)
    chance = np.sqrt(np.square(np.abs(votes)).sum() / 2) + 1e-12
    return float(surface[row, column] / chance), row * _TILE / side, column * _TILE / side


def _peaks(agreements: list[float]) -> list[int]:
    """Indices of the best scales, best first, none beside another."""
    chosen: list[int] = []
    for index in sorted(range(len(agreements)), key=agreements.__getitem__, reverse=True):
        if all(abs(index - other) > 2 for other in chosen):
            chosen.append(index)
        if len(chosen) == _CANDIDATES:
            break
    return chosen


def _refined(whitened: np.ndarray, scale: float, orientation: tuple[bool, int, int]) -> tuple[float, np.ndarray]:
    """The scale near the given one on which the pilots agree best, and the pattern's lines on it."""
    nearby = [scale * (1 + part * _SCALE_STEP / 6) for part in range(-4, 5)]
    lines = [_oriented(_spectrum(whitened, each), orientation) for each in nearby]
    best = max(range(len(nearby)), key=lambda index: _place(lines[index])[0])
    return nearby[best], lines[best]


def _correlations(lines: np.ndarray) -> np.ndarray:
    """Mean of the parts of the spectrum that carry a code bit, each by its sign; one value a code bit."""
    import numpy as np

    layout = _layout()
    carrying = lines[layout.data]
    parts = np.concatenate([np.real(carrying), np.imag(carrying)]) * layout.signs
    return np.bincount(layout.bit_of, weights=parts, minlength=_CODE_BITS) / layout.carriers


def _read(lines: np.ndarray, agreement: float, down: float, right: float) -> tuple[str | None, float]:
    """The id that the lines carry when the pattern lies at the place, if its check fits; the agreement is passed
    through."""
    import numpy as np

    layout = _layout()
    moved = lines * np.exp(2j * np.pi / _TILE * (layout.rows * down + layout.columns * right))
    data = _decode(_correlations(moved))
    identity, check = data[:_ID_BYTES], data[_ID_BYTES:]
    return (str(uuid.UUID(bytes=identity)) if _check(identity) == check else None), agreement
