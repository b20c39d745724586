"""Photos of the demo: those that scikit-image and scikit-learn bring along, and who made them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local.layout import LocalError

_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
_CC0 = "CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"
_CC_BY = "CC BY 2.0, https://creativecommons.org/licenses/by/2.0/"
_POLICY = "distributed with scikit-image, which takes in CC0 and public-domain pictures only"


@dataclass(frozen=True)
class Photo:
    """A photo in an installed package, and what is true of it."""

    package: str
    """The package's import name; it is looked up and never imported."""
    file: str
    title: str
    description: str
    tags: str
    """By commas."""
    categories: str
    """By spaces."""
    credit: str
    license_types: tuple[str, ...] = ("standard",)

    @property
    def name(self) -> str:
        """What the copy is called."""
        return self.file.replace("_", "-")

    def path(self) -> Path:
        """Where the package keeps it. Raises `LocalError` where the package is not installed."""
        found = find_spec(self.package)
        for root in (found.submodule_search_locations if found else None) or ():
            path = Path(root) / _FOLDERS[self.package] / self.file
            if path.is_file():
                return path
        raise LocalError(f"the demo's photo {self.file} is missing: install requirements/models.txt")


PHOTOS: tuple[Photo, ...] = (
    Photo(
        "skimage",
        "astronaut.png",
        "Astronaut Eileen Collins in an orange space suit",
        "Portrait of the NASA astronaut Eileen Collins smiling in an orange launch suit, her helmet before her, with a "
        "United States flag and a model of the space shuttle behind.",
        "astronaut, portrait, woman, space suit, helmet, nasa, space shuttle, flag, smile, eileen collins",
        "people science",
        "Photo: NASA; public domain. Distributed with scikit-image.",
        ("editorial",),
    ),
    Photo(
        "skimage",
        "camera.png",
        "Photographer with a camera on a tripod",
        "Black-and-white picture of a man in a dark coat looking through a camera on a tripod, on a lawn with a city "
        "skyline behind.",
        "photographer, camera, tripod, man, coat, lawn, skyline, black and white",
        "people technology",
        f"Photo: Lav Varshney; {_CC0}. Distributed with scikit-image.",
        ("standard", "editorial"),
    ),
    Photo(
        "skimage",
        "chelsea.png",
        "Tabby cat with green eyes",
        "Close portrait of Chelsea, a ginger tabby cat with green eyes and long white whiskers.",
        "cat, tabby, ginger, pet, green eyes, whiskers, close-up, animal, portrait",
        "animals",
        f"Photo: Stéfan van der Walt; {_CC0}. Distributed with scikit-image.",
    ),
    Photo(
        "skimage",
        "coffee.png",
        "Espresso in a red cup on a wooden table",
        "A half-full cup of espresso with a spoon on a red-brown saucer, on a worn wooden table.",
        "coffee, espresso, cup, saucer, spoon, wooden table, cafe, drink, red",
        "food-drink",
        f"Photo: Rachel Michetti, courtesy of Pikolo Espresso Bar; {_CC0}. Distributed with scikit-image.",
    ),
    Photo(
        "skimage",
        "rocket.jpg",
        "Falcon 9 rocket on its launch pad at dusk",
        "A Falcon 9 rocket stands lit by floodlights between lattice towers under a deep blue evening sky at Cape "
        "Canaveral, ready to carry DSCOVR.",
        "rocket, falcon 9, spacex, launch pad, dusk, towers, floodlights, space, cape canaveral",
        "science transport technology",
        "Photo: SpaceX; released into the public domain. Distributed with scikit-image.",
        ("standard", "editorial"),
    ),
    Photo(
        "skimage",
        "hubble_deep_field.jpg",
        "Galaxies in the Hubble eXtreme Deep Field",
        "Thousands of distant galaxies, small and coloured, on black: the farthest view that the Hubble Space "
        "Telescope had taken by 2012.",
        "galaxies, hubble, deep field, space, astronomy, universe, stars, telescope, nasa",
        "science",
        "Picture: NASA, Hubble Space Telescope; public domain. Distributed with scikit-image.",
        ("standard", "enhanced"),
    ),
    Photo(
        "skimage",
        "moon.png",
        "Craters on the surface of the Moon",
        "Grey low-contrast picture of a lunar plain with small craters, a few hills and dark shadows.",
        "moon, lunar surface, craters, astronomy, space, black and white, grey",
        "science",
        f"Surface of the Moon; {_POLICY}.",
    ),
    Photo(
        "skimage",
        "motorcycle_left.png",
        "Red motorcycle in a garage",
        "A red motorcycle on its stand in a garage, in front of shelves with boxes and a wooden bench.",
        "motorcycle, motorbike, red, garage, shelves, wheels, engine, vehicle",
        "transport",
        "Middlebury 2014 stereo benchmark: N. Nesic, P. Westling, X. Wang, Y. Kitajima, G. Krathwohl, D. Scharstein; "
        f"{_POLICY}.",
    ),
    Photo(
        "skimage",
        "coins.png",
        "Ancient Greek coins in four rows",
        "Twenty-four Greek coins from Pompeii laid out in four rows on a dark ground, in black and white.",
        "coins, greek, ancient, pompeii, money, museum, history, collection, black and white",
        "objects arts",
        "Photo: Brooklyn Museum; no known copyright restrictions. Distributed with scikit-image.",
    ),
    Photo(
        "skimage",
        "brick.png",
        "Brickwork with light joints",
        "Grey picture of a section of brick wall turned on its side: long narrow bricks, their rows running upwards.",
        "bricks, brick wall, brickwork, texture, joints, pattern, masonry, grey, black and white",
        "backgrounds buildings",
        f"Texture: CC0Textures; {_CC0}. Distributed with scikit-image.",
        ("standard", "enhanced"),
    ),
    Photo(
        "skimage",
        "grass.png",
        "Grass and small leaves from above",
        "Grey picture of a dense tangle of grass blades with a few small leaves, seen from above.",
        "grass, leaves, lawn, ground, texture, blades, black and white",
        "backgrounds nature",
        f"Texture: linolafett; {_CC0}. Distributed with scikit-image.",
        ("standard", "enhanced"),
    ),
    Photo(
        "skimage",
        "gravel.png",
        "Gravel seen from above",
        "Grey picture of a bed of small angular stones that fills the frame.",
        "gravel, stones, pebbles, ground, texture, rough, black and white",
        "backgrounds",
        f"Texture: CC0Textures; {_CC0}. Distributed with scikit-image.",
        ("standard", "enhanced"),
    ),
    Photo(
        "skimage",
        "retina.jpg",
        "Fundus photograph of a healthy eye",
        "The retina of a left eye: orange-red, with branching blood vessels, the bright optic disc at the left and the "
        "darker macula in the middle.",
        "retina, eye, fundus, ophthalmology, blood vessels, optic disc, macula, medicine",
        "healthcare science",
        f"Photo: Mikael Häggström, Medical gallery of Mikael Häggström 2014; {_CC0}. Distributed with scikit-image.",
    ),
    Photo(
        "skimage",
        "ihc.png",
        "Stained tissue of the colon under the microscope",
        "Glands of the colon stained brown by immunohistochemistry, with blue nuclei between them.",
        "histology, microscope, tissue, colon, glands, staining, cells, pathology, medicine",
        "healthcare science",
        "Picture: Center for Microscopy and Molecular Imaging (CMMI); no known copyright restrictions. Distributed "
        "with scikit-image.",
    ),
    Photo(
        "sklearn",
        "china.jpg",
        "Chinese pagoda above a lake",
        "A many-storeyed Chinese pavilion with red columns and green and yellow tiled roofs stands among trees above a "
        "hazy lake.",
        "china, pagoda, temple, pavilion, lake, roofs, trees, architecture, landmark",
        "buildings travel religion",
        f"Photo: danielbuechele on Flickr; {_CC_BY}. Distributed with scikit-learn.",
        ("standard", "editorial"),
    ),
    Photo(
        "sklearn",
        "flower.jpg",
        "Orange dahlia in bloom",
        "A round orange dahlia in full bloom on a blurred dark green ground, with the rim of a second one below.",
        "dahlia, flower, orange, bloom, petals, garden, macro, green",
        "plants",
        # the package's notes name danielbuechele too, yet link the photo in vultilion's stream
        f"Photo: vultilion on Flickr; {_CC_BY}. Distributed with scikit-learn.",
    ),
)
