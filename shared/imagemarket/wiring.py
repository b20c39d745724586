"""The composition root: settings in, services out, each built once per process.

This is the only place that reads settings. A test closes over these functions to learn which
settings a Lambda needs and compares that with the environment the CDK gives it, so a setting is
always read as `settings().name`, inside the function that needs it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, LiteralString, TypeVar

from imagemarket.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    import boto3
    from mypy_boto3_s3 import S3Client

    from imagemarket.catalog.takedowns import Takedowns
    from imagemarket.delivery.service import Delivery
    from imagemarket.identity.directory import AccountDirectory
    from imagemarket.identity.mails import AccountMailRequests
    from imagemarket.identity.service import Identity
    from imagemarket.identity.signing_keys import SigningKeyProvisioner
    from imagemarket.identity.tokens import PublicKeys, TokenVerifier
    from imagemarket.imaging.confinement import Inspector
    from imagemarket.ingestion.copies import CopyFinder
    from imagemarket.ingestion.endings import ExecutionEndings
    from imagemarket.ingestion.executions import Executions
    from imagemarket.ingestion.progress import ProgressOfImages
    from imagemarket.ingestion.records import StepRecords
    from imagemarket.ingestion.retries import Retries
    from imagemarket.ingestion.saga import (
        CompensateImage,
        DetectDuplicate,
        EmbedAndTag,
        InspectImage,
        MakeThumbnails,
        MakeWatermark,
        PublishImage,
        RightsOfImages,
    )
    from imagemarket.ingestion.sagemaker import VisionEndpoint
    from imagemarket.ingestion.starter import IngestionStarter
    from imagemarket.ingestion.sweeper import ExecutionSweeper, UploadSweeper
    from imagemarket.ingestion.uploads import Uploads
    from imagemarket.notifications.account_mails import AccountMails
    from imagemarket.notifications.delivery import Deliveries, WebhookWorker
    from imagemarket.notifications.ports import Mailer
    from imagemarket.notifications.service import Digests, Inbox, Teller
    from imagemarket.notifications.targets import TargetRules
    from imagemarket.notifications.webhooks import Webhooks
    from imagemarket.operations.consistency import ConsistencyCheck
    from imagemarket.operations.dead_letters.details import ImageInspector
    from imagemarket.operations.dead_letters.remediation import Remediation
    from imagemarket.operations.dead_letters.service import DeadLetters
    from imagemarket.operations.retention import Retention
    from imagemarket.platform.cache import Cache
    from imagemarket.platform.cdn import Cdn
    from imagemarket.platform.clock import Clock
    from imagemarket.platform.database import Database
    from imagemarket.platform.messages import MessageJournal
    from imagemarket.platform.objects import ObjectStore
    from imagemarket.platform.outbox import OutboxRelay
    from imagemarket.platform.ratelimits import RateLimiter
    from imagemarket.platform.refreshed import Refreshed
    from imagemarket.search.by_image import ImageSearch
    from imagemarket.search.details import ImageDetails
    from imagemarket.search.encoding import QueryEncoders, TextTowers
    from imagemarket.search.engines.opensearch import OpenSearchEngine
    from imagemarket.search.engines.ports import DocumentReader
    from imagemarket.search.engines.postgres import PostgresSearch
    from imagemarket.search.engines.qdrant import QdrantEngine
    from imagemarket.search.events import SearchEventCollector
    from imagemarket.search.indexing.documents import Indexer
    from imagemarket.search.indexing.reembedding import Reembedding
    from imagemarket.search.indexing.reindex import IndexMaintenance
    from imagemarket.search.query.spelling import Speller
    from imagemarket.search.service import Search
    from imagemarket.search.suggestions import Suggestions, SuggestionTable

Engine = TypeVar("Engine")

# --- platform ------------------------------------------------------------------------------------


@cache
def settings() -> Settings:
    return Settings()


def public_base_url() -> str:
    """Where people reach the API, without a trailing slash."""
    return settings().public_base_url


@cache
def clock() -> Clock:
    from imagemarket.platform.clock import SystemClock

    return SystemClock()


@cache
def aws() -> boto3.Session:
    import boto3

    return boto3.Session()


def secret(arn: str) -> str:
    """The current string of a secret; read once by the service that keeps it."""
    return aws().client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]


def database_dsn() -> str:
    from imagemarket.platform.database import dsn_of

    return dsn_of(
        secret(settings().database_secret_arn),
        address=settings().database_address,
        authorities=settings().database_authorities,
    )


@cache
def database() -> Database:
    from imagemarket.platform.database import Database

    return Database(
        database_dsn,
        statement_timeout_ms=settings().database_statement_timeout_ms,
    )


@cache
def valkey() -> Cache:
    from imagemarket.platform.cache import Cache

    return Cache(settings().cache_url)


@cache
def counters() -> Cache:
    """Where requests and attempts are counted: apart from the cache, which strangers can fill until it evicts."""
    from imagemarket.platform.cache import Cache

    return Cache(settings().counters_url)


@cache
def rate_limiter() -> RateLimiter:
    """Counts the requests of one caller; reaches for the cache when there is something to count."""
    from imagemarket.platform.ratelimits import RateLimiter

    return RateLimiter(counters)


@cache
def s3() -> S3Client:
    from botocore.config import Config

    return aws().client(
        "s3",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"} if settings().stage == "local" else None,
            retries={"mode": "standard", "max_attempts": 3},
        ),
    )


@cache
def originals() -> ObjectStore:
    from imagemarket.platform.objects import ObjectStore

    return ObjectStore(s3(), settings().originals_bucket)


@cache
def work() -> ObjectStore:
    from imagemarket.platform.objects import ObjectStore

    return ObjectStore(s3(), settings().work_bucket)


@cache
def renditions() -> ObjectStore:
    from imagemarket.platform.objects import ObjectStore

    return ObjectStore(s3(), settings().renditions_bucket)


@cache
def cdn() -> Cdn:
    from imagemarket.platform.cdn import CloudFront, NoCdn

    distribution = settings().cdn_distribution_id
    return NoCdn() if distribution == "none" else CloudFront(aws().client("cloudfront"), distribution)


@cache
def outbox_relay() -> OutboxRelay:
    from imagemarket.platform.outbox import INDEX_TOPIC, NOTIFICATIONS_TOPIC, OutboxRelay
    from imagemarket.platform.queue import Queue

    sqs = aws().client("sqs")
    return OutboxRelay(
        database(),
        {
            INDEX_TOPIC: Queue(sqs, settings().index_queue_url),
            NOTIFICATIONS_TOPIC: Queue(sqs, settings().notifications_queue_url),
        },
    )


@cache
def message_journal() -> MessageJournal:
    from imagemarket.platform.messages import MessageJournal

    return MessageJournal(database())


# --- identity ------------------------------------------------------------------------------------


@cache
def identity() -> Identity:
    from imagemarket.identity.attempts import AttemptLimiter
    from imagemarket.identity.passwords import PasswordHasher
    from imagemarket.identity.postgres import PostgresIdentityStore
    from imagemarket.identity.service import Identity
    from imagemarket.identity.tokens import TokenIssuer

    return Identity(
        store=PostgresIdentityStore(database()),
        hasher=PasswordHasher(settings().bcrypt_cost),
        issuer=TokenIssuer(
            lambda: secret(settings().signing_key_secret_arn), issuer=settings().token_issuer, clock=clock()
        ),
        attempts=AttemptLimiter(counters()),
        mails=account_mail_requests(),
        clock=clock(),
    )


@cache
def account_mail_requests() -> AccountMailRequests:
    from imagemarket.identity.mails import AccountMailRequests
    from imagemarket.platform.queue import Queue

    return AccountMailRequests(
        database=database(), queue=Queue(aws().client("sqs"), settings().notifications_queue_url), clock=clock()
    )


@cache
def accounts() -> AccountDirectory:
    """Whether the account of a token is still there."""
    from imagemarket.identity.directory import AccountDirectory
    from imagemarket.identity.postgres import PostgresIdentityStore

    store = PostgresIdentityStore(database())
    return AccountDirectory(lambda account_id: store.account(account_id) is not None)


@cache
def public_keys() -> PublicKeys:
    from imagemarket.identity.tokens import PublicKeys

    return PublicKeys(
        lambda: aws().client("ssm").get_parameter(Name=settings().jwks_parameter)["Parameter"].get("Value", ""),
        clock(),
    )


@cache
def token_verifier() -> TokenVerifier:
    from imagemarket.identity.tokens import TokenVerifier

    return TokenVerifier(public_keys(), issuer=settings().token_issuer, clock=clock())


@cache
def signing_key_provisioner() -> SigningKeyProvisioner:
    from imagemarket.identity.signing_keys import SigningKeyProvisioner

    return SigningKeyProvisioner(
        secrets=aws().client("secretsmanager"),
        secret_arn=settings().signing_key_secret_arn,
        parameters=aws().client("ssm"),
        jwks_parameter=settings().jwks_parameter,
    )


# --- ingestion -----------------------------------------------------------------------------------


@cache
def uploads() -> Uploads:
    from imagemarket.ingestion.allowances import UploadAllowance
    from imagemarket.ingestion.uploads import Uploads
    from imagemarket.platform.idempotency import IdempotencyKeys

    return Uploads(
        database=database(),
        originals=originals(),
        idempotency=IdempotencyKeys(database(), clock()),
        public_base_url=settings().public_base_url,
        allowance=UploadAllowance(settings().open_uploads, settings().announced_gib_a_day),
    )


@cache
def progress_of_images() -> ProgressOfImages:
    from imagemarket.ingestion.progress import WAITS_OF_AN_ACCOUNT, ProgressOfImages
    from imagemarket.platform.leases import Leases

    return ProgressOfImages(
        database=database(),
        waits=Leases(counters, "waits", most=WAITS_OF_AN_ACCOUNT),
        waits_of_all=Leases(counters, "waits of all", most=settings().requests_held),
    )


@cache
def retries() -> Retries:
    from imagemarket.ingestion.retries import Retries
    from imagemarket.platform.idempotency import IdempotencyKeys

    return Retries(
        uploads=uploads(),
        originals=originals(),
        executions=executions(),
        idempotency=IdempotencyKeys(database(), clock()),
    )


@cache
def executions() -> Executions:
    from imagemarket.ingestion.executions import Executions, in_its_own_trace

    client = aws().client("stepfunctions")
    client.meta.events.register("before-send.sfn.StartExecution", in_its_own_trace)
    return Executions(client, settings().state_machine_arn)


@cache
def ingestion_starter() -> IngestionStarter:
    from imagemarket.ingestion.starter import IngestionStarter

    return IngestionStarter(database=database(), originals=originals(), executions=executions())


@cache
def upload_sweeper() -> UploadSweeper:
    from imagemarket.ingestion.sweeper import UploadSweeper

    return UploadSweeper(database=database(), originals=originals(), starter=ingestion_starter())


@cache
def execution_sweeper() -> ExecutionSweeper:
    from imagemarket.ingestion.sweeper import ExecutionSweeper

    return ExecutionSweeper(
        database=database(),
        originals=originals(),
        executions=executions(),
        compensation=compensate_image(),
        stalled_after_seconds=settings().stalled_after_seconds,
    )


@cache
def execution_endings() -> ExecutionEndings:
    from imagemarket.ingestion.endings import ExecutionEndings

    return ExecutionEndings(compensate_image())


@cache
def step_records() -> StepRecords:
    from imagemarket.ingestion.records import StepRecords

    return StepRecords(database())


@cache
def inspector(seconds: float | None = None) -> Inspector:
    import atexit

    from imagemarket.imaging.confinement import DECODE_SECONDS, Inspector

    confined = Inspector(seconds=seconds or DECODE_SECONDS)
    atexit.register(confined.close)
    return confined


@cache
def inspect_image() -> InspectImage:
    from imagemarket.ingestion.saga import InspectImage

    return InspectImage(
        records=step_records(), database=database(), originals=originals(), work=work(), inspector=inspector()
    )


@cache
def detect_duplicate() -> DetectDuplicate:
    from imagemarket.ingestion.saga import DetectDuplicate

    return DetectDuplicate(records=step_records(), database=database())


@cache
def rights_of_images() -> RightsOfImages:
    from imagemarket.ingestion.saga import RightsOfImages

    return RightsOfImages(database=database(), public_base_url=settings().public_base_url)


@cache
def make_thumbnails() -> MakeThumbnails:
    from imagemarket.ingestion.saga import MakeThumbnails

    return MakeThumbnails(
        records=step_records(),
        rights=rights_of_images(),
        work=work(),
        renditions=renditions(),
        originals=originals(),
    )


@cache
def make_watermark() -> MakeWatermark:
    from imagemarket.ingestion.saga import MakeWatermark

    return MakeWatermark(records=step_records(), rights=rights_of_images(), work=work(), renditions=renditions())


def vision_endpoint(name: str) -> VisionEndpoint:
    """The endpoint of that name."""
    from botocore.config import Config

    from imagemarket.ingestion.sagemaker import VisionEndpoint

    # The state machine owns the patience; a call must end well before the function's own limit.
    client = aws().client(
        "sagemaker-runtime",
        config=Config(read_timeout=45, connect_timeout=3, retries={"total_max_attempts": 1}),
    )
    return VisionEndpoint(client, name)


@cache
def embed_and_tag() -> EmbedAndTag:
    from imagemarket.ingestion.saga import EmbedAndTag

    endpoint = vision_endpoint(settings().model_endpoint_name)
    return EmbedAndTag(records=step_records(), work=work(), endpoint=endpoint)


@cache
def copy_finder() -> CopyFinder:
    from imagemarket.ingestion.copies import CopyFinder
    from imagemarket.search.models import Filters

    def nearest(vector: Sequence[float], model_version: str, limit: int) -> list[tuple[UUID, float]]:
        hits = vector_engine().nearest(vector, model_version, Filters(safe=False), limit=limit)
        return [(hit.image_id, hit.score) for hit in hits]

    return CopyFinder(database=database(), renditions=renditions(), nearest=nearest)


@cache
def publish_image() -> PublishImage:
    from imagemarket.ingestion.saga import PublishImage

    return PublishImage(
        records=step_records(), database=database(), work=work(), relay=outbox_relay(), copies=copy_finder()
    )


@cache
def compensate_image() -> CompensateImage:
    from imagemarket.ingestion.saga import CompensateImage

    return CompensateImage(
        database=database(), originals=originals(), work=work(), renditions=renditions(), relay=outbox_relay()
    )


@cache
def takedowns() -> Takedowns:
    from imagemarket.catalog.takedowns import Takedowns
    from imagemarket.ingestion.saga import forget_deleted

    return Takedowns(
        database=database(),
        originals=originals(),
        renditions=renditions(),
        cdn=cdn(),
        relay=outbox_relay(),
        forget=forget_deleted,
    )


@cache
def consistency_check() -> ConsistencyCheck:
    from imagemarket.operations.consistency import ConsistencyCheck

    return ConsistencyCheck(
        database=database(),
        originals=originals(),
        work=work(),
        renditions=renditions(),
        documents=search_upkeep(),
        compensation=compensate_image(),
        takedowns=takedowns(),
        executions=executions(),
    )


def migrate() -> None:
    """Brings the schema to the newest revision, lets the roles in, and opens the partitions ahead."""
    from imagemarket.platform.roles import give_logins
    from imagemarket.schema import upgrade

    owner = database_dsn()
    upgrade(owner)
    give_logins(owner, [secret(arn) for arn in settings().database_role_secret_arns.split(",")])
    retention().run()


def expired_rows() -> dict[str, LiteralString]:
    """By table, the statement of its room that deletes what has expired."""
    from imagemarket.identity.retention import EXPIRED as ACCOUNTS
    from imagemarket.notifications.retention import EXPIRED as NOTIFICATIONS
    from imagemarket.operations.dead_letters.retention import EXPIRED as DEAD_LETTERS
    from imagemarket.platform.retention import EXPIRED as REQUESTS
    from imagemarket.search.retention import EXPIRED as SEARCHES

    return ACCOUNTS | NOTIFICATIONS | SEARCHES | DEAD_LETTERS | REQUESTS


@cache
def retention() -> Retention:
    from imagemarket.operations.retention import Retention

    return Retention(database(), expired_rows())


# --- notifications -------------------------------------------------------------------------------


@cache
def inbox() -> Inbox:
    from imagemarket.notifications.service import Inbox

    return Inbox(database())


@cache
def target_rules() -> TargetRules:
    from imagemarket.notifications.targets import TargetRules

    return TargetRules(loopback=settings().webhook_loopback)


@cache
def webhook_deliveries() -> Deliveries:
    from imagemarket.notifications.delivery import Deliveries
    from imagemarket.platform.queue import Queue

    return Deliveries(
        database=database(), queue=Queue(aws().client("sqs"), settings().webhooks_queue_url), clock=clock()
    )


@cache
def webhooks() -> Webhooks:
    from imagemarket.notifications.webhooks import Webhooks
    from imagemarket.platform.idempotency import IdempotencyKeys

    return Webhooks(
        database=database(),
        rules=target_rules(),
        deliveries=webhook_deliveries(),
        idempotency=IdempotencyKeys(database(), clock()),
        clock=clock(),
    )


@cache
def webhook_worker() -> WebhookWorker:
    from imagemarket.notifications.delivery import WebhookWorker
    from imagemarket.notifications.sender import WebhookSender

    return WebhookWorker(
        database=database(), deliveries=webhook_deliveries(), sender=WebhookSender(target_rules()), clock=clock()
    )


@cache
def mailer() -> Mailer:
    from pathlib import Path

    from imagemarket.notifications.files import FileMailer
    from imagemarket.notifications.ses import SesMailer

    kind, _, place = settings().mail.partition(":")
    if kind == "file":
        return FileMailer(Path(place))
    if kind == "ses":
        from botocore.config import Config

        # Others of the same account wait for one mail: two tries of 8 seconds, within `notifications.mailing._TURN`.
        config = Config(connect_timeout=2, read_timeout=6, retries={"mode": "standard", "total_max_attempts": 2})
        return SesMailer(aws().client("sesv2", config=config), place)
    raise ValueError(f"MARKET_MAIL begins with ses: or file:, not {kind!r}")


@cache
def teller() -> Teller:
    from imagemarket.notifications.service import Teller

    return Teller(
        database=database(),
        deliveries=webhook_deliveries(),
        mailer=mailer(),
        clock=clock(),
        public_base_url=settings().public_base_url,
    )


@cache
def digests() -> Digests:
    from imagemarket.notifications.service import Digests
    from imagemarket.platform.queue import Queue

    return Digests(
        database=database(), queue=Queue(aws().client("sqs"), settings().notifications_queue_url), clock=clock()
    )


@cache
def account_mails() -> AccountMails:
    from imagemarket.identity.mails import MailTokens
    from imagemarket.identity.postgres import PostgresIdentityStore
    from imagemarket.notifications.account_mails import AccountMails

    return AccountMails(
        database=database(),
        mailer=mailer(),
        issue_token=MailTokens(PostgresIdentityStore(database()), clock()).issue,
        clock=clock(),
        public_base_url=settings().public_base_url,
    )


# --- dead letters --------------------------------------------------------------------------------


@cache
def dead_letters() -> DeadLetters:
    from imagemarket.operations.dead_letters.queues import DeadQueues
    from imagemarket.operations.dead_letters.replays import Replays
    from imagemarket.operations.dead_letters.service import DeadLetters

    return DeadLetters(
        queues=DeadQueues(
            sqs=aws().client("sqs"),
            lambdas=aws().client("lambda"),
            events=aws().client("events"),
            prefix=f"imagemarket-{settings().stage}",
        ),
        replays=Replays(database()),
        clock=clock(),
    )


@cache
def remediation() -> Remediation:
    from imagemarket.operations.dead_letters.remediation import Remediation

    return Remediation(dead_letters())


@cache
def image_inspector() -> ImageInspector:
    from imagemarket.operations.dead_letters.details import ImageInspector

    return ImageInspector(
        database=database(),
        step_functions=aws().client("stepfunctions"),
        state_machine_arn=settings().state_machine_arn,
    )


# --- delivery ------------------------------------------------------------------------------------


@cache
def delivery() -> Delivery:
    from imagemarket.delivery.service import Delivery

    return Delivery(database=database(), originals=originals(), media_base_url=settings().media_base_url)


# --- search --------------------------------------------------------------------------------------


@cache
def text_towers() -> TextTowers:
    import tempfile
    from pathlib import Path

    from imagemarket.search.encoding import TextTowers, fetch_text_tower
    from imagemarket.vision.text import TextEncoder

    def load(place: str) -> TextEncoder:
        kept = Path(tempfile.gettempdir()) / "bundles"
        return TextEncoder(fetch_text_tower(s3(), place, kept) if place.startswith("s3://") else Path(place))

    return TextTowers(settings().model_bundle.split(","), load)


@cache
def query_encoders() -> QueryEncoders:
    from botocore.config import Config

    from imagemarket.search.encoding import ModelInUse, QueryEncoders

    # A search waits a second and a half for an engine, ten for the first time; trying again is for a busy function.
    client = aws().client(
        "lambda",
        config=Config(connect_timeout=1, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}),
    )
    return QueryEncoders(
        model=ModelInUse(database()),
        functions=client,
        function_name=settings().encode_text_function,
        cache=valkey(),
    )


@cache
def postgres_search() -> PostgresSearch:
    from imagemarket.search.engines.postgres import PostgresSearch

    return PostgresSearch(database())


@cache
def suggestion_table() -> SuggestionTable:
    from imagemarket.search.suggestions import SuggestionTable

    return SuggestionTable(database())


@cache
def speller() -> Refreshed[Speller]:
    """The catalogue's words, ten minutes old at most; the first request goes without rather than wait for them."""
    from imagemarket.platform.refreshed import Refreshed
    from imagemarket.search.query.spelling import MOST_WORDS, Speller

    return Refreshed("speller", lambda: Speller(suggestion_table().words(MOST_WORDS)), seconds=600, patience=0.05)


