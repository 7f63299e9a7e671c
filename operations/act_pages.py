"""Pages of acts: one page for one deed on one object, with a look at before and after in between.

A room of acts declares an `ActPage` and calls `register`; that gives the act an address
(`/admin/acts/<name>/<object id>/`, URL name `admin:act_<name>`), offers it on the object's own page
(`diamondpay.lib.acts`), and promises, for every act alike:

- Permissions are asked at every step and once more, with scope and state, inside the deed's transaction, of
  the person as the database knows them then. Another merchant's object is unknown (404).
- Nothing is done without the table of what is now and what will be. What it showed is compared under the
  lock; where it differs the page shows the new table and nothing is done.
- A form does its deed once (`operations.form_tokens`): whoever sends it again gets the first answer.
- Wrong input stays on the page with its errors beside the fields; a refusal of the domain stands above them.
- Attempts that are refused for a permission, a scope or a state leave an audit row `<name>.refused`; the
  audit row of the deed is the deed's own matter (`execute`).

What an act declares, and the dangers:

`load(user, object_id, is_locked)` returns the object within what the person may see
(`merchants.access.visible_to`), or None. With `is_locked` it runs in the transaction and locks the row.
`obstacle(asked)` says in words why the object's state does not allow the act, or returns None; it must not
write. `form_class` is an `ActForm`: a reason is always asked for, its other fields are the act's own.
`before_after(asked)` returns the table; a row whose figures move by themselves (a busy wallet's balance) is
not binding. `execute(asked)` runs in the transaction, after every check, may run up to three times and
must do nothing but SQL; whatever needs the network is returned as `Done.after_commit`. `asked.token` is
unique to the form and serves as a request id.

Without further fields an act is `is_single_step`: the table and the reason stand on one page. Its
`before_after` and `button` are then called before anything was typed, with empty `values`. So is every act
whose form takes files, which no browser carries over to a second page.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay import step_up
from diamondpay.identity import refusals
from diamondpay.lib import acts, clock, errors, pages, transactions
from diamondpay.lib.admin import address_of
from diamondpay.models import User
from operations import form_tokens
from records.admin import parts

Words = errors.Words
OBJECT_ID_LENGTH_MAX = 64
_FORM_STEP, _DO_STEP = "change", "do"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row of the table of before and after; a binding one must still be true when the deed is done."""

    label: Words
    before: Any
    after: Any
    is_binding: bool = True


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person wants to do. `values` are the form's cleaned values, empty before anything was sent."""

    user: User
    obj: Any
    now: datetime
    address: str | None
    token: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def by(cls, request: HttpRequest) -> Asked:
        """Return who asks, when and from where. Raises: PermissionDenied for whoever is not signed in."""
        if not isinstance(request.user, User):
            raise PermissionDenied
        return cls(user=request.user, obj=None, now=clock.now(), address=address_of(request))

    @property
    def reason(self) -> str:
        """Why, in the person's words."""
        return str(self.values.get("reason", ""))


@dataclass(frozen=True, kw_only=True)
class Done:
    """A deed's answer: what is said, where the person is led (the object's page where nothing is given).

    `after_commit` is called once the transaction stands; words it returns replace the message.
    """

    message: Words
    url: str = ""
    after_commit: Callable[[], Words | None] | None = None


class ActForm(forms.Form):
    """The fields of an act; the reason stands last. `self.asked` names the person and the object."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Why this is done; it stays with the deed."),
    )  # fmt: skip

    def __init__(self, *args: Any, asked: Asked, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = asked
        self.order_fields([name for name in self.fields if name != "reason"])


def _nothing(_asked: Asked) -> None:
    return None


def _always(_obj: Any) -> bool:
    return True


def _no_facts(_asked: Asked) -> Sequence[tuple[Words, Any]]:
    return ()


def _label_of(obj: Any) -> str:
    return str(obj)


def _page_of(obj: Any) -> str:
    return parts.page_url(type(obj), obj.pk)


@dataclass(frozen=True, kw_only=True)
class ActPage:
    """One act on one kind of object. See the module for what each part promises.

    `permissions` are all needed; an act that `moves_money` asks again who it is (`diamondpay.step_up`).
    `models`: the act is offered on such objects' own pages (of those that it `fits`), with `key_of` in the
    address. `name_of` is how the page calls the object, `url_of` where its page is.
    """

    name: str
    label: Words
    permissions: tuple[str, ...]
    object_kind: str
    load: Callable[[User, str, bool], Any | None]
    before_after: Callable[[Asked], Sequence[Change]]
    execute: Callable[[Asked], Done]
    button: Callable[[Asked], Words]
    models: tuple[type[Model], ...] = ()
    fits: Callable[[Any], bool] = _always
    key_of: Callable[[Any], Any] = acts.key
    form_class: Callable[..., ActForm] = ActForm
    obstacle: Callable[[Asked], Words | None] = _nothing
    facts: Callable[[Asked], Sequence[tuple[Words, Any]]] = _no_facts
    name_of: Callable[[Any], str] = _label_of
    url_of: Callable[[Any], str] = _page_of
    note: Words = ""
    is_single_step: bool = False
    moves_money: bool = False

    @property
    def url_name(self) -> str:
        """The name of the page's address."""
        return f"admin:act_{self.name}"

    def may(self, user: Any) -> bool:
        """Say whether the person holds every permission of the act."""
        return all(user.has_perm(permission) for permission in self.permissions)


