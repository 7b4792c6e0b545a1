"""Accounts: where a customer is at home, and in which pool."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from berth.domain import accounts
from berth.domain.requests import CustomerEvent

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
SIGNED_UP, CHANGED, AGAIN = (
    CustomerEvent(kind, "acme", f"2026-01-01T00:{minute:02}:00.000000+00:00", plan=plan)
    for kind, minute, plan in (
        ("signed_up", 0, "free"),
        ("plan_changed", 1, "standard"),
        ("signed_up", 3, "enterprise"),
    )
)


def test_an_account_stays_at_home_until_another_home_is_found():
    known = accounts.signed_up(None, SIGNED_UP, home_shard="shard-0", now=NOW)
    for home, then in (("", "shard-0"), ("shard-1", "shard-1")):
        signed_up = accounts.signed_up(known, AGAIN, home_shard=home, now=NOW)
        changed = accounts.plan_changed(known, CHANGED, home_shard=home)
        assert signed_up.home_shard == changed.home_shard == then


@pytest.mark.parametrize(
    ("known", "at", "told", "pool"),
    [
        ("", "2", "gold", "gold"),
        ("gold", "2", None, "gold"),
        ("gold", "2", "", ""),
        ("gold", "1", "", "gold"),
        ("gold", "0", "silver", "gold"),
    ],
)
def test_the_newest_word_on_the_pool_counts(known, at, told, pool):
    account = accounts.signed_up(None, SIGNED_UP, home_shard="shard-0", now=NOW)
    account = account.model_copy(update={"pool": known, "pool_revision": "1"})
    event = replace(CHANGED, revision=at, pool=told)
    assert accounts.plan_changed(account, event).pool == accounts.pool(account, event) == pool
    assert accounts.pool(None, event) == (told or "")
