"""Registering, signing in and out, and the operators' way to an admin."""

# ruff: noqa: RUF001 - passwords of other scripts

from __future__ import annotations

import random
import string
import unicodedata
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import pytest

from imagemarket.identity.attempts import (
    MAILS_PER_ADDRESS,
    PER_ACCOUNT_AND_ADDRESS,
    REGISTRATIONS_PER_ADDRESS,
    STRANGERS_PER_ACCOUNT,
)
from imagemarket.identity.errors import EmailTaken, InvalidCredentials, InvalidMailToken, InvalidRefreshToken
from imagemarket.identity.weak_passwords import _GUESSED_FIRST, _GUESSED_IN_ORDER, _lines, weakness_of
from imagemarket.platform.errors import InvalidRequest, NotFound, TooManyRequests, Unauthenticated
from imagemarket.platform.ids import new_id
from tests.unit.identity.kit import ADDRESS, CHEAP, EMAIL, PASSWORD, CountingHasher, Kit


@pytest.fixture
def kit() -> Kit:
    return Kit()


def register(kit: Kit, **changed: Any) -> Any:
    given = {
        "email": EMAIL,
        "password": PASSWORD,
        "role": "contributor",
        "display_name": "Ann Adams",
        "address": ADDRESS,
    }
    return kit.identity.register(**cast("Any", given | changed))


def test_whoever_registers_can_sign_in_and_is_who_they_said(kit: Kit) -> None:
    account = register(kit, email="  Ann@Example.com ", display_name="  Ann Adams ")
    assert (account.email, account.role, account.display_name) == (EMAIL, "contributor", "Ann Adams")
    assert kit.mails.requested == [("confirm_email", EMAIL)]
    assert account.email_confirmed_at is None
    pair = kit.login(email="ANN@example.com")
    claims = kit.verifier.verify(pair.access_token)
    assert (claims.account_id, claims.role) == (account.id, "contributor")
    assert claims.expires_at - claims.issued_at == timedelta(minutes=15)
    assert pair.expires_in == 15 * 60
    assert pair.refresh_expires_in == 30 * 24 * 3600
    assert kit.identity.account(account.id) == account


def test_an_email_has_one_account_however_it_is_written(kit: Kit) -> None:
    register(kit)
    with pytest.raises(EmailTaken):
        register(kit, email="ANN@EXAMPLE.COM", password="another of my passwords")
    with pytest.raises(InvalidCredentials):
        kit.login(password="another of my passwords")


def test_a_taken_email_costs_the_same_hash_as_a_free_one(kit: Kit) -> None:
    register(kit)
    with pytest.raises(EmailTaken):
        register(kit)
    assert kit.hasher.hashed == 2


@pytest.mark.parametrize("role", ["admin", "moderator", ""])
def test_nobody_registers_as_an_admin(kit: Kit, role: str) -> None:
    with pytest.raises(InvalidRequest):
        register(kit, role=role)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "too short"),
        ("password", "x" * 257),
        ("password", EMAIL),
        ("password", "ann adams of springfield"),
        ("display_name", "   "),
        ("display_name", "x" * 101),
        ("display_name", "two\nlines"),
        ("display_name", "Ann\u202esmadA"),
        ("display_name", "Ann\u0000"),
        ("email", "no address"),
    ],
)
def test_a_refusal_names_the_field_and_does_not_repeat_a_password(kit: Kit, field: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        register(kit, **({"display_name": "Ann Adams of Springfield"} | {field: value}))
    assert refused.value.extensions["errors"][0]["field"] == field
    assert field != "password" or value not in refused.value.detail


def test_registrations_from_one_address_are_limited_before_any_hashing(kit: Kit) -> None:
    for n in range(REGISTRATIONS_PER_ADDRESS.attempts):
        register(kit, email=f"ann-{n}@example.com")
    hashed = kit.hasher.hashed
    with pytest.raises(TooManyRequests):
        register(kit, email="one-more@example.com")
    assert kit.hasher.hashed == hashed


def test_what_cannot_be_registered_uses_up_no_registrations(kit: Kit) -> None:
    for _ in range(REGISTRATIONS_PER_ADDRESS.attempts + 1):
        with pytest.raises(InvalidRequest):
            register(kit, password="qwertyuiop")
        with pytest.raises(InvalidRequest):
            register(kit, email="no address")
    assert register(kit).email == EMAIL


def test_an_unknown_email_and_a_wrong_password_get_one_answer_after_the_same_work(kit: Kit) -> None:
    kit.registered()
    with pytest.raises(InvalidCredentials) as wrong:
        kit.login(password="not the password")
    with pytest.raises(InvalidCredentials) as unknown:
        kit.login(email="nobody@example.com")
    with pytest.raises(InvalidCredentials) as malformed:
        kit.login(email="nobody")
    answers = [(e.value.detail, e.value.headers, e.value.extensions) for e in (wrong, unknown, malformed)]
    assert answers[0] == answers[1] == answers[2]
    assert len(kit.hasher.verified) == 3


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com", "nobody"])
def test_over_the_limit_known_and_unknown_are_refused_alike_without_hashing(kit: Kit, email: str) -> None:
    kit.registered()
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts):
        with pytest.raises(InvalidCredentials):
            kit.login(email=email, password="not the password", address=ADDRESS)
    verified = len(kit.hasher.verified)
    with pytest.raises(TooManyRequests) as refused:
        kit.login(email=email)
    assert refused.value.headers["Retry-After"] == "900"
    assert len(kit.hasher.verified) == verified


