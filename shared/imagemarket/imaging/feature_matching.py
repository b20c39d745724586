"""Whether two pictures show the same pixels, and how one lies in the other.

Points of interest are found and matched by ORB (Rublee, Rabaud, Konolige and Bradski, 2011), and RANSAC finds the
affine map that most of the matches follow: crops, borders, other sizes and turns are such maps, and a mirrored
copy is looked at in a mirror. Under the map the two are laid over each other and compared cell by cell. A copy
agrees nearly everywhere, whatever its tones; of two exposures of one scene what moved does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

COMPARED_LONG_EDGE = 450
"""Pixels on the long edge at which pictures are compared: the larger thumbnail's."""
ALIGNED_LONG_EDGE = 1000

_POINTS, _POINTS_TO_ALIGN = 1000, 4000
_LEAST_SIDE = 32
"""ORB looks for points no nearer than 31 pixels to an edge."""
_FAST_THRESHOLD = 7
"""Grey levels that make a corner; low, so that pale pictures have some."""
_RATIO = 0.8
"""A match counts when the second best is this much worse (Lowe, 2004)."""
_TOLERANCE_PX = 3.0
_PLACE_PX = 8
"""Points nearer to each other than this are one place: one busy spot proves little."""
_SCALES = (0.2, 5.0)
_MOST_STRETCH = 1.6
"""Maps beyond these are accidents."""
_LEAST_MATCHES = 6
_REFINING_STEPS, _REFINING_BLUR = 15, 5

_CELL = 24
_BLUR = 1.2
"""Takes away what encoders and resampling differ in."""
_LEAST_TEXTURE = 5.0
"""Grey levels of deviation below which a cell says nothing."""
_AGREES = 0.95
"""Correlation from which two cells show the same."""


@dataclass(frozen=True)
class Features:
    """What a picture is compared by."""

    grey: np.ndarray
    """Grey levels, (height, width)."""
    points: np.ndarray
    """x and y of each point, (points, 2)."""
    descriptors: np.ndarray
    """256 bits each, (points, 32)."""


@dataclass(frozen=True)
class Comparison:
    """How one picture lies in another."""

    inliers: int
    """Distinct places that the map brings together. By chance up to 4; a copy has dozens."""
    agreement: float
    """Share of the textured cells they have in common that show the same."""
    cells: int
    """How many cells that share is of."""


@dataclass(frozen=True)
class _Map:
    """An affine map from one picture, or its mirror image, to another."""

    matrix: np.ndarray
    """(2, 3), on pixels."""
    mirrored: bool
    inliers: int


