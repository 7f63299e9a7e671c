"""`migrate`, as the owner of the schema, followed by the grants of the application's role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from psycopg import sql

GRANTS = Path(settings.BASE_DIR) / "records" / "sql" / "grants.sql"
ROLE_PLACEHOLDER = ":app_role"


class Command(migrate.Command):
    """Migrates as DATABASE_OWNER_URL when it is set, then grants the role of DATABASE_URL what it needs."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take Django's arguments, with the owner's connection as the default."""
        super().add_arguments(parser)
        parser.set_defaults(database=_default_alias())

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate and grant. Raises: CommandError when the application's role does not exist."""
        alias = options["database"]
        role = str(connections[DEFAULT_DB_ALIAS].settings_dict["USER"])
        writes = not (options["plan"] or options["check_unapplied"])
        if writes:
            _require_role(alias=alias, role=role)
        super().handle(*args, **options)
        if writes:
            grant(alias=alias, role=role)
            if options["verbosity"] >= 1:
                self.stdout.write(f"Granted the role {role} what the application needs.")


def grant(*, alias: str, role: str) -> None:
    """Run the grants, all or nothing; they say the whole truth each time and may be run at any time."""
    statement = GRANTS.read_text().replace(ROLE_PLACEHOLDER, sql.Identifier(role).as_string(None))
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        # Without parameters the driver takes the file as it is: several statements, % signs and all.
        cursor.execute(statement, None)


def _default_alias() -> str:
    return "owner" if "owner" in settings.DATABASES else DEFAULT_DB_ALIAS


def _require_role(*, alias: str, role: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            raise CommandError(
                f"The role {role!r} of DATABASE_URL does not exist on the server. "
                f"Create it first: CREATE ROLE {role} LOGIN PASSWORD '…';"
            )
