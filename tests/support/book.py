"""The look at the book after every test that used the database."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from psycopg.pq import TransactionStatus

from records import checks


def check() -> None:
    """Fail when an invariant does not hold.

    Inside a test's own transaction the deferred constraints are asked first, since it never commits.
    After a test that commits, processes it started may still be at work: all checks see one snapshot.
    """
    if connection.in_atomic_block:
        if connection.connection.info.transaction_status == TransactionStatus.INERROR:
            return  # The database has refused this transaction; nothing of it can stay.
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        found = checks.violations()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            found = checks.violations()
    wrong = [f"{name}: {count}" for name, count in found if count]
    if wrong:
        pytest.fail(f"The book does not hold after this test. {', '.join(wrong)}", pytrace=False)
