"""E-mail as files in a folder, for one machine."""

from __future__ import annotations

import re
from pathlib import Path

from imagemarket.notifications.messages import as_message
from imagemarket.notifications.ports import Mail
from imagemarket.platform.errors import DependencyUnavailable


class FileMailer:
    """Writes each e-mail as `{message id}.eml`, its text as it is, so that a token can be copied from it; the same
    one again replaces its file."""

    def __init__(self, folder: Path, sender: str = "imagemarket <no-reply@localhost>") -> None:
        self._folder = folder
        self._sender = sender

    def send(self, mail: Mail) -> None:
        path = self._folder / f"{re.sub(r'[^0-9A-Za-z.-]', '_', mail.message_id)}.eml"
        try:
            self._folder.mkdir(exist_ok=True)  # its parent is the clone's, which may have been moved away
            path.write_bytes(as_message(mail, self._sender, encoding="8bit").as_bytes())
        except OSError as error:
            raise DependencyUnavailable("The mail folder cannot be written to.") from error
