"""Sends pictures over the public API alone, many at a time, and waits for what becomes of them."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import httpx

from imagemarket.cli.client import ApiProblem, CliError, MarketClient, NobodyAnswers, Stopped
from imagemarket.cli.journal import Entry, Journal
from imagemarket.cli.pictures import Defaults, Picture, PictureNotes, announcement_of
from imagemarket.cli.terminal import counted

TICKET_SECONDS = 50 * 60
"""An announcement older than this is made anew: its presigned URLs hold for an hour."""
FINAL_STATUSES = frozenset({"approved", "pending_review", "rejected", "processing_failed"})
THERE = "there"
"""What was refused because the account's own catalogue has it already: nothing is missing."""
GOOD_STATUSES = frozenset({"approved", "pending_review", THERE})
_IMAGE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.5, 5.0
_BLOCK = 1024 * 1024
_LOOK_SECONDS = 10.0
_GRACE_SECONDS = 2.0
"""So long a request under way may go on after Ctrl-C: what it brought about need not be found out by the next run."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    `status` is an image status, or `there` (the account's catalogue has it already, as `image_id`), `sent` (not waited
    for), `skipped` (the same bytes as another file of this run) or `failed` (never arrived, or the API could not be
    asked).
    """

    name: str
    status: str
    reason: str = ""
    image_id: str | None = None
    seconds: float | None = None
    """From the start of sending to the end of processing; None when an earlier run did that."""

    @property
    def is_good(self) -> bool:
        return self.status in GOOD_STATUSES or self.status in {"sent", "skipped"}


class Progress(Protocol):
    """Whoever shows how it goes. Called from several threads."""

    def sent(self, count: int) -> None:
        """More bytes left (or, negative, have to be sent again)."""

    def arrived(self) -> None:
        """One more file needs no more sending."""

    def ended(self, outcome: Outcome) -> None:
        """One more file came to its end."""


@dataclass
class _InFlight:
    """A picture whose bytes the store has."""

    picture: Picture
    sha256: str
    entry: Entry
    began: float | None
    poll_at: float = 0.0
    pause: float = field(default=_FIRST_POLL_SECONDS)


class _Counted(io.FileIO):
    """A file that tells how much of it has been read. Raises `Stopped` where the run is to end."""

    def __init__(self, path: Path, report: Callable[[int], None], stop: threading.Event) -> None:
        super().__init__(path, "rb")
        self._report = report
        self._stop = stop
        self._told = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        data = super().read(-1 if size is None else size) or b""
        self._told += len(data)
        self._report(len(data))
        return data

    def take_back(self) -> None:
        """What was told so far is to be sent once more."""
        self._report(-self._told)
        self._told = 0


def _has_notes(picture: Picture) -> bool:
    return picture.notes != PictureNotes()


