"""One normal form for e-mail addresses, so that one person has one account."""

from __future__ import annotations

from imagemarket.identity.models import MAX_EMAIL_CHARACTERS
from imagemarket.platform.errors import InvalidRequest

_ENCODED_WORD = "=?"
"""In a header it may begin a word in RFC 2047's encoding, which could spell another address."""


def normalise(address: str) -> str:
    """The form an address is kept and looked up in: trimmed, lower case, an IDN domain as ASCII.

    Syntax alone is checked: asking the DNS would let anyone make this service ask it. The local part
    is folded to lower case although RFC 5321 lets a host tell `Ann@` from `ann@`: none does, and two
    accounts a shift key apart would be a trap. Raises `InvalidRequest`, which does not repeat the
    address.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(
            address.strip(),
            check_deliverability=False,
            allow_smtputf8=False,
            strict=True,
            # Lets the reserved domain `.test` through, for demonstrations.
            test_environment=True,
        )
    except EmailNotValidError:
        checked = None
    ascii_form = checked.ascii_email if checked is not None else None
    if ascii_form is None or len(ascii_form) > MAX_EMAIL_CHARACTERS or _ENCODED_WORD in ascii_form:
        message = f"must be an address such as ann@example.com, of at most {MAX_EMAIL_CHARACTERS} characters"
        raise InvalidRequest(f"email: {message}.", errors=[{"in": "body", "field": "email", "detail": message}])
    return ascii_form.lower()
