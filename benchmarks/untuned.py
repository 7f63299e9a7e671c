"""The list as Django REST framework gives it for nothing: ModelSerializer, ListAPIView, limit and offset.

No authentication, no signatures, the same fields: whatever it lacks makes it faster, not slower.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.urls import include, path
from rest_framework.generics import ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.serializers import ModelSerializer

from records.models import Payment


class PaymentSerializer(ModelSerializer[Payment]):
    """The fields of the gateway's list, under the model's names."""

    class Meta:
        model = Payment
        fields = (
            "requested_amount",
            "actual_amount",
            "fee",
            "payment_id",
            "merchant_order_no",
            "party_name",
            "merchant",
            "merchant_channel",
            "status",
            "memo",
            "created_at",
            "updated_at",
        )


class Pages(LimitOffsetPagination):
    """As many per page as the gateway allows."""

    default_limit = 25
    max_limit = 500


class PaymentList(ListAPIView[Payment]):
    """A merchant's deposits, newest first."""

    serializer_class = PaymentSerializer
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Payment]:
        """Return the deposits of the merchant in the address."""
        return Payment.objects.filter(merchant_id=self.kwargs["merchant_id"]).order_by("-created_at")


urlpatterns = [
    path("untuned/<str:merchant_id>/payments", PaymentList.as_view()),
    path("", include("diamondpay.urls")),
]