def test_a_sign_in_forgives_earlier_mistakes(kit: Kit) -> None:
    kit.registered()
    for _ in range(3):
        for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts - 1):
            with pytest.raises(InvalidCredentials):
                kit.login(password="not the password")
        kit.login()


def test_without_the_cache_people_still_sign_in(kit: Kit) -> None:
    kit.registered()
    kit.counters.down = True
    assert kit.login().account.email == EMAIL


def test_a_hash_of_yesterdays_cost_is_made_anew_at_sign_in(kit: Kit) -> None:
    kit.registered()
    dearer = kit.with_hasher(CountingHasher(CHEAP + 1))
    dearer.login(email=EMAIL, password=PASSWORD, address=ADDRESS)
    kept = kit.store.credentials(EMAIL)
    assert kept is not None
    assert kept.password_hash.startswith(f"$2b${CHEAP + 1:02d}$")
    assert dearer.login(email=EMAIL, password=PASSWORD, address=ADDRESS)


def test_a_role_that_changed_is_in_the_next_access_token(kit: Kit) -> None:
    kit.registered()
    pair = kit.login()
    kit.store.set_role(pair.account.id, "admin")
    renewed = kit.identity.refresh(pair.refresh_token)
    assert kit.verifier.verify(renewed.access_token).role == "admin"


def test_signing_out_ends_this_session_and_no_other(kit: Kit) -> None:
    kit.registered()
    phone, laptop = kit.login(), kit.login()
    renewed = kit.identity.refresh(phone.refresh_token)
    kit.identity.logout(phone.refresh_token)
    for token in (phone.refresh_token, renewed.refresh_token):
        with pytest.raises(InvalidRefreshToken):
            kit.identity.refresh(token)
    assert kit.identity.refresh(laptop.refresh_token)


def test_signing_out_twice_or_of_nothing_is_no_error(kit: Kit) -> None:
    kit.registered()
    pair = kit.login()
    kit.identity.logout(pair.refresh_token)
    kit.identity.logout(pair.refresh_token)
    kit.identity.logout("never given out")


def test_a_deleted_account_is_nobody(kit: Kit) -> None:
    with pytest.raises(Unauthenticated):
        kit.identity.account(new_id())


def test_an_operator_makes_an_admin(kit: Kit) -> None:
    admin = kit.identity.create_admin(email="Root@example.com", password=PASSWORD, display_name="Root")
    assert admin.role == "admin"
    assert kit.verifier.verify(kit.login(email="root@example.com").access_token).role == "admin"


