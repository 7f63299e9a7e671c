"""Encryption, hashes, masks and tokens."""

import base64
import os
import sys
import unicodedata
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamondpay.lib import crypto

CARD = "6216667451674374"
OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    settings.HASH_KEY = b"h" * 32


@pytest.mark.parametrize("text", [CARD, "", "王小头", "x" * 10_000])
def test_what_was_encrypted_is_read_again(text: str) -> None:
    assert crypto.decrypt(crypto.encrypt(text, "payment.payer_account"), "payment.payer_account") == text
    assert crypto.decrypt(memoryview(crypto.encrypt(text, "a")), "a") == text


def test_equal_texts_have_different_ciphertexts_and_none_shows_the_text() -> None:
    first, second = crypto.encrypt(CARD, "a"), crypto.encrypt(CARD, "a")
    assert first != second
    assert CARD.encode() not in first


def test_a_value_moved_into_another_column_does_not_decrypt() -> None:
    sealed = crypto.encrypt(CARD, "payment.payer_account")
    with pytest.raises(crypto.CannotDecrypt):
        crypto.decrypt(sealed, "payout.account")


def test_every_changed_or_missing_byte_is_found() -> None:
    sealed = crypto.encrypt("1234", "a")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(bytes(changed), "a")
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(sealed[:position], "a")


def test_a_new_key_in_front_encrypts_and_the_old_one_still_decrypts(settings: Any) -> None:
    old = crypto.encrypt(CARD, "a")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    new = crypto.encrypt(CARD, "a")
    assert crypto.decrypt(old, "a") == crypto.decrypt(new, "a") == CARD
    assert (crypto.needs_new_key(old), crypto.needs_new_key(new)) == (True, False)
    settings.ENCRYPTION_KEYS = [NEW]
    assert crypto.decrypt(new, "a") == CARD
    with pytest.raises(crypto.CannotDecrypt, match="key of this value"):
        crypto.decrypt(old, "a")


@pytest.mark.parametrize("bad", [[], [b"short"], [OLD, b""]])
def test_keys_of_the_wrong_length_are_refused(settings: Any, bad: list[bytes]) -> None:
    settings.ENCRYPTION_KEYS = bad
    with pytest.raises(ValueError, match="32 bytes"):
        crypto.encrypt(CARD, "a")


def test_a_keyed_hash_finds_every_spelling_and_only_in_its_column(settings: Any) -> None:
    wanted = crypto.keyed_hash(CARD, "payment.payer_account")
    assert len(wanted) == 32
    assert crypto.keyed_hash("6216 6674-5167 4374", "payment.payer_account") == wanted
    assert crypto.keyed_hash("６２１６667451674374", "payment.payer_account") == wanted
    assert crypto.keyed_hash(CARD, "payout.account") != wanted
    settings.HASH_KEY = b"i" * 32
    assert crypto.keyed_hash(CARD, "payment.payer_account") != wanted


def test_normalising_drops_blanks_and_dashes_and_folds_case() -> None:
    assert crypto.normalise_account(" gb33-BUKB 2020–1555\u00a05555\u200b5 ") == "GB33BUKB2020155555555"


def test_normalising_twice_changes_nothing_for_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cn", "Cs", "Co"):
            continue
        once = crypto.normalise_account(chr(code))
        assert crypto.normalise_account(once) == once, hex(code)


@pytest.mark.parametrize(
    ("text", "keep", "wanted"),
    [
        (CARD, 4, "************4374"),
        ("12345", 4, "***45"),
        ("1", 4, "*"),
        ("", 4, ""),
        ("王小头", 1, "**头"),
        (CARD, 0, "*" * 16),
    ],
)
def test_a_mask_shows_the_end_and_never_more_than_half(text: str, keep: int, wanted: str) -> None:
    assert crypto.mask(text, keep) == wanted


def test_random_keys_are_alphanumeric_long_enough_and_different() -> None:
    keys = {crypto.random_key(32) for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == 32 and key.isascii() and key.isalnum() for key in keys)
    with pytest.raises(ValueError, match="16"):
        crypto.random_key(15)


def test_a_token_is_always_the_same_opens_and_fits_a_url(settings: Any) -> None:
    token = crypto.seal_token(b"PM00000145", "portal.payment")
    assert token == crypto.seal_token(b"PM00000145", "portal.payment")
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert crypto.open_token(token, "portal.payment") == b"PM00000145"
    with pytest.raises(ValueError, match="payload"):
        crypto.seal_token(b"", "portal.payment")


def test_a_token_of_another_kind_or_with_any_change_is_bad() -> None:
    token = crypto.seal_token(b"PM00000145", "portal.payment")
    changed = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    shortened = [token[:length] for length in range(len(token))]
    # 26 bytes leave two bits of the last character unused: the same bytes, spelt otherwise.
    respelt = token[:-1] + chr(ord(token[-1]) + 1)
    assert base64.urlsafe_b64decode(respelt + "=") == base64.urlsafe_b64decode(token + "=")
    for bad in [*changed, *shortened, respelt, token + "=", token + "A", f" {token}", token + "\n"]:
        with pytest.raises(crypto.BadToken):
            crypto.open_token(bad, "portal.payment")
    with pytest.raises(crypto.BadToken):
        crypto.open_token(token, "portal.payout")


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(st.one_of(st.text(), st.binary(max_size=200).map(lambda raw: raw.hex())))
def test_garbage_is_a_bad_token_and_never_a_crash(text: str) -> None:
    with pytest.raises(crypto.BadToken):
        crypto.open_token(text, "portal.payment")


def test_random_bytes_are_refused_as_values() -> None:
    for length in (0, 1, 33, 64):
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(os.urandom(length), "a")
