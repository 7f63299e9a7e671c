"""Write what is kept of each API: its frozen OpenAPI document and the Postman collection made of it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.http import HttpRequest
from django.urls import resolve, reverse

from diamondpay.lib.openapi import changes, postman

# The API's name, which is its file's, and the URL name of its document. They are asked for by address:
# nothing but `diamondpay.urls` may import `merchants.api`.
APIS = {
    "gateway": "docs-schema",
    "transaction_request": "docs-transaction-request-schema",
    "payment_detail": "docs-payment-detail-schema",
}
FOLDER: Path = settings.BASE_DIR / "docs"


def current(api: str) -> dict[str, Any]:
    """Return the OpenAPI document that the product serves now."""
    request = HttpRequest()
    request.method = "GET"
    found = resolve(reverse(APIS[api]))
    document: dict[str, Any] = json.loads(found.func(request, *found.args, **found.kwargs).content)
    return document


def text(content: object) -> str:
    """Return JSON as it stands in the files: one line for each value, so that a change is read easily."""
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


class Command(BaseCommand):
    """Refuses to write over a document whose callers the new one would break, unless told so."""

    help = "Freeze the OpenAPI documents in docs/openapi and renew docs/postman."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the consent to a break, and a folder for trying out."""
        parser.add_argument(
            "--accept-breaking-change", action="store_true", help="write although callers will break"
        )
        parser.add_argument("--folder", type=Path, default=FOLDER, help="instead of docs")

    def handle(self, *args: object, **options: Any) -> None:
        """Write the files of every API, or say what would break and write none."""
        folder: Path = options["folder"]
        documents = {api: current(api) for api in APIS}
        broken = [
            f"{api}: {sentence}"
            for api, document in documents.items()
            if (file := folder / "openapi" / f"{api}.json").exists()
            for sentence in changes.breaks(json.loads(file.read_text(encoding="utf-8")), document)
        ]
        if broken and not options["accept_breaking_change"]:
            raise CommandError(
                "Callers would break, nothing was written:\n  "
                + "\n  ".join(broken)
                + "\nMake it an addition, or say that it is meant: --accept-breaking-change"
            )
        for api, document in documents.items():
            for kind, content in (("openapi", document), ("postman", postman.collection(document))):
                file = folder / kind / f"{api}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text(content), encoding="utf-8")
                self.stdout.write(str(file))