def test_an_existing_account_becomes_an_admin_only_when_that_is_said(kit: Kit) -> None:
    kit.registered()
    with pytest.raises(EmailTaken):
        kit.identity.create_admin(email=EMAIL, password="another of my passwords", display_name="Root")
    assert kit.login().account.role == "contributor"
    admin = kit.identity.create_admin(email=EMAIL, password=None, display_name="Root", promote=True)
    assert (admin.role, admin.display_name) == ("admin", "Ann Adams")
    assert kit.login().account == admin


def test_a_new_admin_needs_a_good_password(kit: Kit) -> None:
    for password in (None, "short"):
        with pytest.raises(InvalidRequest):
            kit.identity.create_admin(email=EMAIL, password=password, display_name="Root", promote=True)


def test_secrets_do_not_show_in_what_is_printed(kit: Kit) -> None:
    kit.registered()
    pair = kit.login()
    kept = kit.store.credentials(EMAIL)
    assert kept is not None
    shown = repr(pair) + repr(kept)
    for secret in (pair.access_token, pair.refresh_token, kept.password_hash):
        assert secret not in shown


# --- proof by mail


NEW = "eleven purple bicycles at dawn"


def test_an_address_is_confirmed_once_by_the_mails_token(kit: Kit) -> None:
    account = register(kit)
    token = kit.mails.token("confirm_email", EMAIL)
    kit.identity.confirm_email(token)
    assert kit.identity.account(account.id).email_confirmed_at == kit.clock.now()
    with pytest.raises(InvalidMailToken):
        kit.identity.confirm_email(token)
    kit.mails.requested.clear()
    kit.identity.request_confirmation(account.id, address=ADDRESS)
    assert kit.mails.requested == [], "it is confirmed"


@pytest.mark.parametrize(("purpose", "hours"), [("confirm_email", 24), ("reset_password", 1)])
def test_a_mails_token_is_for_one_purpose_and_not_for_ever(kit: Kit, purpose: Any, hours: int) -> None:
    register(kit)

    def use(token: str, as_: str) -> None:
        if as_ == "confirm_email":
            kit.identity.confirm_email(token)
        else:
            kit.identity.reset_password(token, NEW, address=ADDRESS)

    token = kit.mails.token(purpose, EMAIL)
    other = "reset_password" if purpose == "confirm_email" else "confirm_email"
    for wrong in (token + "x", "", "\udce4"):
        with pytest.raises(InvalidMailToken):
            use(wrong, purpose)
    with pytest.raises(InvalidMailToken):
        use(token, other)
    late = kit.mails.token(purpose, EMAIL)
    kit.clock.advance(timedelta(hours=hours) - timedelta(seconds=1))
    use(token, purpose)
    kit.clock.advance(timedelta(seconds=1))
    with pytest.raises(InvalidMailToken):
        use(late, purpose)


def test_a_forgotten_password_is_set_anew_and_every_session_ends(kit: Kit) -> None:
    account = register(kit)
    sessions = [kit.login().refresh_token for _ in range(2)]
    first, second = (kit.mails.token("reset_password", EMAIL) for _ in range(2))
    with pytest.raises(InvalidRequest):
        kit.identity.reset_password(first, "password123", address=ADDRESS)
    kit.identity.reset_password(first, NEW, address=ADDRESS)
    for token in sessions:
        with pytest.raises(InvalidRefreshToken):
            kit.identity.refresh(token)
    with pytest.raises(InvalidCredentials):
        kit.login()
    assert kit.login(password=NEW).account.email == EMAIL
    for used in (first, second):
        with pytest.raises(InvalidMailToken):
            kit.identity.reset_password(used, PASSWORD, address=ADDRESS)
    assert kit.identity.account(account.id).email_confirmed_at is not None, "whoever reads the mail has the address"
    assert kit.mails.requested[-1] == ("password_changed", EMAIL)


