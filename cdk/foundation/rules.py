"""Where a rule of cdk-nag is knowingly not followed, and why; the checks run in `tests/infra`."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """A finding on the construct (or below it) that stands; `rule` as the check names it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


@dataclass(frozen=True)
class Accepted:
    """A finding on a permission that stands, wherever the permission is given."""

    rule: str
    reason: str

    def on(self, construct: IConstruct) -> None:
        Validations.of(construct).acknowledge(Acknowledgment(id=self.rule, reason=self.reason))
