"""import-export resources of what staff hand in as files: how rows are found, judged, and written.

A resource is declared in the room that owns the model:

    class BankResource(StaffResource):
        fixed = {"currency": words}         # what an existing row keeps, and why

        class Meta:
            model = Bank
            fields = import_order = ("id", "code", "name", "currency", "link", "is_open")
            import_id_fields = ("id",)

        def faults(self, row): ...          # the rules of the form, by field

A file names a row by its key. An empty cell keeps what stands there; in a new row it takes the default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db import models as orm
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource

from diamondpay.lib import transactions
from diamondpay.lib.errors import Words
from diamondpay.lib.imports import lines, widgets

VisibleTo = Callable[[QuerySet[Any]], QuerySet[Any]]


class FoundAtOnce(BaseInstanceLoader):  # type: ignore[misc]  # import-export has no types
    """Finds every row that a file names with one statement; locks them where the import is to last."""

    def __init__(self, resource: StaffResource, dataset: Any = None) -> None:
        super().__init__(resource, dataset)
        first = resource.fields[resource.get_import_id_fields()[0]]
        queryset = resource.get_queryset().filter(
            **{f"{first.attribute}__in": set(dataset[first.column_name])}
        )
        if resource.is_lasting:
            queryset = queryset.select_for_update(of=("self",))
        self._rows = {resource.key_of_row(row): row for row in queryset.order_by("pk")}

    def get_instance(self, row: Mapping[str, str]) -> Any:
        """Return the row that a line is about, None for a new one."""
        return self._rows.get(self.resource.key_of_line(row))


class StaffResource(ModelResource):  # type: ignore[misc]  # import-export has no types
    """The columns of a model that staff may write by file."""

    # What a row keeps once it is made, by field, with the words that say how it is changed instead.
    fixed: ClassVar[Mapping[str, Words]] = {}

    class Meta:
        instance_loader_class = FoundAtOnce
        skip_unchanged = True
        report_skipped = True
        store_instance = True
        skip_html_diff = True

    def __init__(
        self, *, visible_to: VisibleTo, may: Callable[[str], bool], is_lasting: bool = False
    ) -> None:
        super().__init__()
        self.visible_to, self.may, self.is_lasting = visible_to, may, is_lasting
        self._was: dict[str, Any] | None = None
        self._keys: dict[tuple[str, ...], int] = {}

    @classmethod
    def field_from_django_field(cls, field_name: str, django_field: Any, readonly: bool) -> Field:
        """Return the field with the widget of its kind; it stands in files under the column's name."""
        widget: widgets.Text
        if isinstance(django_field, orm.ForeignKey):
            widget = widgets.Relation(django_field.remote_field.model)
        elif isinstance(django_field, orm.BooleanField):
            widget = widgets.Flag()
        elif django_field.flatchoices:
            widget = widgets.Choice(django_field.flatchoices)
        elif isinstance(django_field, orm.DecimalField):
            widget = widgets.Amount()
        else:
            widget = widgets.Text()
        return Field(attribute=django_field.attname, column_name=field_name, widget=widget, readonly=readonly)

    @classmethod
    def title_of(cls, key: str) -> str:
        """Return the name of a column for people."""
        return str(capfirst(str(cls._meta.model._meta.get_field(key).verbose_name)))

    @classmethod
    def headings(cls) -> dict[str, str]:
        """Return each name that a column may have in a file, with its key; the one people read comes last."""
        names: dict[str, str] = {}
        for key in cls._meta.fields:
            names[lines.key_of(key)] = key
        for key in cls._meta.fields:
            title = lines.key_of(cls.title_of(key))
            names.pop(title, None)
            names[title] = key
        return names

    def faults(self, row: Any) -> Mapping[str, Words]:
        """Return what the rules of the model's form say against a row, by field."""
        return {}

    def fixed_of(self, row: Any) -> Mapping[str, Words]:
        """Return what this row keeps, by field, with the words that say how it is changed instead."""
        return self.fixed

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows that the person may see."""
        return self.visible_to(self._meta.model._default_manager.all())

    def key_of_line(self, row: Mapping[str, str]) -> tuple[str, ...]:
        """Return by what a line names its row."""
        return tuple(row.get(name, "") for name in self.get_import_id_fields())

    def key_of_row(self, row: Any) -> tuple[str, ...]:
        """Return by what a file names a row."""
        return tuple(str(self.fields[name].get_value(row)) for name in self.get_import_id_fields())

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Look up everything that the file names, with one statement for each column."""
        for field in self.fields.values():
            if isinstance(field.widget, widgets.Relation):
                field.widget.look_up(dataset[field.column_name], self.visible_to)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Refuse a line without its key, and a second line about the same row."""
        missing = {name: _t("This is required.") for name in self.get_import_id_fields() if not row[name]}
        if missing:
            raise ValidationError(missing)
        key, number = self.key_of_line(row), int(kwargs["row_number"])
        if self._keys.setdefault(key, number) != number:
            words = (
                _t("An earlier row of this file is about the same %s.") % self._meta.model._meta.verbose_name
            )
            raise ValidationError({self.get_import_id_fields()[-1]: words})

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        """Remember how the row is before the line is read into it."""
        names = self._meta.fields
        self._was = None if new else {name: self.fields[name].get_value(instance) for name in names}

    def import_field(
        self, field: Field, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any
    ) -> None:
        """Read a cell; an empty one says nothing."""
        if row.get(field.column_name):
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """Judge a row: its cells, its columns, the rules of its form, what it keeps, and the person's right.

        Raises: ValidationError by field.
        """
        by_attribute = {field.attribute: name for name, field in self.fields.items()}
        found: dict[str, Any] = {
            by_attribute.get(name, name): words for name, words in (import_validation_errors or {}).items()
        }
        relations = {name for name, each in self.fields.items() if isinstance(each.widget, widgets.Relation)}
        for name in relations - set(found):
            if self.fields[name].get_value(instance) in (None, ""):
                found[name] = [_t("This is required.")]
        try:
            others = {field.name for field in instance._meta.fields} - set(self.fields)
            instance.clean_fields(exclude=others | relations | set(found))
        except ValidationError as refusal:
            found.update(refusal.message_dict)
        if not found:
            found.update({name: [words] for name, words in self.faults(instance).items()})
        for name, words in self.fixed_of(instance).items():
            if self._was is not None and self.fields[name].get_value(instance) != self._was[name]:
                found[name] = [words]
        action = "add" if self._was is None else "change"
        if not self.may(action):
            found[NON_FIELD_ERRORS] = [
                _t("You may not add new rows.") if action == "add" else _t("You may not change rows.")
            ]
        if found:
            raise ValidationError(found)

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        """Write the row. What the database refuses is told in words. Raises: ValidationError."""
        try:
            # A refused statement ends its transaction; the lines after it are still to be tried.
            with transaction.atomic():
                instance.save(force_insert=is_create)
        except IntegrityError as refusal:
            raise self._in_words(refusal, instance) from refusal

    def _in_words(self, refusal: IntegrityError, instance: Any) -> ValidationError:
        """Return a refusal of the database as words beside the columns that it is about."""
        name = transactions.constraint_name(refusal)
        meta = self._meta.model._meta
        for constraint in meta.constraints:
            if constraint.name == name and isinstance(constraint, orm.UniqueConstraint):
                titles = ", ".join(self.title_of(key) for key in constraint.fields if key in self.fields)
                words = _t("Another %(kind)s has the same %(columns)s.")
                last = next(key for key in reversed(constraint.fields) if key in self.fields)
                return ValidationError({last: words % {"kind": meta.verbose_name, "columns": titles}})
        return ValidationError(_t("The database refuses this row (%s).") % (name or type(refusal).__name__))

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Leave the sequences alone: numbers come from them, never from a file."""