@cache
def search_events() -> SearchEventCollector:
    from imagemarket.search.events import SearchEventCollector

    return SearchEventCollector(valkey(), database(), suggestion_table())


@cache
def suggestions() -> Suggestions:
    from imagemarket.search.suggestions import Suggestions

    return Suggestions(suggestion_table(), speller().get)


@cache
def opensearch() -> OpenSearchEngine:
    from imagemarket.search.engines.opensearch import OpenSearchEngine, connect

    endpoint = settings().opensearch_endpoint
    signed = endpoint.startswith("https://")
    return OpenSearchEngine(
        connect(endpoint, session=aws() if signed else None),
        vectors=settings().vector_engine == "opensearch",
        language=settings().opensearch_language,
    )


@cache
def qdrant() -> QdrantEngine:
    import json

    from imagemarket.search.engines.qdrant import Placement, QdrantEngine, connect

    cluster = json.loads(secret(settings().qdrant_secret_arn))
    replicas = settings().qdrant_replicas
    placement = Placement(
        shards=settings().qdrant_shards, replicas=replicas, acknowledged_by=replicas // 2 + 1, quantised=True
    )
    return QdrantEngine(connect(cluster["url"], api_key=cluster["api_key"]), placement=placement)


@cache
def keyword_engine() -> PostgresSearch | OpenSearchEngine:
    """The engine that finds by words, counts facets and gives documents back."""
    return _engine_of({"postgres": postgres_search, "opensearch": opensearch}, "keyword", settings().keyword_engine)