@dataclass
class _OfOneSize:
    """Files that may be doubles, and their checksums once they have been read."""

    pictures: list[Picture] = field(default_factory=list)
    sha256: dict[Path, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Doubles:
    """Which of several files with the same bytes is sent, whoever is read first: the first that has notes, else the
    first. Only files of the same size are read for that before any of them is sent."""

    def __init__(self, pictures: Sequence[Picture], stop: threading.Event) -> None:
        self._stop = stop
        self._by_size: dict[int, _OfOneSize] = {}
        for picture in pictures:
            if picture.problem is None:
                self._by_size.setdefault(picture.size_bytes, _OfOneSize()).pictures.append(picture)

    def first_of(self, picture: Picture) -> tuple[str, Picture]:
        """The picture's checksum, and the one that is sent of those that have it. Raises `OSError` where it cannot be
        read, and `Stopped`."""
        group = self._by_size[picture.size_bytes]
        with group.lock:
            for each in group.pictures:
                if each.path not in group.sha256:
                    with contextlib.suppress(OSError) if each is not picture else contextlib.nullcontext():
                        group.sha256[each.path] = sha256_of(each.path, self._stop)
        sha256 = group.sha256[picture.path]
        same = [each for each in group.pictures if group.sha256.get(each.path) == sha256]
        return sha256, next(filter(_has_notes, same), same[0])


class Uploader:
    """Uploads pictures for the account that `client` is signed in with, at most `parallel` at a time.

    Everything is written to the journal before the next step depends on it: a picture that an
    earlier run announced is announced with the same idempotency key, one whose bytes arrived is only
    asked after, one that ended is only listed (unless `again` says to send refused ones anew).
    """

    def __init__(
        self,
        client: MarketClient,
        journal: Journal,
        progress: Progress,
        *,
        defaults: Defaults,
        parallel: int = 4,
        wait_seconds: float = 900.0,
        again: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._journal = journal
        self._progress = progress
        self._defaults = defaults
        self._parallel = parallel
        self._wait_seconds = wait_seconds
        self._again = again
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._doubles = _Doubles((), self._stop)
        self._in_flight: list[_InFlight] = []
        self._sending_done = threading.Event()
        self._outcomes: dict[Path, Outcome] = {}
        self._gone: NobodyAnswers | None = None

    def run(self, pictures: Sequence[Picture]) -> list[Outcome]:
        """Sends what is missing, waits, and says what became of each picture, in their order.

        A picture's failure is its own outcome. Ctrl-C ends every wait within seconds; the journal knows the rest.
        Raises `CliError` once nobody answers any more, however long the API and the store were given.
        """
        self._doubles = _Doubles(pictures, self._stop)
        senders = ThreadPoolExecutor(self._parallel, thread_name_prefix="send")
        watchers = ThreadPoolExecutor(1, thread_name_prefix="results")
        try:  # from here on, whenever Ctrl-C comes: who watches goes on until told to stop
            watching = watchers.submit(self._watch)
            for future in as_completed([senders.submit(self._send_one, picture) for picture in pictures]):
                future.result()
            self._sending_done.set()
            watching.result()
        except BaseException:
            self._stop.set()
            self._client.stop(grace_seconds=_GRACE_SECONDS)
            raise
        finally:
            senders.shutdown(wait=True, cancel_futures=True)
            watchers.shutdown(wait=True)
        if self._gone is not None:
            left = len({picture.path for picture in pictures} - self._outcomes.keys())
            raise CliError(
                f"{self._gone}. {counted(left, 'file')} of {len(pictures)} came to no end. "
                "Run it again to go on: what has arrived is remembered"
            ) from self._gone
        return _named([self._outcomes[picture.path] for picture in pictures])

    def _give_up(self, gone: NobodyAnswers) -> None:
        self._gone = gone
        self._stop.set()
        self._client.stop(grace_seconds=_GRACE_SECONDS)

    # --- sending -----------------------------------------------------------------------------------

    def _end(self, picture: Picture, outcome: Outcome) -> None:
        with self._lock:
            self._outcomes[picture.path] = outcome
        self._progress.ended(outcome)

    def _send_one(self, picture: Picture) -> None:
        if self._stop.is_set():
            return
        try:
            found = self._send(picture)
        except Stopped:
            return  # the run ends here, and the next one goes on with it
        except NobodyAnswers as gone:
            self._give_up(gone)
            return
        except (CliError, OSError, httpx.HTTPError) as error:
            if (gone := _gone(error)) is not None:
                self._give_up(gone)
                return
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            found = Outcome(picture.name, "failed", said or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one picture keeps no other from being sent
            found = Outcome(picture.name, "failed", f"{type(error).__name__}: {error}")
        self._progress.arrived()
        if isinstance(found, Outcome):
            self._end(picture, found)
        elif self._wait_seconds <= 0:
            self._end(picture, Outcome(picture.name, "sent", image_id=found.entry.image_id))
        else:
            with self._lock:
                self._in_flight.append(found)

    def _send(self, picture: Picture) -> Outcome | _InFlight:
        if picture.problem:
            return Outcome(picture.name, "failed", picture.problem)
        sha256, first = self._doubles.first_of(picture)
        if first is not picture:
            others = _has_notes(picture) and picture.notes != first.notes
            why = ", whose notes are others and count" if others else ""
            return Outcome(picture.name, "skipped", f"the same bytes as {first.name}{why}")
        known = self._journal.get(self._client.account["id"], sha256)
        if known is not None and known.state == "ended":
            if known.status in GOOD_STATUSES or (known.status == "rejected" and not self._again):
                return Outcome(picture.name, known.status or "", known.reason or "", known.image_id)
            known = None
        if known is not None and known.image_id is not None:
            known = self._pick_up(known)
            if known is not None and known.state == "sent":
                self._put(sha256, known)
                return _InFlight(picture, sha256, known, began=None)
        elif known is not None and self._is_over(known):
            known = None
        began = time.monotonic()
        try:
            sent = self._announce_and_send(picture, sha256, known)
        except (Stopped, NobodyAnswers):
            raise
        except (CliError, httpx.HTTPError) as error:
            if picture.path.stat().st_size == picture.size_bytes:
                raise
            raise CliError("the file changed while it was sent; run it again") from error
        return _InFlight(picture, sha256, sent, began=began)

    def _is_over(self, entry: Entry) -> bool:
        return self._clock() - entry.announced_at > TICKET_SECONDS

    def _pick_up(self, known: Entry) -> Entry | None:
        """Where an earlier run stopped: `sent` when the store has the bytes, as it was when parts of a large file wait
        for the others, None when the picture has to be announced anew. What was announced for nothing is given up, so
        that no form is used twice and no parts lie about. What the journal calls sent and the API does not know of is
        looked for by the API, which gives up no upload whose bytes the store has."""
        arrived = self._arrived(known)
        if arrived is None:
            return None
        if arrived:
            return replace(known, state="sent")
        if known.state == "announced" and known.parts and not self._is_over(known):
            return known
        try:
            self._client.request("DELETE", f"/v1/images/{known.image_id}/upload")
        except ApiProblem as problem:
            if problem.status == 409:  # the bytes are there, and nobody has told the API yet
                return replace(known, state="sent")
            if problem.status != 404:
                raise
        return None

    def _announce_and_send(self, picture: Picture, sha256: str, known: Entry | None) -> Entry:
        """Every byte of the picture that the store does not have; the entry that says so, in the journal."""
        entry = known or Entry("announced", idempotency_key=str(uuid.uuid4()), announced_at=self._clock())
        body = announcement_of(picture, sha256=sha256, defaults=self._defaults)
        ticket, entry = self._announce(sha256, entry, body)
        if ticket["image_id"] != entry.image_id:
            if entry.image_id is not None:  # announced anew: the first image will get no bytes
                with contextlib.suppress(ApiProblem):
                    self._client.request("DELETE", f"/v1/images/{entry.image_id}/upload")
            entry = replace(entry, image_id=ticket["image_id"], parts={})
        self._put(sha256, entry)
        upload = ticket["upload"]
        # Without a way up an earlier run's bytes are there.
        if upload is not None and upload["method"] == "multipart":
            entry = self._send_parts(picture, sha256, entry, upload)
        elif upload is not None:
            self._send_form(picture, entry, upload, body)
        entry = replace(entry, state="sent", parts={})
        self._put(sha256, entry)
        return entry

    def _put(self, sha256: str, entry: Entry) -> None:
        self._journal.put(self._client.account["id"], sha256, entry)

    def _arrived(self, entry: Entry) -> bool | None:
        """Whether the store has an earlier run's bytes; None when the API does not know the image any more."""
        try:
            progress = self._client.get(f"/v1/images/{entry.image_id}/status")
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
        upload = next((step["status"] for step in progress["steps"] if step["step"] == "upload"), "pending")
        return upload == "succeeded" or progress["status"] != "processing"

    def _announce(self, sha256: str, entry: Entry, body: dict[str, Any]) -> tuple[dict[str, Any], Entry]:
        """The API's ticket, and the entry with the key that it was got with."""
        self._put(sha256, entry)
        renewed = False
        for attempt in range(20):
            try:
                headers = {"Idempotency-Key": entry.idempotency_key}
                return self._client.post("/v1/images/upload", json=body, headers=headers), entry
            except ApiProblem as problem:
                over = problem.extensions.get("image_id") if problem.status == 409 else None
                if over is not None and not renewed:
                    # What the key stands for was given up or lost, as parts are: repeating it would answer so for ever.
                    renewed = True
                    entry = self._announced_anew(sha256, replace(entry, image_id=over, parts={}))
                elif problem.slug == "idempotency-key-reused":
                    entry = self._announced_anew(sha256, entry)  # the words changed since the run that was cut off
                elif problem.slug == "idempotency-in-flight" and attempt < 19:
                    self._sleep(0.5)
                else:
                    raise
        raise AssertionError("unreachable")

    def _announced_anew(self, sha256: str, entry: Entry) -> Entry:
        entry = replace(entry, idempotency_key=str(uuid.uuid4()), announced_at=self._clock())
        self._put(sha256, entry)
        return entry

    def _send_form(self, picture: Picture, entry: Entry, upload: dict[str, Any], body: dict[str, Any]) -> None:
        tries = 0
        with _Counted(picture.path, self._progress.sent, self._stop) as file:

            def post() -> httpx.Response:
                nonlocal tries
                tries += 1
                if tries > 1 and self._arrived(entry):  # it was the answer that was lost
                    return httpx.Response(204)
                file.take_back()
                file.seek(0)
                # The store reads fields up to `file`, which therefore stands last.
                return self._client.store.post(
                    upload["url"], data=upload["fields"], files={"file": (body["filename"], file, body["content_type"])}
                )

            self._to_store(upload["url"], post)

    def _send_parts(self, picture: Picture, sha256: str, entry: Entry, upload: dict[str, Any]) -> Entry:
        size = upload["part_size"]
        urls = {part["number"]: part["url"] for part in upload["parts"]}
        etags = {number: etag for number, etag in entry.parts.items() if number in urls}
        self._progress.sent(sum(min(size, picture.size_bytes - (number - 1) * size) for number in etags))
        missing = sorted(set(urls) - set(etags))
        complete = self._client.path_of(upload["complete_url"])
        for attempt in range(3):
            with picture.path.open("rb") as file:
                for number in missing:
                    if self._stop.is_set():
                        raise Stopped
                    file.seek((number - 1) * size)
                    etags[number] = self._send_part(urls[number], file.read(size))
                    entry = replace(entry, parts=dict(etags))
                    self._put(sha256, entry)
            parts = [{"number": number, "etag": etag} for number, etag in sorted(etags.items())]
            try:
                self._client.post(complete, json={"parts": parts})
            except ApiProblem as problem:
                missing = [number for number in problem.extensions.get("parts") or () if number in urls]
                if problem.slug != "upload-incomplete" or not missing or attempt == 2:
                    raise
            else:
                return entry
        raise AssertionError("unreachable")

    def _send_part(self, url: str, data: bytes) -> str:
        response = self._to_store(url, lambda: self._client.store.put(url, content=data))
        self._progress.sent(len(data))
        return response.headers["etag"]

    def _to_store(self, url: str, request: Callable[[], httpx.Response]) -> httpx.Response:
        """The store's answer that it took the bytes. Raises `NobodyAnswers` where there is no store any more, which
        every other picture would find out for itself."""
        try:
            response = self._client.patience.send(request)
        except httpx.TransportError as error:
            if self._store_is_there(url):
                raise
            raise _no_store(url, type(error).__name__) from error
        if response.status_code >= 500 and not self._store_is_there(url):
            raise _no_store(url, str(response.status_code))
        return _accepted(response)

    def _store_is_there(self, url: str) -> bool:
        """Whether it answers anything else: what failed is that picture's own trouble then. Raises `Stopped`."""
        try:
            there = self._client.store.get(urljoin(url, "/"), timeout=_LOOK_SECONDS).status_code < 500
        except httpx.TransportError:
            there = False
        if self._stop.is_set():
            raise Stopped
        return there

    # --- waiting -----------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Asks after each picture in flight, less often the longer it takes."""
        quiet_since = time.monotonic()
        while not self._stop.is_set():
            sending = not self._sending_done.is_set()  # before the look: what is sent after it is seen by the next one
            with self._lock:
                waiting = list(self._in_flight)
            if not waiting and not sending:
                return
            now = time.monotonic()
            if not waiting or sending:
                quiet_since = now
            given_up = now - quiet_since > self._wait_seconds
            for each in waiting:
                if self._stop.is_set():
                    return
                outcome = self._ask(each, given_up=given_up) if given_up or each.poll_at <= now else None
                if outcome is not None:
                    quiet_since = time.monotonic()
                    with self._lock:
                        self._in_flight.remove(each)
                    self._end(each.picture, outcome)
            self._sleep(0.1)

    def _ask(self, flight: _InFlight, *, given_up: bool) -> Outcome | None:
        image_id, name = flight.entry.image_id, flight.picture.name
        try:
            progress = self._client.get(f"/v1/images/{image_id}/status")
        except Stopped:
            return None  # whoever ended the run says why
        except NobodyAnswers as gone:
            self._give_up(gone)
            return None
        except CliError as error:
            if (gone := _gone(error)) is not None:
                self._give_up(gone)
                return None
            return Outcome(name, "failed", f"sent, but its status could not be read: {error}", image_id)
        status = progress["status"]
        if status in FINAL_STATUSES:
            reason = _reason(progress)
            earlier = (progress.get("rejection") or {}).get("duplicate_of")
            if status == "rejected" and earlier:  # which is told of one's own images alone
                status, image_id = THERE, earlier
            ended = replace(flight.entry, state="ended", status=status, reason=reason, image_id=image_id)
            self._put(flight.sha256, ended)
            seconds = None if flight.began is None else time.monotonic() - flight.began
            return Outcome(name, status, reason, image_id, seconds)
        if given_up:
            return Outcome(
                name,
                status,
                "still at work; run it again to see how it ended",
                image_id,
            )
        flight.poll_at = time.monotonic() + flight.pause
        flight.pause = min(flight.pause * 1.4, _LONGEST_POLL_SECONDS)
        return None


def _reason(progress: dict[str, Any]) -> str:
    rejection = progress.get("rejection") or {}
    reason = rejection.get("detail") or rejection.get("code") or ""
    reason = reason or _review(progress.get("review") or ())
    if not reason and progress["status"] == "processing_failed":
        failed = [step["step"] for step in progress["steps"] if step["status"] == "failed"]
        reason = (
            f"the step {failed[0]} failed; run it again to send it anew" if failed else "run it again to send it anew"
        )
    return reason


def _review(reasons: Sequence[Mapping[str, Any]]) -> str:
    """Each sentence once, with all images that it is said of."""
    others: dict[str, list[str]] = {}
    for each in reasons:
        named = others.setdefault(each["detail"], [])
        if each.get("duplicate_of"):
            named.append(each["duplicate_of"])
    return " ".join(
        f"{detail.removesuffix('.')}: {', '.join(named)}." if named else detail for detail, named in others.items()
    )


def _named(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """With the files' names in place of the ids of those images that are among them."""
    names: dict[str, str] = {}
    for each in outcomes:
        if each.image_id:
            names.setdefault(each.image_id, each.name)

    def with_names(reason: str) -> str:
        return _IMAGE_ID.sub(lambda found: names.get(found[0], found[0]), reason)

    return [replace(each, reason=with_names(each.reason)) for each in outcomes]


def _gone(error: Exception) -> NobodyAnswers | None:
    """What a refusal says of every picture alike: the API goes without a part that it needs (503), as the store."""
    return NobodyAnswers(str(error)) if isinstance(error, ApiProblem) and error.status == 503 else None


def _no_store(url: str, why: str) -> NobodyAnswers:
    return NobodyAnswers(f"the object store at {urlsplit(url).netloc} does not answer ({why})")


def _accepted(response: httpx.Response) -> httpx.Response:
    """The store's answer, or a `CliError` with the code of its XML refusal and nothing else of it."""
    if response.status_code < 300:
        return response
    import re

    said = re.search(r"<Code>(\w+)</Code>(?:.*?<Message>([^<]{0,200}))?", response.text, re.DOTALL)
    why = ": ".join(part for part in said.groups() if part) if said else response.reason_phrase
    raise CliError(f"the object store refused the bytes ({response.status_code} {why})")


def sha256_of(path: Path, stop: threading.Event) -> str:
    """Lowercase hex, read in blocks. Raises `Stopped` where the run is to end."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if stop.is_set():
                raise Stopped
            digest.update(block)
    return digest.hexdigest()


def check_before_sending(client: MarketClient, pictures: Sequence[Picture], defaults: Defaults) -> None:
    """What would be refused for every picture alike, told once and before anything is sent: an account that may not
    upload, categories that there are not. Raises `CliError`."""
    role = client.account.get("role")
    if role != "contributor":
        article = "an" if str(role).startswith(("a", "e", "i", "o", "u")) else "a"
        raise CliError(
            f"{client.account.get('email')} is the account of {article} {role}; only a contributor's uploads"
        )
    wanted: dict[str, list[str]] = {category: ["--category"] for category in defaults.categories}
    for picture in pictures:
        for category in picture.notes.categories or ():
            wanted.setdefault(category, []).append(picture.name)
    if not wanted:
        return
    slugs = [each["slug"] for each in client.get("/v1/categories")["items"]]
    unknown = []
    for category in wanted.keys() - set(slugs):
        first, *others = wanted[category]
        near = difflib.get_close_matches(category.lower(), slugs, n=1)
        unknown.append(
            f"{category!r} is no category ({first}{f' and {len(others)} more' if others else ''})"
            + ("; name each by itself" if "," in category else f"; is it {near[0]}?" if near else "")
        )
    if unknown:
        raise CliError(". ".join([*sorted(unknown), "`categories` lists them; nothing was sent"]))