def test_who_reads_the_mail_gets_in_from_a_network_that_strangers_have_closed(kit: Kit) -> None:
    register(kit)
    home, elsewhere = "198.51.100.20", "198.51.100.99"
    for attempt in range(STRANGERS_PER_ACCOUNT.attempts):
        with pytest.raises(InvalidCredentials):
            kit.login(password="wrong", address=f"192.0.2.{attempt % 3}")
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts + 1):
        with pytest.raises(TooManyRequests):
            kit.login(address=home)
    with pytest.raises(InvalidMailToken):
        kit.identity.reset_password("no token of ours", NEW, address=home)
    with pytest.raises(TooManyRequests):
        kit.login(address=elsewhere)
    kit.identity.reset_password(kit.mails.token("reset_password", EMAIL), NEW, address=home)
    for address in (home, elsewhere):  # a provider gives out another of the same network
        assert kit.login(password=NEW, address=address).account.email == EMAIL
    with pytest.raises(TooManyRequests):
        kit.login(password=NEW, address="192.0.2.77")


def test_forgetting_is_asked_for_alike_by_the_known_and_the_unknown_and_not_too_often(kit: Kit) -> None:
    register(kit)
    kit.mails.requested.clear()
    for email in ("Ann@example.com", "nobody@example.com", "nobody"):
        kit.identity.forgot_password(email, address=ADDRESS)
    assert [purpose for purpose, _ in kit.mails.requested] == ["reset_password"] * 3
    for _ in range(MAILS_PER_ADDRESS.attempts - 3):
        kit.identity.forgot_password(EMAIL, address=ADDRESS)
    with pytest.raises(TooManyRequests):
        kit.identity.forgot_password(EMAIL, address=ADDRESS)


def test_a_changed_password_ends_every_session_but_the_one_it_begins(kit: Kit) -> None:
    register(kit)
    old = kit.login()
    with pytest.raises(InvalidCredentials):
        kit.identity.change_password(old.account.id, current="not the password", new=NEW, address=ADDRESS)
    with pytest.raises(InvalidRequest) as refused:
        kit.identity.change_password(old.account.id, current=PASSWORD, new="qwertyuiop", address=ADDRESS)
    assert refused.value.extensions["errors"][0]["field"] == "new_password"
    pair = kit.identity.change_password(old.account.id, current=PASSWORD, new=NEW, address=ADDRESS)
    with pytest.raises(InvalidRefreshToken):
        kit.identity.refresh(old.refresh_token)
    kit.identity.refresh(pair.refresh_token)
    with pytest.raises(InvalidCredentials):
        kit.login()
    assert kit.mails.requested[-1] == ("password_changed", EMAIL)


def test_the_current_password_is_not_guessed_at_with_somebodys_access_token(kit: Kit) -> None:
    account = register(kit)
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts):
        with pytest.raises(InvalidCredentials):
            kit.identity.change_password(account.id, current="not the password", new=NEW, address=ADDRESS)
    with pytest.raises(TooManyRequests):
        kit.identity.change_password(account.id, current=PASSWORD, new=NEW, address=ADDRESS)


def test_new_passwords_that_are_not_taken_shut_nobody_out(kit: Kit) -> None:
    account = register(kit)
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts + 1):
        with pytest.raises(InvalidRequest):
            kit.identity.change_password(account.id, current=PASSWORD, new="qwertyuiop", address=ADDRESS)
    assert kit.login().account.email == EMAIL


def test_a_sign_in_that_was_under_way_while_the_password_changed_begins_no_session(kit: Kit) -> None:
    account = register(kit)

    class Slow(CountingHasher):
        def verify(self, password: str, kept: str | None) -> bool:
            matches = super().verify(password, kept)
            kit.identity.change_password(account.id, current=PASSWORD, new=NEW, address=ADDRESS)
            return matches

    with pytest.raises(InvalidCredentials):
        kit.with_hasher(Slow()).login(email=EMAIL, password=PASSWORD, address=ADDRESS)


def test_all_sessions_of_an_account_end_together_and_no_others(kit: Kit) -> None:
    account = register(kit)
    register(kit, email="bob@example.com")
    sessions = [kit.login().refresh_token for _ in range(3)]
    other = kit.login(email="bob@example.com").refresh_token
    kit.identity.end_sessions(account.id)
    for token in sessions:
        with pytest.raises(InvalidRefreshToken):
            kit.identity.refresh(token)
    kit.identity.refresh(other)
    kit.login()


