"""Fills a fresh local cloud with people and pictures, over the public API as anybody would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from local.cloud import Cloud
from local.layout import REPOSITORY, Layout, LocalError, digest_of, write_private
from local.progress import console, step

ACCOUNTS = {
    "contributor": "contributor@example.com",
    "buyer": "buyer@example.com",
    "admin": "admin@example.com",
}
_NAMES = {"contributor": "Demo Contributor", "buyer": "Demo Buyer", "admin": "Demo Admin"}


def _command(cloud: Cloud, *arguments: str, password: str) -> int:
    """The exit status of the product's command line against this cloud; its words go to the terminal."""
    environment = (
        os.environ
        | cloud.environment()
        | {
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}",
            "MARKET_PASSWORD": password,
        }
    )
    command = [sys.executable, "-m", "imagemarket.cli", *arguments]
    # In a session of its own, so that Ctrl-C comes to it once, by us, and it is given the time to end in order.
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True) as running:
        try:
            return running.wait()
        except BaseException:
            running.send_signal(signal.SIGINT)
            running.wait()
            raise


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
        if _command(cloud, "users", "confirm", ACCOUNTS[role], password="") != 0:
            raise LocalError(f"the demo's {role} could not be confirmed: see above")
    made = _command(
        cloud, "users", "create-admin", ACCOUNTS["admin"], "--if-missing", password=cloud.layout.secret("admin")
    )
    if made != 0:
        raise LocalError("the demo's admin could not be made: see above")


def load_demo(cloud: Cloud, folder: Path | None) -> None:
    """Make the demo's accounts and upload its pictures, or those of a folder of one's own; once.

    A run that was cut off goes on where it was. The accounts are told of in any case, also when they or the pictures do
    not come through.
    """
    stamp = cloud.layout.data / "demo"
    wanted = str(folder.resolve()) if folder else digest_of([REPOSITORY / "local" / "demo"])
    if stamp.exists() and wanted in stamp.read_text().splitlines():
        return
    try:
        with step("Demo accounts"):
            make_accounts(cloud)
        through = _upload(cloud, folder or _demo_pictures(cloud.layout, wanted))
    except BaseException:
        tell(cloud)
        raise
    if not through and folder is None:
        tell(cloud)
        raise LocalError("not all of the demo's pictures came through, for the reason above; up tries them again")
    if through:
        write_private(stamp, (stamp.read_text() if stamp.exists() else "") + wanted + "\n")


def _demo_pictures(layout: Layout, version: str) -> Path:
    """The folder of the demo's pictures, made where it is not whole."""
    from local.demo.content import make_demo

    pictures = layout.made / "demo" / version[:16]
    complete = pictures.with_suffix(".complete")
    if not complete.exists():
        with step("Demo pictures") as say:
            pictures.mkdir(parents=True, exist_ok=True)
            make_demo(pictures, say)
            complete.touch()
    return pictures


def _upload(cloud: Cloud, pictures: Path) -> bool:
    """Whether every picture is in the catalogue, or waits for a review."""
    console.print("· Uploading through the public API")
    uploaded = _command(
        cloud,
        *("upload", str(pictures), "--as", ACCOUNTS["contributor"]),
        *("--journal", str(cloud.layout.data / "uploads.json")),
        password=cloud.layout.secret("contributor"),
    )
    return uploaded == 0


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