@cache
def vector_engine() -> PostgresSearch | OpenSearchEngine | QdrantEngine:
    """The engine that finds by meaning."""
    engines = {"postgres": postgres_search, "opensearch": opensearch, "qdrant": qdrant}
    return _engine_of(engines, "vector", settings().vector_engine)


@cache
def second_reader() -> DocumentReader | None:
    """The engine for meaning, where it is another than that for words and keeps whole documents too."""
    engines = {"postgres": postgres_search, "opensearch": opensearch}
    name = settings().vector_engine
    return engines[name]() if name in engines and name != settings().keyword_engine else None


def _engine_of(engines: dict[str, Callable[[], Engine]], role: str, name: str) -> Engine:
    if name not in engines:
        raise ValueError(f"MARKET_{role.upper()}_ENGINE is {name!r}; it must be one of {', '.join(engines)}")
    return engines[name]()


@cache
def search() -> Search:
    from imagemarket.search.cursor import CursorSigner
    from imagemarket.search.events import ValkeyStream, Visitors
    from imagemarket.search.pages import PageCache
    from imagemarket.search.query.interpretation import QueryReader
    from imagemarket.search.ranking.fusion import Fusion
    from imagemarket.search.service import Search

    return Search(
        keyword=keyword_engine(),
        vector=vector_engine(),
        reader=keyword_engine(),
        second_reader=second_reader(),
        encoder=lambda: query_encoders().current(),
        cursors=CursorSigner(lambda: secret(settings().cursor_secret_arn), clock()),
        pages=PageCache(valkey(), counters(), clock()),
        queries=QueryReader(speller().get),
        fusion=Fusion.named(settings().search_fusion),
        events=ValkeyStream(valkey()),
        visitors=Visitors(lambda: secret(settings().cursor_secret_arn), clock()),
        clock=clock(),
        media_base_url=settings().media_base_url,
        public_base_url=settings().public_base_url,
    )


