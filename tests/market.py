"""The whole API put together in one process: real database and cache, stores and model made of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from imagemarket.catalog.settings import CatalogSettings
from imagemarket.identity.directory import AccountDirectory
from imagemarket.identity.models import Account, Role
from imagemarket.identity.repository import PostgresIdentityStore
from imagemarket.imaging.sandbox import Inspector
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.ratelimits import Policy, RateLimiter
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.by_image import ImageSearch
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.details import ImageDetails
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.pages import PageCache
from imagemarket.search.query.parser import QueryParser
from imagemarket.search.query.spelling import Speller
from imagemarket.search.run import Timeouts
from imagemarket.search.service import Search
from imagemarket.search.suggestions import Suggestions, SuggestionTable
from tests.api.test_search_by_image import Model
from tests.fakes import MemoryObjectStore, MemoryQueue, MemoryStepFunctions
from tests.provided import provide
from tests.roles import InRole
from tests.unit.identity.kit import Kit
from tests.unit.search.kit import random_documents
from tests.unit.search.test_service import Encoder

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:test"
MEDIA, PUBLIC = "https://cdn.test/media", "https://api.test"
ROLES: tuple[Role, ...] = ("contributor", "buyer", "admin")


@dataclass(frozen=True)
class Market:
    """What tests take from it: the services by their names in the app, and an account of each role."""

    services: dict[str, Any]
    accounts: dict[Role, Account]
    kit: Kit
    database: Database

    def token(self, role: Role = "contributor") -> str:
        """An access token of that role's account."""
        return self.kit.issuer.issue(self.accounts[role])

    def directory(self) -> AccountDirectory:
        """One that has seen nobody yet."""
        return directory_of(PostgresIdentityStore(self.database))

    def wire(self) -> None:
        """From now on the app of this test hands out these services."""
        for name, value in self.services.items():
            provide(name, value)


def directory_of(store: PostgresIdentityStore) -> AccountDirectory:
    return AccountDirectory(lambda account_id: store.account(account_id) is not None)


def make_market(database: Database, valkey_url: str, decoder: Inspector) -> Market:
    """Forty pictures to find, and an account of each role."""
    from imagemarket.delivery.service import Delivery
    from imagemarket.ingestion.executions import Executions
    from imagemarket.ingestion.progress import ProgressOfImages
    from imagemarket.ingestion.retries import Retries
    from imagemarket.ingestion.uploads import Uploads
    from imagemarket.notifications.delivery import Deliveries
    from imagemarket.notifications.service import Inbox
    from imagemarket.notifications.targets import TargetRules
    from imagemarket.notifications.webhooks import Webhooks
    from imagemarket.platform.idempotency import IdempotencyKeys
    from imagemarket.platform.leases import Leases

    made = random_documents(40)
    PostgresSearch(database).write(made, [])
    SuggestionTable(database).write(made, [])
    # Each service in the role of the function that it serves.
    reader, uploader, notifier, of_identity = (
        InRole(database, role)
        for role in (DatabaseRole.READER, DatabaseRole.UPLOADER, DatabaseRole.NOTIFIER, DatabaseRole.IDENTITY)
    )
    engine, table, cache = PostgresSearch(reader), SuggestionTable(reader), Cache(valkey_url)
    search = Search(
        keyword=engine,
        vector=engine,
        reader=engine,
        encoder=Encoder,
        cursors=CursorSigner(lambda: "a secret", SystemClock()),
        pages=PageCache(cache, cache, SystemClock()),
        queries=QueryParser(lambda: Speller(table.words(100))),
        media_base_url=MEDIA,
        public_base_url=PUBLIC,
        timeouts=Timeouts(engine_seconds=30, first_seconds=30, request_seconds=60, open_seconds=0.1),
    )
    originals = MemoryObjectStore("originals")
    idempotency = IdempotencyKeys(uploader, SystemClock())
    uploads = Uploads(database=uploader, originals=originals, idempotency=idempotency, public_base_url=PUBLIC)
    machine = Executions(cast("Any", MemoryStepFunctions(MACHINE)), MACHINE)
    store = PostgresIdentityStore(of_identity)
    kit = Kit(store=store)
    accounts: dict[Role, Account] = {
        role: Account(
            id=UUID(int=7 + place),
            email=f"{role}@example.com",
            role=role,
            display_name=role.title(),
            created_at=kit.clock.now(),
        )
        for place, role in enumerate(ROLES)
    }
    for account in accounts.values():
        store.add_account(account, "!")
    services: dict[str, Any] = {
        "identity.service": kit.identity,
        "identity.directory": directory_of(PostgresIdentityStore(reader)),
        "identity.public_keys": kit.public_keys,
        "identity.token_verifier": kit.verifier,
        "search.service": search,
        "search.suggestions": Suggestions(table, lambda: None),
        "search.by_image": ImageSearch(
            search=search,
            work=MemoryObjectStore("work"),
            decoder=decoder,
            model=Model(),
            forms=RateLimiter(lambda: cache, address=Policy("forms", 10**9, 60), account=Policy("all", 10**9, 60)),
        ),
        "search.image_details": ImageDetails(database=reader, media_base_url=MEDIA, public_base_url=PUBLIC),
        "ingestion.uploads": uploads,
        "ingestion.progress": ProgressOfImages(
            database=uploader,
            waits=Leases(lambda: cache, "waits", most=2),
            waits_of_all=Leases(lambda: cache, "waits of all", most=4),
        ),
        "ingestion.retries": Retries(uploads=uploads, originals=originals, executions=machine, idempotency=idempotency),
        "notifications.inbox": Inbox(notifier),
        "notifications.webhooks": Webhooks(
            database=notifier,
            rules=TargetRules(loopback=False, resolve=lambda *_: ["203.0.113.1"]),
            deliveries=Deliveries(database=notifier, queue=MemoryQueue(), clock=SystemClock()),
            idempotency=IdempotencyKeys(notifier, SystemClock()),
            clock=SystemClock(),
        ),
        "delivery.service": Delivery(database=reader, originals=originals, media_base_url=MEDIA),
        "resources.rate_limiter": RateLimiter(lambda: cache, address=Policy("address", 10**6, 60)),
        "resources.public_base_url": PUBLIC,
        # Whatever is not named here the app builds itself, of these.
        "resources.database": database,
        "catalog.settings": CatalogSettings(media_base_url=MEDIA),
    }
    return Market(services, accounts, kit, database)
