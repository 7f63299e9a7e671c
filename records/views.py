"""Where upstreams call us back."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from diamondpay.lib import addresses, clock, errors
from records import callbacks


@csrf_exempt
@require_POST
def upstream_callback(request: HttpRequest, channel_code: str) -> HttpResponse:
    """Take a callback of a channel's upstream; the answer is in the upstream's own words."""
    # One byte more than is considered tells that it is too large without reading a flood.
    body = request.read(callbacks.BODY_BYTES_MAX + 1)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        received = callbacks.receive(
            channel_code=channel_code,
            headers=headers,
            body=body,
            now=clock.now(),
            source_address=addresses.client_address(request.META, settings.TRUSTED_PROXY_COUNT),
        )
    except errors.ChannelUnknown as refusal:
        return JsonResponse({"error": str(refusal)}, status=404)
    answer = received.answer
    return HttpResponse(answer.body, status=answer.http_status, content_type=answer.content_type)
