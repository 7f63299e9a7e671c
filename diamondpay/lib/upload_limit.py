"""The most that anybody may send as a form with files, before a byte of it is written to the disk.

Django keeps uploaded files on the disk while it reads the form, also for people who have not signed in: the
check against forged requests looks for its token in the form. Each page has its own, smaller limit and says
so beside its field; this one only keeps the disk from being filled.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class LimitedUpload(FileUploadHandler):
    """Refuses a form that is larger than `UPLOAD_BYTES_MAX`; leaves files to the handlers behind it."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *more: Any) -> None:  # noqa: N803
        """Look at the length that the request gives. Raises: RequestDataTooBig, answered with 400."""
        if content_length > settings.UPLOAD_BYTES_MAX:
            raise RequestDataTooBig("The form is larger than UPLOAD_BYTES_MAX.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Hand everything on."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Keep nothing."""
