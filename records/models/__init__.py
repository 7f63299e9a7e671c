"""The book's tables, one module per subject."""

from records.models.chains import ChainCursor, ChainKey, ChainPayment, ChainQuote, ChainTransfer
from records.models.exports import ExportFormat, ExportJob, ExportSchedule, ExportTemplate
from records.models.ledger import (
    Account,
    BalanceRecord,
    BalanceTransfer,
    ChangeType,
    ManualFreeze,
    Posting,
    PostingKind,
)
from records.models.messages import Case, Notification, NotificationAttempt, UpstreamCallback
from records.models.orders import Actor, Order, SignType, Source, StatusChange, UpstreamCall
from records.models.payments import PAYMENT_MOVES, Payment, PaymentStatus
from records.models.payouts import ATTEMPT_MOVES, PAYOUT_MOVES, Payout, PayoutAttempt, PayoutStatus
from records.models.proofs import Proof
from records.models.totals import (
    AccountDelta,
    AccountTotal,
    AmountTotal,
    Grain,
    OrderDayTotal,
    OrderDelta,
    OrderHourTotal,
    OrderTotal,
    PlatformTotal,
    SummaryTotal,
)

__all__ = [
    "ATTEMPT_MOVES",
    "PAYMENT_MOVES",
    "PAYOUT_MOVES",
    "Account",
    "AccountDelta",
    "AccountTotal",
    "Actor",
    "AmountTotal",
    "BalanceRecord",
    "BalanceTransfer",
    "Case",
    "ChainCursor",
    "ChainKey",
    "ChainPayment",
    "ChainQuote",
    "ChainTransfer",
    "ChangeType",
    "ExportFormat",
    "ExportJob",
    "ExportSchedule",
    "ExportTemplate",
    "Grain",
    "ManualFreeze",
    "Notification",
    "NotificationAttempt",
    "Order",
    "OrderDayTotal",
    "OrderDelta",
    "OrderHourTotal",
    "OrderTotal",
    "Payment",
    "PaymentStatus",
    "Payout",
    "PayoutAttempt",
    "PayoutStatus",
    "PlatformTotal",
    "Posting",
    "PostingKind",
    "Proof",
    "SignType",
    "Source",
    "StatusChange",
    "SummaryTotal",
    "UpstreamCall",
    "UpstreamCallback",
]
