"""The registry through which what is low can offer what is high.

`operations` registers its acts when Django starts; the order pages in `records` ask what may be done and
link by URL name. Nothing imports upwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.functional import Promise


class PermissionHolder(Protocol):
    """A user, as far as acts are concerned."""

    def has_perm(self, perm: str) -> bool:
        """Say whether the user holds the permission, written `app.codename`."""


def key(obj: Any) -> Any:
    """Return an object's primary key."""
    return obj.pk


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something a person may do with an object. `key_of` is what stands for the object in the address;
    `opens_window` says that it leads out of the back office, to a window of its own.

    `is_offered(user, object)` must answer for an object of any kind, False for those it does not concern,
    and must not write. Being offered is no permission to act: the act checks again under its own lock.
    """

    name: str
    label: str | Promise
    permission: str
    is_offered: Callable[[Any, Any], bool]
    url_name: str
    # The page's main button is the first; what changes nothing about the object stands further back.
    order: int = 0
    key_of: Callable[[Any], Any] = key
    opens_window: bool = False


class Registry:
    """Acts by name, in their `order` and then the order of registration."""

    def __init__(self) -> None:
        self._acts: dict[str, Act] = {}

    def register(self, act: Act) -> None:
        """Add an act.

        Raises: ValueError when another act has its name.
        """
        if self._acts.get(act.name, act) != act:
            raise ValueError(f"another act is already called {act.name!r}")
        self._acts[act.name] = act

    def allowed(self, user: PermissionHolder, obj: object) -> list[Act]:
        """Return the acts that the user holds the permission for and that the object's state offers now."""
        return [
            act
            for act in sorted(self._acts.values(), key=lambda act: act.order)
            if user.has_perm(act.permission) and act.is_offered(user, obj)
        ]


_registry = Registry()
register = _registry.register
allowed = _registry.allowed