@pytest.mark.parametrize(
    "password",
    [
        *("password123", "Passw0rd!!", "1234567890", "qwertyuiop", "iloveyou12", "letmein1234", "aaaaaaaaaaaaaaaa"),
        *(
            "password password",
            "letmein letmein",
            "i love you i love you",
            "a b c d e f",
            "123 456 789 0",
            "qwerty-123456",
        ),
        *("password qwerty 123456", "admin.letmein.admin", "imagemarket imagemarket", "Ann_Adams_Ann", "123 456 789 0"),
        *("йцукенгшщз", "ФЫВАПРОЛДЖЭ", "йцукен 123456", "йфячыцувсмак", "ςερτυθιοπας", "קראטוןםפשד", "ضصثقفغعهخح"),
        *("azertyuiopqsdfghjklm", "wertzuiopü", "asdfghjklöäyxcvbnm", "zu9!zu9!zu9!", "example-ann", "adamsann2024"),
        *("contraseña1", "Contraseña2026", "ContrasenaContraseña", "C0ntraseñ@1", "adgangskode1", "hasło12345"),
        *(
            "κωδικος123",
            "ΚΩΔΙΚΌΣ123",
            "كلمةالسر123",
            "mật khẩu123",
            "matkhau123",
            "Пароль123456",
            "パスワード12345",
            "密码12345678",
            "비밀번호123456",
        ),
        *(
            "novembre2026",
            "Été2026!!!",
            "Otoño-2026",
            "Зима2026!!",
            "ilovemydog1",
            "I love my cat 2026",
            "je t'aime 123",
        ),
        *("the quick brown fox", "correct horse battery staple", "CorrectHorseBatteryStaple1", "tr0ub4dor&3"),
        *("maytheforcebewithyou", "MayTheF0rceBeWithYou!", "tobeornottobe", "to be or not to be", "êtreoùnepasêtre1"),
        *(
            "einszweidreivier",
            "einszweidrei123",
            "unodostres123",
            "undeuxtrois",
            "unoduetrequattro",
            "vierdreizweieins",
        ),
        *("jedendwatrzy", "odindvatri", "Monday-Tuesday", "alphabravocharlie", "2718281828459", "3.14159265358979"),
        *("instagram2026", "snapchat123", "iphone15promax", "shutterstock1", "gettyimages1", "grandtheftauto5"),
        *("schmetterling", "Sonnenuntergang!", "regenbogen12", "Kartoffel2026", "fruehling2026", "papillon1987"),
        *("hallowelt123", "mamanpapa123", "assalamualaikum", "alhamdulillah", "youllneverwalkalone", "MuumiPeikko99"),
        *("messi10messi", "root1234root", "qqwweerrttyy", "11223344556677", "5201314520131", "jaimatadi108"),
        *("dkssudgktpdy", "tkfkdgodygo123", "ghbdtnvbh123"),
        *("monkeymonkey", "abcdefghij", "Football123", "x" * 200, "imagemarket", "ann@example.com1", "Ann Adams 1"),
    ],
)
def test_what_is_easy_to_guess_is_no_password(kit: Kit, password: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        register(kit, password=password)
    assert "too easy to guess" in refused.value.detail
    assert password not in refused.value.detail
    assert kit.store.credentials(EMAIL) is None


@pytest.mark.parametrize(
    "password",
    [
        *(PASSWORD, NEW, "my dog ate the blue sofa", "rote Schnecken tanzen leise", "ma grenouille boit du thé"),
        *("хороший пароль мой", "v7$kq!Zp2m", "Zürich äußert sich nie", "γάτα τρέχει στον ήλιο", "חתול רץ בשמש הבוקר"),
        *("قطة تجري تحت الشمس", "mon chat dort bien"),
        *("hund tisch regen käse", "Vier Eulen trinken kalten Kakao", "elefante lluvia zapato verde"),
        *("nieve cuchara tambor lagarto", "kat fiets regen kaas", "X9vq2Lm8Rt", "B!I6K#f7ro", "nruhv%4P&$"),
    ],
)
def test_what_is_hard_to_guess_is_one(kit: Kit, password: str) -> None:
    register(kit, password=password)
    kit.login(password=password)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_password_is_as_easy_to_guess_in_every_form_of_its_letters(form: Any) -> None:
    for password in ("contraseña1", "mật khẩu123", "비밀번호1234", "パスワード1234"):
        assert weakness_of(unicodedata.normalize(form, password), about=()) is not None, password


def test_what_is_guessed_first_takes_nothing_from_phrases_of_uncommon_words() -> None:
    """Of 1,000 none was refused."""
    from zxcvbn.matching import RANKED_DICTIONARIES

    ranks = RANKED_DICTIONARIES["english_wikipedia"]
    words = sorted(word for word, rank in ranks.items() if rank > 3000 and len(word) > 3 and word.isalpha())
    choice = random.Random(7)
    phrases = [" ".join(choice.sample(words, 4)) for _ in range(60)]
    refused = [phrase for phrase in phrases if weakness_of(phrase, about=(EMAIL, "Ann Adams")) is not None]
    assert refused == []


def test_counting_in_any_language_of_the_list_is_easy_to_guess() -> None:
    rows = [line.split() for line in _lines(_GUESSED_IN_ORDER)]
    told = [text for row in rows for text in ("".join(row[1:5]), "".join(row[-2:-6:-1]), "".join(row[1:4]) + "123")]
    assert [text for text in told if weakness_of(text, about=()) is None] == []


def test_four_words_of_the_list_that_have_nothing_to_do_with_each_other_are_a_password() -> None:
    entries = [entry.strip() for line in _lines(_GUESSED_FIRST) for entry in line.split(",")]
    words = [entry for entry in entries if len(entry) > 3 and entry.isalpha()]
    choice = random.Random(11)
    phrases = [" ".join(choice.sample(words, 4)) for _ in range(60)]
    assert [phrase for phrase in phrases if weakness_of(phrase, about=(EMAIL, "Ann Adams")) is not None] == []


def test_ten_random_letters_digits_and_signs_are_a_password() -> None:
    """Of 300 of them 4 are refused: a word beside few other signs, by chance."""
    signs = string.ascii_letters + string.digits + "!#$%&*+-=?@^_~.,"
    choice = random.Random(20250101)
    made = ["".join(choice.choice(signs) for _ in range(10)) for _ in range(200)]
    assert sum(weakness_of(each, about=()) is not None for each in made) <= 4


@pytest.mark.parametrize(
    "password", ["monkeydragon", "monkey!dragon?", "dragon1monkey2", "hello!world?1", "monkey.dragon!!"]
)
def test_two_common_words_are_no_password_with_a_sign_or_two(password: str) -> None:
    assert weakness_of(password, about=()) is not None


def test_an_operator_confirms_an_address(kit: Kit) -> None:
    account = register(kit)
    kit.identity.confirm_by_operator("ANN@example.com")
    assert kit.identity.account(account.id).email_confirmed_at is not None
    with pytest.raises(NotFound):
        kit.identity.confirm_by_operator("nobody@example.com")


@pytest.mark.parametrize("signs", ["4@8({[<369&#!1/|0$5+7%2", "1!|7+$5469"])
def test_signs_that_may_stand_for_letters_are_not_read_in_every_way(
    signs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimate reads a text once for each way; of 72 such signs it took ten seconds."""
    import zxcvbn.matching

    ways: list[int] = []
    enumerate_all = zxcvbn.matching.enumerate_l33t_subs

    def counted(table: Any) -> Any:
        found = enumerate_all(table)
        ways.append(len(found))
        return found

    monkeypatch.setattr(zxcvbn.matching, "enumerate_l33t_subs", counted)
    assert weakness_of((signs * 9)[:72], about=()) is None
    assert max(ways) <= 32


def test_a_disguised_word_is_read_through_some_signs_for_others() -> None:
    assert weakness_of("p@$$w0rd!1", about=()) is not None
    assert weakness_of("f0otb4ll", about=()) is not None


def test_the_network_that_an_account_is_opened_from_is_its_owners(kit: Kit) -> None:
    kit.registered()
    for n in range(40):
        with suppress(InvalidCredentials, TooManyRequests):
            kit.login(password="a wrong one, surely", address=f"198.51.{n}.7")
    kit.login()