def reembedding(endpoint_name: str | None = None) -> Reembedding:
    """The way over to another model, which the endpoint of that name serves; the deployment's own by default."""
    from imagemarket.search.indexing.reembedding import Reembedding

    return Reembedding(
        database=database(),
        analyse=lambda jpegs: vision_endpoint(endpoint_name or settings().model_endpoint_name).analyse(jpegs),
        read=originals().get,
    )


@cache
def picture_search() -> ImageSearch:
    from botocore.config import Config

    from imagemarket.ingestion.sagemaker import VisionEndpoint
    from imagemarket.platform.ratelimits import RateLimiter
    from imagemarket.search.by_image import DECODE_SECONDS, IN_ALL, PER_NETWORK, ImageSearch
    from imagemarket.search.events import ValkeyStream
    from imagemarket.search.service import Search

    # Shorter than the function's own time; trying again is the service's to decide.
    client = aws().client(
        "sagemaker-runtime", config=Config(read_timeout=15, connect_timeout=2, retries={"total_max_attempts": 1})
    )
    by_vectors = Search(
        keyword=keyword_engine(),
        vector=vector_engine(),
        reader=keyword_engine(),
        second_reader=second_reader(),
        events=ValkeyStream(valkey()),
        media_base_url=settings().media_base_url,
        public_base_url=settings().public_base_url,
    )
    return ImageSearch(
        search=by_vectors,
        work=work(),
        decoder=inspector(DECODE_SECONDS),
        model=VisionEndpoint(client, settings().model_endpoint_name),
        forms=RateLimiter(counters, address=PER_NETWORK, account=IN_ALL),
    )


@cache
def image_details() -> ImageDetails:
    from imagemarket.search.details import ImageDetails

    return ImageDetails(
        database=database(), media_base_url=settings().media_base_url, public_base_url=settings().public_base_url
    )


@cache
def indexer() -> Indexer:
    from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
    from imagemarket.search.pages import TakeDowns

    engines = dict.fromkeys((keyword_engine(), vector_engine()))
    # What leaves the catalogue leaves the kept pages last, when no engine can find it any more.
    return Indexer(DocumentBuilder(database()), [*engines, suggestion_table(), TakeDowns(counters())])


@cache
def search_upkeep() -> IndexMaintenance:
    from imagemarket.search.indexing.reindex import IndexMaintenance

    indexes = {settings().keyword_engine: keyword_engine(), settings().vector_engine: vector_engine()}
    return IndexMaintenance(database(), indexes)
