"""What a resource hands to a function that uses it: its settings, permissions and layers as one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aws_cdk import aws_iam as iam

from cdk.foundation.rules import Accepted


@dataclass(frozen=True)
class Use:
    """One way of using a resource. Uses are added up: `originals.read(Folder.CLEAN) + queue.send()`."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Fields of the rooms' settings by name."""
    permissions: tuple[iam.PolicyStatement, ...] = ()
    layers: tuple[str, ...] = ()
    """Folders of `layers/`."""
    accepted: tuple[Accepted, ...] = ()

    def __add__(self, other: Use) -> Use:
        """Raises ValueError when both set one setting, and to different values."""
        for name in self.settings.keys() & other.settings.keys():
            if self.settings[name] != other.settings[name]:
                raise ValueError(f"{name} is {self.settings[name]!r} and {other.settings[name]!r}")
        return Use(
            {**self.settings, **other.settings},
            (*self.permissions, *other.permissions),
            tuple(dict.fromkeys((*self.layers, *other.layers))),
            tuple(dict.fromkeys((*self.accepted, *other.accepted))),
        )


def total(uses: Iterable[Use]) -> Use:
    """All of them as one."""
    return sum(uses, Use())


def layer(*names: str) -> Use:
    """Packages that a function imports, by folders of `layers/`."""
    return Use(layers=names)


def setting(**settings: str) -> Use:
    """Settings that come with no permission."""
    return Use(settings)


def allow(*actions: str, on: str) -> Use:
    """Permission for some actions on one resource."""
    return Use(permissions=(iam.PolicyStatement(actions=list(actions), resources=[on]),))