def features(picture: bytes) -> tuple[Features, Features]:
    """What an encoded picture and its mirror image are compared by.

    Raises:
        ValueError: The bytes are no picture.
    """
    import cv2
    import numpy as np

    grey = cv2.imdecode(np.frombuffer(picture, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ValueError("The bytes are no picture that OpenCV reads.")
    return _features(grey, _POINTS), _features(cv2.flip(grey, 1), _POINTS)


def compare(copy: tuple[Features, Features], known: Features) -> Comparison | None:
    """How a copy lies in a known picture, either way round; None where no map brings them together."""
    found = _map(copy, known)
    if found is None:
        return None
    laid = copy[found.mirrored].grey
    agreement, cells = _agreement(laid, known.grey, _refined(found.matrix, laid, known.grey))
    return Comparison(inliers=found.inliers, agreement=agreement, cells=cells)


def align(copy: Image, known: Image) -> Image | None:
    """The copy laid over the known picture, in the known one's frame and size; None where it does not lie in it."""
    import cv2
    import numpy as np
    import PIL.Image
    from PIL.Image import Resampling

    def views(picture: Image) -> tuple[Features, Features]:
        grey = np.asarray(picture.convert("L"))
        return _features(grey, _POINTS_TO_ALIGN), _features(cv2.flip(grey, 1), _POINTS_TO_ALIGN)

    copy = copy.copy()
    copy.thumbnail((2 * ALIGNED_LONG_EDGE, 2 * ALIGNED_LONG_EDGE), Resampling.LANCZOS)
    seen, there = views(copy), views(known)[0]
    found = _map(seen, there)
    if found is None:
        return None
    matrix = _refined(found.matrix, seen[found.mirrored].grey, there.grey)
    pixels = np.asarray(copy.convert("RGB"))
    pixels = cv2.flip(pixels, 1) if found.mirrored else pixels
    laid = cv2.warpAffine(pixels, matrix, known.size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return PIL.Image.fromarray(laid)


def _features(grey: np.ndarray, most: int) -> Features:
    import cv2
    import numpy as np

    if min(grey.shape) < _LEAST_SIDE:  # ORB's smallest scale of it would have none
        return Features(grey=grey, points=np.zeros((0, 2), np.float32), descriptors=np.zeros((0, 32), np.uint8))
    orb: Any = cv2.ORB_create(nfeatures=most, fastThreshold=_FAST_THRESHOLD)  # pyright: ignore[reportAttributeAccessIssue]
    points, descriptors = orb.detectAndCompute(grey, None)
    return Features(
        grey=grey,
        points=np.array([point.pt for point in points], dtype=np.float32).reshape(-1, 2),
        descriptors=np.zeros((0, 32), dtype=np.uint8) if descriptors is None else descriptors,
    )


def _map(copy: tuple[Features, Features], known: Features) -> _Map | None:
    """The map that most places follow, of the copy as it is or of its mirror image."""
    found = [each for mirrored in (False, True) if (each := _map_of(copy[mirrored], known, mirrored=mirrored))]
    return max(found, key=lambda each: each.inliers, default=None)


def _map_of(copy: Features, known: Features, *, mirrored: bool) -> _Map | None:
    import cv2
    import numpy as np

    if len(copy.points) < _LEAST_MATCHES or len(known.points) < _LEAST_MATCHES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(copy.descriptors, known.descriptors, k=2)
    good = [best for best, second in pairs if best.distance < _RATIO * second.distance]
    if len(good) < _LEAST_MATCHES:
        return None
    there = known.points[[match.trainIdx for match in good]]
    cv2.setRNGSeed(0)  # the same pictures, the same answer
    matrix, inliers = cv2.estimateAffine2D(
        copy.points[[match.queryIdx for match in good]],
        there,
        method=cv2.RANSAC,
        ransacReprojThreshold=_TOLERANCE_PX,
    )
    if matrix is None:
        return None
    largest, smallest = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if smallest < _SCALES[0] or largest > _SCALES[1] or largest > _MOST_STRETCH * smallest:
        return None
    places = np.unique(there[inliers.ravel() == 1] // _PLACE_PX, axis=0)
    return _Map(matrix=matrix, mirrored=mirrored, inliers=len(places))


def _refined(matrix: np.ndarray, copy: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The map brought to a fraction of a pixel by what all pixels say (ECC: Evangelidis and Psarakis, 2008)."""
    import cv2
    import numpy as np

    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _REFINING_STEPS, 1e-4)
    everywhere = np.full(copy.shape[:2], 255, np.uint8)
    backwards = cv2.invertAffineTransform(matrix).astype(np.float32)
    try:
        _, refined = cv2.findTransformECC(known, copy, backwards, cv2.MOTION_AFFINE, steps, everywhere, _REFINING_BLUR)
    except cv2.error:  # it does not converge where little overlaps or much has moved: the points' map stands
        return matrix
    return cv2.invertAffineTransform(refined)


def _agreement(copy: np.ndarray, known: np.ndarray, matrix: np.ndarray) -> tuple[float, int]:
    """Share of the textured cells of the overlap that correlate, and how many there are."""
    import cv2
    import numpy as np

    height, width = known.shape
    shrinking = abs(np.linalg.det(matrix[:, :2])) < 0.8
    laid = cv2.warpAffine(copy, matrix, (width, height), flags=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    covered = cv2.warpAffine(np.full(copy.shape, 255, dtype=np.uint8), matrix, (width, height))
    covered = cv2.erode(covered, np.ones((5, 5), dtype=np.uint8))
    rows, columns = height // _CELL, width // _CELL

    def cells(values: np.ndarray) -> np.ndarray:
        whole = values[: rows * _CELL, : columns * _CELL]
        return whole.reshape(rows, _CELL, columns, _CELL).swapaxes(1, 2).reshape(rows * columns, _CELL * _CELL)

    def details(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = cells(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR))
        values = values - values.mean(axis=1, keepdims=True)
        return values, values.std(axis=1)

    (one, one_deviates), (other, other_deviates) = details(laid), details(known)
    told = (cells(covered) == 255).all(axis=1) & (np.maximum(one_deviates, other_deviates) > _LEAST_TEXTURE)
    if not told.any():
        return 0.0, 0
    correlation = (one * other).mean(axis=1) / np.maximum(one_deviates * other_deviates, 1e-6)
    return float((correlation[told] >= _AGREES).mean()), int(told.sum())