class Changed(Exception):
    """What the table showed is no longer so."""


def register(page: ActPage) -> ActPage:
    """Give the act its address and offer it on the pages of its objects. Call it while Django starts."""
    pages.add_page(
        pages.Page(
            path=f"acts/{page.name}/<str:object_id>/",
            name=f"act_{page.name}",
            # Open to all staff: the page itself asks for the permissions, so that it can note who tried.
            view=functools.partial(answer, page),
        )
    )
    if page.models:
        acts.register(
            acts.Act(
                name=page.name, label=page.label, permission=page.permissions[0],
                is_offered=functools.partial(_is_offered, page), url_name=page.url_name, key_of=page.key_of,
            )
        )  # fmt: skip
    return page


def _is_offered(page: ActPage, user: Any, obj: object) -> bool:
    if not isinstance(obj, page.models) or not page.fits(obj) or not page.may(user):
        return False
    # For an offer this server's clock is good enough; the deed reads the database's.
    return page.obstacle(Asked(user=user, obj=obj, now=timezone.now(), address=None)) is None


def answer(page: ActPage, request: HttpRequest, object_id: str) -> HttpResponseBase:
    """Show the form, the table of before and after, or do the deed."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    asked = Asked.by(request)
    if len(object_id) > OBJECT_ID_LENGTH_MAX or not object_id.isprintable():
        raise Http404
    if not page.may(asked.user):
        note_refusal(page, request, asked, object_id, errors.NotAllowed())
        raise PermissionDenied
    asked = replace(asked, obj=page.load(asked.user, object_id, False))
    if asked.obj is None:
        note_refusal(page, request, asked, object_id, errors.OrderUnknown())
        raise Http404
    if request.method != "POST":
        return _form(page, request, replace(asked, token=form_tokens.fresh()))
    asked = replace(asked, token=request.POST.get("form_token", ""))
    form = page.form_class(request.POST, request.FILES, asked=asked)
    step = request.POST.get("step")
    if step == _FORM_STEP or not form.is_valid():
        return _form(page, request, asked, form=form)
    asked = replace(asked, values=form.cleaned_data)
    if step == _DO_STEP:
        proof_due = step_up.asked(request) if page.moves_money else None
        return proof_due or _done(page, request, asked, form, object_id)
    return _look(page, request, asked, form)


def _done(
    page: ActPage, request: HttpRequest, asked: Asked, form: ActForm, object_id: str
) -> HttpResponseBase:
    use = form_tokens.Use(
        token=asked.token, user=asked.user, act=page.name, object_id=object_id, content=_content(form)
    )
    try:
        outcome, after_commit = do_once(page, asked, use, request.POST.get("seen", ""))
    except Changed:
        refreshed = replace(asked, obj=page.load(asked.user, object_id, False))
        if refreshed.obj is None:
            raise Http404 from None
        words = _t("This changed after you looked at it. Nothing was done; look at it once more.")
        return _look(page, request, refreshed, form, words=words)
    except errors.InvalidInput as refusal:
        complain(form, refusal)
        return _form(page, request, asked, form=form)
    except errors.DomainError as refusal:
        note_refusal(page, request, asked, object_id, refusal)
        if isinstance(refusal, errors.NotAllowed):
            raise PermissionDenied from None
        form.add_error(None, str(refusal))
        return _form(page, request, asked, form=form)
    if after_commit is not None:
        outcome["message"] = str(after_commit() or outcome["message"])
        form_tokens.note(token=asked.token, outcome=outcome)
    messages.success(request, outcome["message"])
    return HttpResponseRedirect(outcome["url"])


@transactions.atomic_with_retries
def do_once(
    page: ActPage, asked: Asked, use: form_tokens.Use, seen: str
) -> tuple[dict[str, str], Callable[[], Words | None] | None]:
    """Do the deed once, after every check was made again.

    Locks: the form's token, then the object, then whatever the deed locks.
    """
    first = form_tokens.claim(use=use, now=asked.now)
    if first is not None:
        return {
            "message": str(_("This is done already.")),
            "url": page.url_of(asked.obj),
            **first.outcome,
        }, None
    # The person as they are now: a right that was taken away while they looked is gone.
    user = User.objects.get(pk=asked.user.pk)
    if not page.may(user):
        raise errors.NotAllowed
    obj = page.load(user, use.object_id, True)
    if obj is None:
        raise errors.OrderUnknown
    asked = replace(asked, user=user, obj=obj)
    hindrance = page.obstacle(asked)
    if hindrance is not None:
        raise errors.DomainError(hindrance)
    if seen != seen_of(page.before_after(asked)):
        raise Changed
    done = page.execute(asked)
    outcome = {"message": str(done.message), "url": done.url or page.url_of(obj)}
    form_tokens.note(token=use.token, outcome=outcome)
    return outcome, done.after_commit


def _form(
    page: ActPage, request: HttpRequest, asked: Asked, *, form: ActForm | None = None
) -> TemplateResponse:
    hindrance = page.obstacle(asked)
    shown = form if form is not None else page.form_class(asked=asked)
    rows = page.before_after(asked) if page.is_single_step and hindrance is None else ()
    return _page(page, request, asked, shown, rows=rows, obstacle=hindrance, is_looking=False)


def complain(form: ActForm, refusal: errors.InvalidInput) -> None:
    """Put each fault beside its field, and what belongs to none above them all."""
    for name, fault in refusal.fields.items():
        form.add_error(name if name in form.fields else None, str(fault))


def _look(
    page: ActPage, request: HttpRequest, asked: Asked, form: ActForm, *, words: str = ""
) -> HttpResponseBase:
    hindrance = page.obstacle(asked)
    if page.is_single_step or hindrance is not None:
        if words:
            form.add_error(None, words)
        return _form(page, request, asked, form=form)
    try:
        rows = page.before_after(asked)
    except errors.InvalidInput as refusal:
        complain(form, refusal)
        return _form(page, request, asked, form=form)
    return _page(page, request, asked, form, rows=rows, obstacle=None, is_looking=True, words=words)


def _page(
    page: ActPage, request: HttpRequest, asked: Asked, form: ActForm, *, rows: Sequence[Change],
    obstacle: Words | None, is_looking: bool, words: str = "",
) -> TemplateResponse:  # fmt: skip
    context = {
        **admin.site.each_context(request),
        "title": page.label,
        "object_name": page.name_of(asked.obj),
        "back": page.url_of(asked.obj),
        "facts": page.facts(asked),
        "note": page.note,
        "form": form,
        "form_token": asked.token,
        "rows": rows,
        "seen": seen_of(rows),
        "obstacle": obstacle,
        "is_looking": is_looking,
        "is_single_step": page.is_single_step,
        "button": page.button(asked) if rows else "",
        "words": words,
        "kept": [bound.as_hidden() for bound in form] if is_looking else [],
    }
    response = TemplateResponse(request, "admin/operations/act.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def seen_of(rows: Sequence[Change]) -> str:
    """Return the binding rows in short."""
    told = [(str(row.label), str(row.before), str(row.after)) for row in rows if row.is_binding]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def _content(form: ActForm) -> bytes:
    """Return what was typed, so that a token stands for one content."""
    typed = [(name, [str(item) for item in form.data.getlist(name)]) for name in form.fields]  # type: ignore[attr-defined]
    files = [(name, str(file), getattr(file, "size", 0)) for name, file in form.files.items()]
    return repr((typed, files)).encode(errors="replace")


def note_refusal(
    page: ActPage, request: HttpRequest, asked: Asked, object_id: str, refusal: errors.DomainError
) -> None:
    """Keep who tried what and was refused; looking at a page is no attempt."""
    if request.method != "POST" or isinstance(refusal, errors.Busy):
        return
    refusals.write(
        action=f"{page.name}.refused",
        object_kind=page.object_kind,
        object_id=object_id,
        user=asked.user,
        address=asked.address,
        reason=asked.reason,
        now=asked.now,
        after={"refusal": refusal.code, "words": str(refusal)},
    )
