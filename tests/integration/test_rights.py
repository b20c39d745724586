"""Whose name and which page the renditions of an image carry."""

from __future__ import annotations

import pytest

from imagemarket.ingestion.saga import RightsOfImages
from imagemarket.platform.database import Database
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines


def test_they_name_the_contributor_and_the_images_own_page(database: Database) -> None:
    image = an_image(database, a_contributor(database))
    rights = RightsOfImages(database=database, public_base_url="https://market.example").of(image)
    assert rights.creator == "Ada"
    assert rights.credit == "Ada / imagemarket"
    assert rights.page_url == f"https://market.example/images/{image}"
    assert rights.terms_url == "https://market.example/terms"
