"""What can be deployed again at any time: functions, the saga, the API, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.administration import DeadLetterOperatorPolicy, dead_letter_permissions
from cdk.foundation.api import Api, routes
from cdk.foundation.assets import LIBRARY, digest
from cdk.foundation.deployment import DeploymentStep
from cdk.foundation.function import MarketFunction
from cdk.foundation.layers import Layers
from cdk.foundation.observability import Observability
from cdk.foundation.queues import (
    CALL_WEBHOOKS_SECONDS,
    END_EXECUTIONS_SECONDS,
    INDEX_IMAGES_SECONDS,
    START_INGESTION_SECONDS,
    TELL_CONTRIBUTORS_SECONDS,
    DeadLetters,
)
from cdk.foundation.rules import acknowledge
from cdk.foundation.saga import Saga
from cdk.foundation.schedules import Schedules
from cdk.stacks.state import StateStack
from cdk.stages.model import Load, Stage
from imagemarket.catalog.keys import Folder
from imagemarket.platform.roles import DatabaseRole

_SQS_BATCH = 10
_INDEX_BATCH = 100

Settings = dict[str, str]


@dataclass(frozen=True)
class _Objects:
    """Leave for some actions on the objects of one folder of a bucket."""

    bucket: s3.Bucket
    folder: str
    actions: tuple[str, ...]

    def statement(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=[f"s3:{action}" for action in self.actions],
            resources=[self.bucket.arn_for_objects(f"{self.folder}/*")],
        )


def _objects(bucket: s3.Bucket, folder: str, *actions: str) -> _Objects:
    return _Objects(bucket, folder, actions)


def _listing(bucket: s3.IBucket, *folders: str) -> iam.PolicyStatement:
    """Allows listing key prefixes. Without it S3 answers 403 instead of 404 for a missing key."""
    return iam.PolicyStatement(
        actions=["s3:ListBucket"],
        resources=[bucket.bucket_arn],
        conditions={"StringLike": {"s3:prefix": [f"{folder}/*" for folder in folders]}},
    )


def send_permission(queue: sqs.IQueue) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])


class ApplicationStack(Stack):
    """Each function is given the settings that its services read and leave for what they do, no more."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, state: StateStack, **kwargs: Any) -> None:
        super().__init__(
            scope,
            construct_id,
            description="imagemarket: functions, saga, API, schedules",
            stack_name=construct_id,
            **kwargs,
        )
        self._stage = stage
        self._state = state
        self._layers = Layers(self, "Layers", stage=stage)
        self.functions: dict[str, MarketFunction] = {}

        storage, queues = state.storage, state.queues
        originals, work, renditions = storage.originals, storage.work, storage.renditions

        # --- the deployment's own steps
        self._function(
            "migrate_database",
            "brings the schema to the newest revision",
            seconds=600,
            memory_mb=512,
            load=Load.INTERACTIVE,
            layers=["migrations"],
            settings=self._connecting(stage.database.owner_secret_arn)
            | {"database_role_secret_arns": ",".join(login.arn for login in state.secrets.roles.values())},
            grants=[
                iam.PolicyStatement(
                    actions=["secretsmanager:GetSecretValue"], resources=[stage.database.owner_secret_arn]
                ),
                *(login.read_permission() for login in state.secrets.roles.values()),
            ],
        )
        self._function(
            "provision_keys",
            "makes the signing keys, publishes their public halves",
            seconds=60,
            memory_mb=512,
            load=Load.INTERACTIVE,
            layers=["api"],
            settings=self._signing_key | self._jwks,
            grants=[
                state.secrets.signing_key.read_permission(),
                state.secrets.signing_key.write_permission(),
                self._parameter("ssm:GetParameter", "ssm:PutParameter"),
            ],
        )
        schema = DeploymentStep(
            self,
            "Schema",
            function=self.functions["migrate_database"],
            resource_type="DatabaseSchema",
            reasons={
                "Revisions": digest(LIBRARY / "schema"),
                "Logins": ",".join(login.arn for login in state.secrets.roles.values()),
            },
        )
        keys = DeploymentStep(
            self,
            "SigningKeys",
            function=self.functions["provision_keys"],
            resource_type="SigningKeys",
            reasons={
                "Parameter": stage.jwks_parameter,
                "Code": digest(LIBRARY / "identity" / "signing_keys.py"),
            },
        )

        # --- the saga
        self._function(
            "inspect_image",
            "decodes the original once, safely",
            seconds=110,
            memory_mb=3008,
            load=Load.PIPELINE,
            role=DatabaseRole.DECODER,
            layers=["imaging"],
            settings=self._originals | self._work,
            grants=[
                _objects(originals, Folder.ORIGINALS, "GetObject", "GetObjectVersion"),
                _objects(work, Folder.WORK, "PutObject"),
            ],
        )
        self._function(
            "detect_duplicate",
            "refuses what the catalogue has already",
            seconds=25,
            memory_mb=512,
            load=Load.BACKGROUND,
            role=DatabaseRole.MAKER,
            settings={},
            grants=[],
        )
        self._function(
            "make_thumbnails",
            "the clean renditions",
            seconds=110,
            memory_mb=3008,
            load=Load.PIPELINE,
            role=DatabaseRole.MAKER,
            layers=["imaging"],
            settings=self._originals | self._work | self._renditions | {"public_base_url": stage.edge.public_base_url},
            grants=[
                _objects(work, Folder.WORK, "GetObject"),
                _objects(renditions, Folder.THUMBNAILS, "PutObject", "DeleteObject"),
                _objects(originals, Folder.CLEAN, "PutObject", "DeleteObject"),
                _listing(renditions, Folder.THUMBNAILS),
                _listing(originals, Folder.CLEAN),
            ],
        )
        self._function(
            "make_watermark",
            "the marked public preview",
            seconds=110,
            memory_mb=3008,
            load=Load.PIPELINE,
            role=DatabaseRole.MAKER,
            layers=["imaging"],
            settings=self._work | self._renditions | {"public_base_url": stage.edge.public_base_url},
            grants=[
                _objects(work, Folder.WORK, "GetObject"),
                _objects(renditions, Folder.WATERMARKED, "PutObject", "DeleteObject"),
                _listing(renditions, Folder.WATERMARKED),
            ],
        )
        self._function(
            "embed_and_tag",
            "asks the model what the picture shows",
            seconds=55,
            memory_mb=512,
            load=Load.PIPELINE,
            role=DatabaseRole.MAKER,
            settings=self._work | {"model_endpoint_name": stage.vision.endpoint_name},
            grants=[
                _objects(work, Folder.WORK, "GetObject", "PutObject"),
                self._asking_the_model(),
            ],
        )
        self._function(
            "publish_image",
            "refuses copies, decides the status, writes everything in one transaction",
            seconds=55,
            memory_mb=1769,  # one whole core: comparing pictures is all CPU
            load=Load.BACKGROUND,
            role=DatabaseRole.INGESTION,
            layers=["matching", *stage.search.layers],
            settings=self._vector_engine | self._work | self._renditions | self._outbox_queues,
            grants=[
                _objects(work, Folder.WORK, "GetObject"),
                _objects(renditions, Folder.THUMBNAILS, "GetObject"),
                _listing(renditions, Folder.THUMBNAILS),
                send_permission(queues.index),
                send_permission(queues.notifications),
                *self._reaching(stage.search.vector),
            ],
        )
        self._function(
            "compensate_image",
            "ends an image that did not make it",
            seconds=55,
            memory_mb=512,
            load=Load.BACKGROUND,
            role=DatabaseRole.INGESTION,
            settings=self._originals | self._work | self._renditions | self._outbox_queues,
            grants=[*self._compensating],
        )
        saga = Saga(
            self,
            "Saga",
            stage=stage,
            steps={
                "InspectImage": self.functions["inspect_image"],
                "DetectDuplicate": self.functions["detect_duplicate"],
                "MakeThumbnails": self.functions["make_thumbnails"],
                "MakeWatermark": self.functions["make_watermark"],
                "EmbedAndTag": self.functions["embed_and_tag"],
                "PublishImage": self.functions["publish_image"],
                "CompensateImage": self.functions["compensate_image"],
            },
        )

        # --- HTTP
        self._function(
            "authorizer",
            "who sends this request?",
            seconds=10,
            memory_mb=512,
            load=Load.INTERACTIVE,
            layers=["api"],
            settings=self._jwks | {"token_issuer": stage.identity.token_issuer},
            grants=[self._parameter("ssm:GetParameter")],
        )
        self._function(
            "auth_api",
            "accounts, sign-in, public keys",
            seconds=29,
            memory_mb=1769,  # one whole core: bcrypt is all CPU
            load=Load.INTERACTIVE,
            role=DatabaseRole.IDENTITY,
            layers=["api"],
            settings=self._signing_key
            | self._jwks
            | {
                "token_issuer": stage.identity.token_issuer,
                "bcrypt_cost": str(stage.identity.bcrypt_cost),
                "counters_url": stage.valkey.counters_url,
                "notifications_queue_url": queues.notifications.queue_url,
            },
            grants=[
                state.secrets.signing_key.read_permission(),
                self._parameter("ssm:GetParameter"),
                send_permission(queues.notifications),
            ],
        )
        self._function(
            "upload_api",
            "announcing uploads",
            seconds=29,
            memory_mb=1024,
            load=Load.INTERACTIVE,
            role=DatabaseRole.UPLOADER,
            layers=["api"],
            settings=self._originals
            | {
                "public_base_url": stage.edge.public_base_url,
                "open_uploads": str(stage.uploads.open_uploads),
                "announced_gib_a_day": str(stage.uploads.announced_gib_a_day),
                "state_machine_arn": saga.machine.state_machine_arn,
                "counters_url": stage.valkey.counters_url,
            },
            grants=[
                # a presigned form or URL may do what its signer may
                _objects(
                    originals,
                    Folder.ORIGINALS,
                    "PutObject",
                    "GetObject",
                    "AbortMultipartUpload",
                    "ListMultipartUploadParts",
                ),
                # a next try finds the version that was kept, and takes its mark off
                _objects(
                    originals, Folder.ORIGINALS, "GetObjectVersion", "PutObjectTagging", "PutObjectVersionTagging"
                ),
                _listing(originals, Folder.ORIGINALS),
                saga.start_permission(),
            ],
        )
        self._function(
            "status_api",
            "how uploads fare, for those who ask and those who wait",
            seconds=29,
            memory_mb=512,
            load=Load.LONG_POLL,
            role=DatabaseRole.UPLOADER,
            layers=["api"],
            settings={"counters_url": stage.valkey.counters_url, "requests_held": str(stage.uploads.requests_held)},
            grants=[],
        )
        self._function(
            "encode_text",
            "the vector of a query's words",
            seconds=29,
            memory_mb=1769,  # one whole core, which is what encoding a text takes
            load=Load.INFERENCE,
            layers=["vision"],
            settings=self._s3 | {"model_bundle": stage.vision.model_bundle},
            grants=self._reading_bundles(),
        )
        self._function(
            "search_api",
            "finding pictures and looking at one",
            seconds=29,
            memory_mb=1769,
            load=Load.INTERACTIVE,
            role=DatabaseRole.READER,
            layers=["api", "search", *stage.search.layers],
            settings=self._search_engines
            | {
                "cursor_secret_arn": state.secrets.cursor_key.arn,
                "encode_text_function": self.functions["encode_text"].function_name,
                "search_fusion": stage.search.fusion,
                "public_base_url": stage.edge.public_base_url,
                "media_base_url": stage.edge.media_base_url,
                "cache_url": stage.valkey.cache_url,
                "counters_url": stage.valkey.counters_url,
            },
            grants=[
                state.secrets.cursor_key.read_permission(),
                iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[self.functions["encode_text"].arn]),
                *self._searching,
            ],
        )
        self._function(
            "picture_api",
            "finding pictures by a picture",
            seconds=29,
            memory_mb=1769,
            load=Load.INTERACTIVE,
            role=DatabaseRole.READER,
            layers=["api", "imaging", "search", *stage.search.layers],
            settings=self._search_engines
            | self._work
            | {
                "cache_url": stage.valkey.cache_url,
                "counters_url": stage.valkey.counters_url,
                "model_endpoint_name": stage.vision.endpoint_name,
                "public_base_url": stage.edge.public_base_url,
                "media_base_url": stage.edge.media_base_url,
            },
            grants=[
                # a presigned form may do what its signer may
                _objects(work, "queries", "PutObject", "GetObject", "DeleteObject"),
                _listing(work, "queries"),
                self._asking_the_model(),
                *self._searching,
            ],
        )
        self._function(
            "delivery_api",
            "previews for anyone, clean renditions for those with a right",
            seconds=29,
            memory_mb=512,
            load=Load.INTERACTIVE,
            role=DatabaseRole.READER,
            layers=["api"],
            settings=self._originals
            | {"media_base_url": stage.edge.media_base_url, "counters_url": stage.valkey.counters_url},
            grants=[_objects(originals, Folder.CLEAN, "GetObject")],
        )
        self._function(
            "notifications_api",
            "what contributors are told, and where they want to be told",
            seconds=29,
            memory_mb=512,
            load=Load.INTERACTIVE,
            role=DatabaseRole.NOTIFIER,
            layers=["api"],
            settings=self._webhooks_queue | self._webhook_rules | {"counters_url": stage.valkey.counters_url},
            grants=[send_permission(queues.webhooks)],
        )
        self._function(
            "image_pages",
            "the pages of pictures and of terms, for people and search engines",
            seconds=29,
            memory_mb=512,
            load=Load.INTERACTIVE,
            role=DatabaseRole.READER,
            layers=["api"],
            settings={
                "public_base_url": stage.edge.public_base_url,
                "media_base_url": stage.edge.media_base_url,
                "counters_url": stage.valkey.counters_url,
            },
            grants=[],
        )
        self._function(
            "docs_api",
            "health, the OpenAPI document, the docs page",
            seconds=29,
            memory_mb=512,
            load=Load.INTERACTIVE,
            layers=["api"],
            settings={"public_base_url": stage.edge.public_base_url},
            grants=[],
        )
        api = Api(
            self,
            "Api",
            stage=stage,
            functions={name: self.functions[name] for name in {route.function for route in routes()}},
            authorizer=self.functions["authorizer"],
        )
        api.stage.node.add_dependency(schema, keys)  # nobody is served before there is a schema and a key

        # --- queues and schedules
        self._function(
            "start_ingestion",
            "starts the saga of an original that arrived",
            seconds=START_INGESTION_SECONDS,
            memory_mb=512,
            load=Load.BACKGROUND,
            role=DatabaseRole.INGESTION,
            settings=self._originals | {"state_machine_arn": saga.machine.state_machine_arn},
            grants=[
                # of the versions that arrive, all but the one that the image is made of are deleted
                _objects(originals, Folder.ORIGINALS, "GetObject", "DeleteObjectVersion"),
                _listing(originals, Folder.ORIGINALS),
                saga.start_permission(),
            ],
        )
        self._function(
            "index_images",
            "writes search documents",
            seconds=INDEX_IMAGES_SECONDS,
            memory_mb=512,
            load=Load.BACKGROUND,
            role=DatabaseRole.INDEXER,
            layers=["api", "search", *stage.search.layers],
            settings=self._search_engines | {"counters_url": stage.valkey.counters_url},
            grants=[*self._searching],
        )
        self._function(
            "tell_contributors",
            "passes news of an image on to its contributor's webhooks and mailbox",
            seconds=TELL_CONTRIBUTORS_SECONDS,
            memory_mb=512,
            load=Load.BACKGROUND,
            role=DatabaseRole.NOTIFIER,
            settings=self._webhooks_queue
            | {"mail": stage.notifications.mail, "public_base_url": stage.edge.public_base_url},
            grants=[send_permission(queues.webhooks), *self._mailing()],
        )
        self._function(
            "call_webhooks",
            "makes one attempt at a webhook delivery",
            seconds=CALL_WEBHOOKS_SECONDS,
            memory_mb=512,
            load=Load.OUTBOUND,
            role=DatabaseRole.NOTIFIER,
            settings=self._webhooks_queue | self._webhook_rules,
            grants=[send_permission(queues.webhooks)],
        )
        self._drain(queues.notifications, "tell_contributors", batch=_SQS_BATCH, gather_seconds=0)
        # one at a time, so that a slow receiver keeps nobody else's deliveries waiting
        self._drain(
            queues.webhooks, "call_webhooks", batch=1, gather_seconds=0, at_once=stage.notifications.webhooks_in_flight
        )
        self._function(
            "end_executions",
            "ends the images of executions that ended badly",
            seconds=END_EXECUTIONS_SECONDS,
            memory_mb=512,
            load=Load.SINGLETON,
            role=DatabaseRole.INGESTION,
            settings=self._originals | self._work | self._renditions | self._outbox_queues,
            grants=[*self._compensating],
        )
        self._drain(queues.endings, "end_executions", batch=_SQS_BATCH, gather_seconds=0)
        self._drain(queues.uploads, "start_ingestion", batch=_SQS_BATCH, gather_seconds=0)
        self._drain(queues.index, "index_images", batch=_INDEX_BATCH, gather_seconds=stage.search.index_batch_seconds)

        dead_runs = DeadLetters(self, "DeadRuns", name=f"{stage.prefix}-schedules-dead")
        self._function(
            "relay_outbox",
            "sends what a crash left in the outbox, wakes webhooks that are due",
            seconds=50,
            memory_mb=512,
            load=Load.SINGLETON,
            role=DatabaseRole.UPKEEP,
            settings=self._outbox_queues | self._webhooks_queue,
            grants=[
                send_permission(queues.index),
                send_permission(queues.notifications),
                send_permission(queues.webhooks),
            ],
            dead_letters=dead_runs.queue,
        )
        self._function(
            "gather_search_events",
            "takes what was searched and looked at into its table",
            seconds=50,
            memory_mb=512,
            load=Load.SINGLETON,
            role=DatabaseRole.INDEXER,
            layers=["api", "search"],
            settings={"cache_url": stage.valkey.cache_url},
            grants=[],
            dead_letters=dead_runs.queue,
        )
        self._function(
            "run_maintenance",
            "partitions ahead of time, expired rows away",
            seconds=300,
            memory_mb=512,
            load=Load.SINGLETON,
            role=DatabaseRole.UPKEEP,
            settings={},
            grants=[],
            dead_letters=dead_runs.queue,
        )
        self._function(
            "sweep_uploads",
            "looks after uploads and images that nothing carries on",
            seconds=300,
            memory_mb=512,
            load=Load.SINGLETON,
            role=DatabaseRole.INGESTION,
            settings=self._originals
            | self._work
            | self._renditions
            | self._outbox_queues
            | {
                "state_machine_arn": saga.machine.state_machine_arn,
                "stalled_after_seconds": str(stage.uploads.stalled_after_seconds),
            },
            grants=[
                _objects(originals, Folder.ORIGINALS, "GetObject", "AbortMultipartUpload", "DeleteObjectVersion"),
                _listing(originals, Folder.ORIGINALS),
                *self._compensating,
                saga.start_permission(),
                saga.watch_permission(),
            ],
            dead_letters=dead_runs.queue,
        )
        dead = [dead for _, dead in queues.pairs]
        self._function(
            "remediate_dead_letters",
            "sends again what died of something that passes",
            seconds=300,
            memory_mb=512,
            load=Load.SINGLETON,
            role=DatabaseRole.UPKEEP,
            settings=self._s3,
            grants=[
                *dead_letter_permissions([*dead, dead_runs.queue], [source for source, _ in queues.pairs]),
            ],
            dead_letters=dead_runs.queue,
        )
        sweeping = self.functions["sweep_uploads"].function.role
        assert sweeping is not None
        acknowledge(
            sweeping,
            f"AwsSolutions-IAM5[Resource::arn:aws:states:{self.region}:{self.account}:execution:{saga.name}:*]",
            "The executions of one machine, which are named after images that nobody knows beforehand.",
        )
        schedules = Schedules(
            self,
            "Schedules",
            stage=stage,
            dead_runs=dead_runs,
            relay_outbox=self.functions["relay_outbox"],
            sweep_uploads=self.functions["sweep_uploads"],
            gather_search_events=self.functions["gather_search_events"],
            run_maintenance=self.functions["run_maintenance"],
            remediate_dead_letters=self.functions["remediate_dead_letters"],
        )
        duty = DeadLetterOperatorPolicy(
            self,
            "DeadLetterOperators",
            stage=stage,
            queues=queues,
            dead_runs=dead_runs.queue,
            schedules=schedules,
            database=state.secrets.roles[DatabaseRole.OPERATOR],
            stacks=[state, self],
        )

        Observability(
            self,
            "Observability",
            stage=stage,
            queues={source.node.id.lower(): source for source, _ in queues.pairs},
            dead={source.node.id.lower(): dead for source, dead in queues.pairs} | {"schedules": dead_runs.queue},
            machine=saga.machine,
            api=api.api,
            told=state.alarms.topic,
        )

        outputs = {
            "ApiUrl": api.api.api_endpoint,
            "ApiId": api.api.api_id,
            "StateMachineArn": saga.machine.state_machine_arn,
            "JwksParameter": stage.jwks_parameter,
            "DeadLetterPolicyArn": duty.policy.managed_policy_arn,
            "CommandSettings": self.to_json_string(self._command_settings(saga.machine.state_machine_arn)),
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)

    def _command_settings(self, state_machine_arn: str) -> Settings:
        """What the command line reads of a stage; no secret, only where one is kept."""
        stage = self._stage
        return {
            **self._connecting(self._state.secrets.roles[DatabaseRole.OPERATOR].arn),
            **self._originals,
            **self._work,
            **self._renditions,
            **self._outbox_queues,
            **self._webhooks_queue,
            **self._search_engines,
            **self._signing_key,
            "bcrypt_cost": str(stage.identity.bcrypt_cost),
            "cache_url": stage.valkey.cache_url,
            "counters_url": stage.valkey.counters_url,
            "cdn_distribution_id": "none",  # no stage puts one before its renditions yet
            "model_endpoint_name": stage.vision.endpoint_name,
            "public_base_url": stage.edge.public_base_url,
            "media_base_url": stage.edge.media_base_url,
            "stalled_after_seconds": str(stage.uploads.stalled_after_seconds),
            "state_machine_arn": state_machine_arn,
            "token_issuer": stage.identity.token_issuer,
        }

    # --- settings, as fields of `Settings`

    def _connecting(self, secret_arn: str) -> Settings:
        database = self._stage.database
        return {
            "database_address": database.address,
            "database_authorities": database.authorities,
            "database_secret_arn": secret_arn,
            "database_statement_timeout_ms": str(self._stage.database.statement_timeout_ms),
        }

    @property
    def _signing_key(self) -> Settings:
        return {"signing_key_secret_arn": self._state.secrets.signing_key.arn}

    @property
    def _jwks(self) -> Settings:
        return {"jwks_parameter": self._stage.jwks_parameter}

    @property
    def _search_engines(self) -> Settings:
        return {"keyword_engine": self._stage.search.keyword} | self._vector_engine

    @property
    def _vector_engine(self) -> Settings:
        engines = self._stage.search
        return {
            "vector_engine": engines.vector,
            "opensearch_endpoint": engines.opensearch_endpoint,
            "opensearch_language": engines.opensearch_language,
            "qdrant_secret_arn": engines.qdrant_secret_arn,
            "qdrant_shards": str(engines.qdrant_shards),
            "qdrant_replicas": str(engines.qdrant_replicas),
        }

    @property
    def _searching(self) -> list[iam.PolicyStatement]:
        return self._reaching(self._stage.search.keyword, self._stage.search.vector)

    def _reaching(self, *names: str) -> list[iam.PolicyStatement]:
        """Leave to reach those engines that IAM guards; what may be done in a collection its own policy says."""
        engines = self._stage.search
        grants: list[iam.PolicyStatement] = []
        if "opensearch" in names and engines.opensearch_arn:
            grants.append(iam.PolicyStatement(actions=["aoss:APIAccessAll"], resources=[engines.opensearch_arn]))
        if "qdrant" in names and engines.qdrant_secret_arn:
            grants.append(
                iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[engines.qdrant_secret_arn])
            )
        return grants

    @property
    def _originals(self) -> Settings:
        return self._s3 | {"originals_bucket": self._state.storage.originals.bucket_name}

    @property
    def _work(self) -> Settings:
        return self._s3 | {"work_bucket": self._state.storage.work.bucket_name}

    @property
    def _renditions(self) -> Settings:
        return self._s3 | {"renditions_bucket": self._state.storage.renditions.bucket_name}

    @property
    def _s3(self) -> Settings:
        return {"stage": self._stage.name}  # an emulator's buckets are addressed by path

    @property
    def _outbox_queues(self) -> Settings:
        queues = self._state.queues
        return {
            "index_queue_url": queues.index.queue_url,
            "notifications_queue_url": queues.notifications.queue_url,
        }

    @property
    def _webhooks_queue(self) -> Settings:
        return {"webhooks_queue_url": self._state.queues.webhooks.queue_url}

    @property
    def _webhook_rules(self) -> Settings:
        return {"webhook_loopback": str(self._stage.notifications.webhook_loopback).lower()}

    # --- grants

    @property
    def _compensating(self) -> list[iam.PolicyStatement | _Objects]:
        """Leave to remove what the saga made, to mark an original for its lifecycle rule, and to tell of it."""
        storage, queues = self._state.storage, self._state.queues
        originals, work, renditions = storage.originals, storage.work, storage.renditions
        return [
            _objects(renditions, Folder.THUMBNAILS, "DeleteObject"),
            _objects(renditions, Folder.WATERMARKED, "DeleteObject"),
            _objects(originals, Folder.CLEAN, "DeleteObject"),
            _objects(work, Folder.WORK, "DeleteObject"),
            _objects(originals, Folder.ORIGINALS, "PutObjectTagging", "PutObjectVersionTagging"),
            _listing(renditions, Folder.THUMBNAILS, Folder.WATERMARKED),
            _listing(originals, Folder.CLEAN),
            _listing(work, Folder.WORK),
            send_permission(queues.index),
            send_permission(queues.notifications),
        ]

    # --- parts

    def _function(
        self,
        name: str,
        description: str,
        *,
        seconds: int,
        memory_mb: int,
        load: Load,
        settings: Settings,
        grants: Sequence[iam.PolicyStatement | _Objects],
        role: DatabaseRole | None = None,
        layers: Sequence[str] = (),
        dead_letters: sqs.IQueue | None = None,
    ) -> None:
        """`role` is whom it connects to the database as; None: it does not."""
        if role is not None:
            login = self._state.secrets.roles[role]
            settings = self._connecting(login.arn) | settings
            grants = [login.read_permission(), *grants]
        self.functions[name] = MarketFunction(
            self,
            "".join(word.capitalize() for word in name.split("_")),
            stage=self._stage,
            name=name,
            description=description,
            seconds=seconds,
            memory_mb=memory_mb,
            load=load,
            layers=self._layers,
            layer_names=layers,
            settings=settings,
            grants=[grant.statement() if isinstance(grant, _Objects) else grant for grant in grants],
            dead_letters=dead_letters,
        )
        runs_as = self.functions[name].function.role
        assert runs_as is not None
        for grant in grants:
            if isinstance(grant, _Objects):
                arn = self.resolve(self._state.export_value(grant.bucket.bucket_arn))["Fn::ImportValue"]
                acknowledge(
                    runs_as,
                    f"AwsSolutions-IAM5[Resource::{arn}/{grant.folder}/*]",
                    "One folder of one bucket; the objects in it have names that nobody knows beforehand.",
                )

    def _mailing(self) -> list[iam.PolicyStatement]:
        """Leave to send e-mail from the stage's address; none where it goes into a folder."""
        kind, _, sender = self._stage.notifications.mail.partition(":")
        if kind != "ses":
            return []
        address = sender.rpartition("<")[2].rstrip(">")
        return [
            iam.PolicyStatement(
                actions=["ses:SendEmail", "ses:SendRawEmail"],
                resources=[self.format_arn(service="ses", resource="identity", resource_name=address)],
            )
        ]

    def _reading_bundles(self) -> list[iam.PolicyStatement]:
        """Leave to read the text towers of bundles that lie in S3; none for those in folders."""
        places = self._stage.vision.model_bundle.split(",")
        return [
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                resources=[f"arn:{self.partition}:s3:::{place.removeprefix('s3://').rstrip('/')}/{name}"],
            )
            for place in places
            if place.startswith("s3://")
            for name in ("bundle.json", "text/model.onnx", "text/tokenizer.json")
        ]

    def _asking_the_model(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=["sagemaker:InvokeEndpoint"],
            resources=[
                self.format_arn(
                    service="sagemaker", resource="endpoint", resource_name=self._stage.vision.endpoint_name
                )
            ],
        )

    def _parameter(self, *actions: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=list(actions),
            resources=[
                self.format_arn(
                    service="ssm",
                    resource="parameter",
                    resource_name=self._stage.jwks_parameter.lstrip("/"),
                    arn_format=ArnFormat.SLASH_RESOURCE_NAME,
                )
            ],
        )

    def _drain(
        self, queue: sqs.Queue, name: str, *, batch: int, gather_seconds: int, at_once: int | None = None
    ) -> None:
        function = self.functions[name].function
        function.add_event_source(
            sources.SqsEventSource(
                queue,
                batch_size=batch,
                max_batching_window=Duration.seconds(gather_seconds) if gather_seconds else None,
                report_batch_item_failures=True,
                max_concurrency=at_once or self._stage.compute.batches_per_queue,
            )
        )
        acknowledge(
            function,
            "Serverless-LambdaEventSourceMappingDestination",
            "A queue takes back what failed and has its own dead letters; a destination is for streams.",
        )
