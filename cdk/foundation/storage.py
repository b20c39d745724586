"""The buckets: originals and their clean renditions, what passes between the saga's steps, what the CDN serves."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.foundation.rules import Accepted, acknowledge
from cdk.foundation.use import Use
from cdk.stages.model import Stage
from imagemarket.catalog.keys import Folder

ENDED_TAG = {"state": "ended"}
RETRY_WINDOW_DAYS = 30
"""As `imagemarket.ingestion.models` has them: compensation tags by them."""


class Bucket:
    """A bucket whose folders functions use one by one."""

    def __init__(self, bucket: s3.Bucket, *, setting: str, stage: Stage) -> None:
        """`setting` is told its name."""
        self.bucket = bucket
        # an emulator's buckets are addressed by path
        self.settings = {"stage": stage.name, setting: bucket.bucket_name}

    def allow(self, folder: str, *actions: str) -> Use:
        """Some actions on the objects of a folder."""
        return Use(
            self.settings,
            (
                iam.PolicyStatement(
                    actions=[f"s3:{action}" for action in actions],
                    resources=[self.bucket.arn_for_objects(f"{folder}/*")],
                ),
            ),
            accepted=(
                Accepted(
                    f"AwsSolutions-IAM5[Resource::{self._exported_arn}/{folder}/*]",
                    "One folder of one bucket; the objects in it have names that nobody knows beforehand.",
                ),
            ),
        )

    def list(self, *folders: str) -> Use:
        """Allows listing key prefixes. Without it S3 answers 403 instead of 404 for a missing key."""
        return Use(
            self.settings,
            (
                iam.PolicyStatement(
                    actions=["s3:ListBucket"],
                    resources=[self.bucket.bucket_arn],
                    conditions={"StringLike": {"s3:prefix": [f"{folder}/*" for folder in folders]}},
                ),
            ),
        )

    def read(self, folder: str) -> Use:
        """Get objects of a folder."""
        return self.allow(folder, "GetObject")

    def write(self, folder: str) -> Use:
        """Put objects into a folder."""
        return self.allow(folder, "PutObject")

    def replace(self, folder: str) -> Use:
        """Put the objects of a folder, list them, and delete those that were made before."""
        return self.allow(folder, "PutObject", "DeleteObject") + self.list(folder)

    def clear(self, *folders: str) -> Use:
        """List objects of some folders and delete them."""
        return sum((self.allow(folder, "DeleteObject") for folder in folders), self.list(*folders))

    def tag(self, folder: str) -> Use:
        """Mark objects of a folder and their versions for a lifecycle rule, or take the mark off."""
        return self.allow(folder, "PutObjectTagging", "PutObjectVersionTagging")

    @property
    def _exported_arn(self) -> str:
        """The name by which other stacks import its ARN, as a check of their templates reads it."""
        owner = Stack.of(self.bucket)
        return owner.resolve(owner.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]


class Storage(Construct):
    """Every bucket is private, encrypted, reached by TLS alone, and logged."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        # Parts that never became an object are found by nobody and paid for by us.
        abandoned = s3.LifecycleRule(id="abandoned-parts", abort_incomplete_multipart_upload_after=Duration.days(1))

        self._access_logs = s3.Bucket(
            self,
            "AccessLogs",
            **self._private,
            lifecycle_rules=[s3.LifecycleRule(id="old-logs", expiration=Duration.days(90)), abandoned],
            removal_policy=stage.removal,
        )
        acknowledge(
            self._access_logs,
            "AwsSolutions-S1",
            "This is where the other buckets' access logs go; its own would log themselves.",
        )
        originals = self._bucket(
            "Originals",
            versioned=True,
            removal_policy=stage.removal,
            cors=[
                s3.CorsRule(
                    # GET for the clean rendition, which the API redirects a page to.
                    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.POST, s3.HttpMethods.PUT],
                    allowed_origins=list(stage.edge.bucket_origins),
                    allowed_headers=["*"],
                    exposed_headers=["ETag"],
                    max_age=3600,
                )
            ],
            lifecycle_rules=[
                abandoned,
                # No rule takes a version of a live image's original, current or not: an image names its version for
                # good, and what is posted after it lies above it until its event has deleted it. A picture that did
                # not make it can be tried again for a while; only its version carries the tag.
                s3.LifecycleRule(
                    id="ended-originals",
                    prefix=f"{Folder.ORIGINALS}/",
                    tag_filters=ENDED_TAG,
                    expiration=Duration.days(RETRY_WINDOW_DAYS),
                    noncurrent_version_expiration=Duration.days(RETRY_WINDOW_DAYS),
                ),
                # What is made from originals is made again; what was deleted of it can be had back for a while.
                *(
                    s3.LifecycleRule(
                        id=f"replaced-{folder}", prefix=f"{folder}/", noncurrent_version_expiration=Duration.days(30)
                    )
                    for folder in (Folder.CLEAN, Folder.QUARANTINE)
                ),
                s3.LifecycleRule(id="markers-of-nothing", expired_object_delete_marker=True),
                s3.LifecycleRule(
                    id="originals-rest",
                    prefix=f"{Folder.ORIGINALS}/",
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.INTELLIGENT_TIERING, transition_after=Duration.days(30)
                        )
                    ],
                ),
            ],
        )
        # Natively, since CDK's own switch for it deploys a function that edits the bucket afterwards.
        bucket = originals.node.default_child
        assert isinstance(bucket, s3.CfnBucket)
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        work = self._bucket(
            "Work",
            removal_policy=RemovalPolicy.DESTROY,  # it can be made again from the originals
            cors=[
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.POST],
                    allowed_origins=list(stage.edge.bucket_origins),
                    allowed_headers=["*"],
                    max_age=3600,
                )
            ],
            lifecycle_rules=[
                s3.LifecycleRule(id="passing", expiration=Duration.days(7)),
                # Pictures that people search by are deleted once that is done; these are the ones nobody came back for.
                s3.LifecycleRule(id="queries", prefix=f"{Folder.QUERIES}/", expiration=Duration.days(1)),
                abandoned,
            ],
        )
        renditions = self._bucket("Renditions", removal_policy=stage.removal, lifecycle_rules=[abandoned])
        self.originals = Bucket(originals, setting="originals_bucket", stage=stage)
        self.work = Bucket(work, setting="work_bucket", stage=stage)
        self.renditions = Bucket(renditions, setting="renditions_bucket", stage=stage)

    @property
    def _private(self) -> dict[str, Any]:
        return {
            "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
            "object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            "encryption": s3.BucketEncryption.S3_MANAGED,
            "enforce_ssl": True,
            "minimum_tls_version": 1.2,
        }

    def _bucket(self, construct_id: str, **properties: Any) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            **self._private,
            server_access_logs_bucket=self._access_logs,
            server_access_logs_prefix=f"{construct_id.lower()}/",
            **properties,
        )
