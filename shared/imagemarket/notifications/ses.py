"""E-mail by Amazon SES."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from imagemarket.notifications.messages import as_message
from imagemarket.notifications.ports import Mail, UndeliverableMail
from imagemarket.platform.aws import aws_errors
from imagemarket.platform.errors import DependencyRefused

_FINAL = "MessageRejected"
"""A refusal of this very mail; others are of the settings, of the account or of too many at once, and pass."""


class SesMailer:
    """Sends through SES version 2."""

    def __init__(self, client: Any, sender: str) -> None:
        """`client` is boto3's `sesv2`; `sender` an address that SES has verified."""
        self._client = client
        self._sender = sender

    def send(self, mail: Mail) -> None:
        message = as_message(mail, self._sender).as_bytes()
        try:
            with aws_errors("The mail service"):
                self._client.send_email(Destination={"ToAddresses": [mail.to]}, Content={"Raw": {"Data": message}})
        except DependencyRefused as refused:
            if self._is_final(refused):
                raise UndeliverableMail(f"SES refused it for good ({_FINAL})") from refused
            raise

    def _is_final(self, refused: DependencyRefused) -> bool:
        """Whether no try would send the mail. An address that is not verified may be the sender's, which an operator
        mends."""
        return refused.code == _FINAL and parseaddr(self._sender)[1] not in refused.message
