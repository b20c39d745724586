"""The fixed categories a picture can be filed under."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One category: its `slug` on the wire, its `name` for people, and the `prompts` that describe
    a picture of it to a text encoder."""

    slug: str
    name: str
    prompts: tuple[str, ...]


CATEGORIES: tuple[Category, ...] = (
    Category("abstract", "Abstract", ("an abstract pattern of shapes and colours", "abstract art")),
    Category("animals", "Animals & Wildlife", ("a photo of an animal", "a dog, a cat, a bird or a wild animal")),
    Category("arts", "The Arts", ("a painting or a sculpture in a museum", "a musician playing an instrument")),
    Category("backgrounds", "Backgrounds & Textures", ("a plain texture or background", "a seamless pattern")),
    Category("beauty-fashion", "Beauty & Fashion", ("a fashion model wearing clothes", "cosmetics and make-up")),
    Category("buildings", "Buildings & Landmarks", ("a building, a tower or a landmark", "architecture of a house")),
    Category("business", "Business & Finance", ("people in an office meeting", "money, charts and business")),
    Category("education", "Education", ("a classroom with students", "books, a school and a library")),
    Category("food-drink", "Food & Drink", ("a plate of food on a table", "a cup of coffee or a drink")),
    Category("healthcare", "Healthcare & Medical", ("a doctor in a hospital", "medicine, pills and a syringe")),
    Category("holidays", "Holidays & Celebrations", ("a party with a birthday cake", "christmas decorations")),
    Category("industrial", "Industrial", ("a factory with machines", "a worker with tools on a building site")),
    Category("interiors", "Interiors", ("a living room with furniture", "a kitchen, a bedroom or a bathroom")),
    Category("nature", "Nature", ("a landscape with mountains and trees", "a lake, a forest or the sea")),
    Category("objects", "Objects", ("a single object on a table", "a household item")),
    Category("parks-outdoor", "Parks & Outdoor", ("a park with a bench", "people camping and hiking outdoors")),
    Category("people", "People", ("a portrait of a person", "a group of people")),
    Category("plants", "Plants & Flowers", ("a flower in bloom", "green leaves of a plant")),
    Category("religion", "Religion", ("a church, a temple or a mosque", "a religious ceremony")),
    Category("science", "Science", ("a laboratory with a microscope", "a galaxy or a planet in space")),
    Category("signs-symbols", "Signs & Symbols", ("a street sign", "an icon, a symbol or a flag")),
    Category("sports", "Sports & Recreation", ("a person playing a sport", "a ball game in a stadium")),
    Category("technology", "Technology", ("a computer, a laptop or a phone", "electronics and circuits")),
    Category("transport", "Transport", ("a car, a bus or a train", "an airplane, a boat or a motorcycle")),
    Category("travel", "Travel", ("tourists at a famous place", "a beach holiday by the sea")),
)

SLUGS: frozenset[str] = frozenset(category.slug for category in CATEGORIES)
