"""Fills a fresh local cloud with people and pictures, over the public API as anybody would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local.cloud import Cloud
from local.layout import REPOSITORY, LocalError, digest_of, write_private
from local.progress import console, step

ACCOUNTS = {
    "contributor": "contributor@example.com",
    "buyer": "buyer@example.com",
    "admin": "admin@example.com",
}
_NAMES = {"contributor": "Demo Contributor", "buyer": "Demo Buyer", "admin": "Demo Admin"}


def _command(cloud: Cloud, *arguments: str, password: str) -> subprocess.CompletedProcess[bytes]:
    """The product's command line against this cloud; its words go to the terminal."""
    environment = (
        os.environ
        | cloud.environment()
        | {
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}",
            "MARKET_PASSWORD": password,
        }
    )
    return subprocess.run(
        [sys.executable, "-m", "imagemarket.cli", *arguments], cwd=REPOSITORY, env=environment, check=False
    )


def make_accounts(cloud: Cloud) -> None:
    """Register the people of the demo; those who are there stay as they are."""
    for role in ("contributor", "buyer"):
        body: dict[str, object] = {
            "email": ACCOUNTS[role],
            "password": cloud.layout.secret(role),
            "role": role,
            "display_name": _NAMES[role],
        }
        status, answer = cloud.post("/v1/auth/register", body)
        if status not in {201, 409}:
            raise LocalError(f"the demo's {role} could not be registered ({status}): {answer.get('detail', answer)}")
    made = _command(
        cloud, "users", "create-admin", ACCOUNTS["admin"], "--if-missing", password=cloud.layout.secret("admin")
    )
    if made.returncode != 0:
        raise LocalError("the demo's admin could not be made: see above")


def load_demo(cloud: Cloud, folder: Path | None) -> None:
    """Make the demo's accounts and upload its pictures, or those of a folder of one's own; once."""
    layout = cloud.layout
    stamp = layout.data / "demo"
    content = REPOSITORY / "local" / "demo"
    wanted = str(folder.resolve()) if folder else digest_of([content])
    if stamp.exists() and wanted in stamp.read_text().splitlines():
        return
    with step("Demo accounts"):
        make_accounts(cloud)
    pictures = folder
    if pictures is None:
        from local.demo.content import make_demo

        pictures = layout.made / "demo" / wanted[:16]
        complete = pictures.with_suffix(".complete")
        if not complete.exists():
            with step("Demo pictures") as say:
                pictures.mkdir(parents=True, exist_ok=True)
                make_demo(pictures, say)
                complete.touch()
    console.print("· Uploading through the public API")
    uploaded = _command(
        cloud,
        *("upload", str(pictures), "--as", ACCOUNTS["contributor"]),
        *("--journal", str(layout.data / "uploads.json")),
        password=layout.secret("contributor"),
    )
    if uploaded.returncode != 0 and folder is None:
        raise LocalError("some of the demo's pictures did not come through: see the table above")
    write_private(stamp, (stamp.read_text() if stamp.exists() else "") + wanted + "\n")


def tell(cloud: Cloud) -> None:
    """Print where it is, who may sign in, and three commands to try."""
    base = cloud.layout.base_url
    console.print(f"\n  {base}  (the docs page; the API under {base}/v1)\n")
    for role, email in ACCOUNTS.items():
        console.print(f"  {role:12} {email:26} {cloud.layout.secret(role)}")
    console.print(
        "\nTry:\n"
        f"  curl -s '{base}/v1/search?q=a+cat&mode=semantic&limit=3'\n"
        "  ./market search 'mountains at sunset'\n"
        f"  ./market upload ~/Pictures --as {ACCOUNTS['contributor']}\n",
        markup=False,
    )
