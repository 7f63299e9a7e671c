"""Which permissions a person has: those of their roles and their own, and of a merchant's person no others
than a merchant may have.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from diamondpay.lib import sql
from diamondpay.models import User
from merchants import access

# What the roles of a user give, and what they were given themselves.
_GIVEN = """
    SELECT type.app_label, permission.codename FROM auth_permission AS permission
    JOIN django_content_type AS type ON type.id = permission.content_type_id
    WHERE permission.id IN (
        SELECT given.permission_id FROM auth_group_permissions AS given
        JOIN diamondpay_user_groups AS holder ON holder.group_id = given.group_id
        WHERE holder.user_id = %(user)s
        UNION ALL
        SELECT permission_id FROM diamondpay_user_user_permissions WHERE user_id = %(user)s
    )
"""


class MembersBackend(ModelBackend):
    """Django's permissions, without the platform's own for whoever belongs to a merchant.

    However such a permission got there, by a role, by hand or by a role that was widened later, it is worth
    nothing to a member: what they open and do is cut here, below every page.
    """

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what roles and own rights give together, asked in one statement for a user object."""
        is_nobody = not user_obj.is_active or user_obj.is_anonymous
        if is_nobody or user_obj.is_superuser or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "permissions_read"):
            found = {f"{app}.{codename}" for app, codename in sql.rows(_GIVEN, {"user": user_obj.pk})}
            user_obj.permissions_read = _cut(user_obj, found)
        permissions: set[str] = user_obj.permissions_read
        return permissions

    def _get_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        found: set[str] = super()._get_permissions(user_obj, obj, from_name)  # type: ignore[misc]
        return found if obj is not None or user_obj.is_superuser else _cut(user_obj, found)


def _cut(user: Any, found: set[str]) -> set[str]:
    """Return of the permissions those that the person may have."""
    if not found or not isinstance(user, User) or not access.is_member(user):
        return found
    return {label for label in found if access.is_open_to_members(label)}
