"""Choices that are read, not scrolled: roles, and permissions in words under their rooms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.auth.models import Permission
from django.forms.models import ModelChoiceIterator

from diamondpay.people import rights


class _ByRoom(ModelChoiceIterator[Any]):
    """Permissions under the titles of their rooms, of each those that mean something."""

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        allowed = set(self.queryset.values_list("pk", flat=True))
        offered = (row for row in rights.offered() if row.pk in allowed)
        for title, permissions in rights.by_room(offered):
            yield title, [(row.pk, rights.words_of(row)) for row in permissions]


class GroupedCheckboxes(forms.CheckboxSelectMultiple):
    """Checkboxes under headings."""

    template_name = "admin/people/grouped_checkboxes.html"


class PlainCheckboxes(forms.CheckboxSelectMultiple):
    """Checkboxes under each other."""

    template_name = "admin/people/checkboxes.html"


class PermissionsField(forms.ModelMultipleChoiceField[Permission]):
    """Permissions in words, under their rooms."""

    widget = GroupedCheckboxes
    iterator = _ByRoom
