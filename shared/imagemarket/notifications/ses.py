"""E-mail by Amazon SES."""

from __future__ import annotations

from typing import Any

from imagemarket.notifications.messages import as_message
from imagemarket.notifications.ports import Mail
from imagemarket.platform.errors import DependencyUnavailable


class SesMailer:
    """Sends through SES version 2."""

    def __init__(self, client: Any, sender: str) -> None:
        """`client` is boto3's `sesv2`; `sender` an address that SES has verified."""
        self._client = client
        self._sender = sender

    def send(self, mail: Mail) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        message = as_message(mail, self._sender).as_bytes()
        try:
            self._client.send_email(Destination={"ToAddresses": [mail.to]}, Content={"Raw": {"Data": message}})
        except (ClientError, BotoCoreError) as error:
            raise DependencyUnavailable("The mail service did not take the message; try again.") from error
