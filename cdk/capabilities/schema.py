"""The database's schema, brought to the newest revision before any other stack changes."""

from __future__ import annotations

from cdk.foundation.assets import LIBRARY, digest
from cdk.foundation.capability import Capability
from cdk.foundation.deployment import DeploymentStep
from cdk.foundation.market import FIRST
from cdk.foundation.use import layer
from cdk.stages.model import Load


class Schema(Capability):
    group = FIRST

    def make(self) -> None:
        migrate = self.function(
            "migrate_database",
            "brings the schema to the newest revision",
            seconds=600,
            load=Load.INTERACTIVE,
            uses=[layer("migrations"), self.market.database.migrate()],
        )
        DeploymentStep(
            self,
            "Schema",
            function=migrate,
            resource_type="DatabaseSchema",
            reasons={
                "Revisions": digest(LIBRARY / "schema"),
                "Logins": ",".join(login.arn for login in self.market.secrets.roles.values()),
            },
        )
