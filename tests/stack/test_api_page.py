"""`docs/api.md` as it is written: its commands run one after the other, by bash, curl and jq, on the deployed stack."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.api_client import ApiClient
from local.demo.load import ACCOUNTS
from local.layout import REPOSITORY
from local.pictures import paint_landscape, paint_photo

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PAGE = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")


_UNTIL_IT_ENDED = """
until curl -s "$MARKET/v1/images/$IMAGE/status?wait=20" -H "Authorization: Bearer $TOKEN" |
  jq -e '.status != "processing"' >/dev/null; do sleep 1; done
"""


def block(heading: str) -> str:
    """The first commands under a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return found[1]


@pytest.mark.parametrize(
    ("name", "content_type", "sending"),
    [
        ("sunset.jpg", "image/jpeg", "Send the bytes"),
        ("scan.tif", "image/tiff", "Send a large file in parts"),
    ],
)
def test_the_way_from_a_file_to_a_preview(
    market: ApiClient, tmp_path: Path, name: str, content_type: str, sending: str
) -> None:
    for tool in ("curl", "jq"):
        if shutil.which(tool) is None:
            pytest.skip(f"THE API PAGE WAS NOT TESTED: {tool} is not installed")
    if name == "scan.tif":
        paint_photo(tmp_path / name, seed=811, size=(6400, 5600))
    else:
        paint_landscape(tmp_path / name, seed=812)
    begin = PAGE.partition("```bash\n")[2].partition("```")[0]
    program = "\n".join(
        [
            "set -euo pipefail",
            begin.replace("http://127.0.0.1:8080", market.cloud.layout.base_url).replace("sunset.jpg", name),
            block("Sign in")
            .replace("\u2026", market.cloud.layout.secret("contributor"))
            .replace("contributor@example.com", ACCOUNTS["contributor"]),
            block("Announce the picture").replace("image/jpeg", content_type),
            block(sending),
            _UNTIL_IT_ENDED,
            block("Watch it, then look at it"),
            'file_of() { head -c 12 "$1" | tail -c 4; }',
            'test "$(file_of preview.webp)" = WEBP',
        ]
    )
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status": "approved"' in done.stdout, done.stdout
