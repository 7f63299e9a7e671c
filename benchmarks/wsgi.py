"""The product's web process, knowing one more upstream: `gunicorn benchmarks.wsgi`."""

from benchmarks import instant_upstream
from channels.upstreams import registry
from diamondpay.wsgi import application

__all__ = ["application"]

registry.ADAPTERS[instant_upstream.NAME] = instant_upstream.InstantAdapter
