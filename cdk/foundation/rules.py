"""Where a rule of cdk-nag is knowingly not followed, and why; the checks run in `tests/infra`."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """A finding on the construct (or below it) that stands; `rule` as the check names it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
