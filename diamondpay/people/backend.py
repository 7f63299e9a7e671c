"""Which permissions a person has: those of their roles and their own, and of a merchant's person no others
than a merchant may have.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from diamondpay.models import User
from merchants import access


class MembersBackend(ModelBackend):
    """Django's permissions, without the platform's own for whoever belongs to a merchant.

    However such a permission got there, by a role, by hand or by a role that was widened later, it is worth
    nothing to a member: what they open and do is cut here, below every page.
    """

    def _get_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        found: set[str] = super()._get_permissions(user_obj, obj, from_name)  # type: ignore[misc]
        if obj is not None or not found or user_obj.is_superuser or not isinstance(user_obj, User):
            return found
        if not access.is_member(user_obj):
            return found
        return {label for label in found if access.is_open_to_members(label)}
