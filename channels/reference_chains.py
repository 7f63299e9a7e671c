"""Chains, tokens and the services paid over them, as first shipped by the migration `0046_chains`.

Contracts as their issuers publish them. TRON is listed for the day its adapter comes and closed until then.
Source: payment-detail-api.md, Endpoints (its example's chain 1 is TRON).
"""

from __future__ import annotations

from channels.reference import DEPOSIT, Offer

TRON, ETHEREUM = 1, 2

# id, code, name, native coin, confirmations, network id, status
CHAINS = (
    (TRON, "TRON", "TRON", "TRX", 20, None, "closed"),
    (ETHEREUM, "ETH", "Ethereum", "ETH", 12, 1, "open"),
)

# chain, name, symbol, contract, decimals, currency
TOKENS = (
    (TRON, "TRON", "TRX", "", 6, "TRX"),
    (TRON, "Tether USD", "USDT", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", 6, "USDT"),
    (ETHEREUM, "Ether", "ETH", "", 18, "ETH"),
    (ETHEREUM, "Tether USD", "USDT", "0xdAC17F958D2ee523a2206206994597C13D831ec7", 6, "USDT"),
    (ETHEREUM, "USD Coin", "USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 6, "USDC"),
)

SERVICE_TYPE = ("crypto", "Crypto")
# A wallet needs its confirmations, and its owner some time: half an hour.
EXPIRY_SECONDS = 1800
SERVICES = (
    Offer("SVC0092", "USDC deposit", DEPOSIT, "crypto", "USDC"),
    Offer("SVC0093", "ETH deposit", DEPOSIT, "crypto", "ETH"),
    Offer("SVC0094", "Crypto payment quoted in USD", DEPOSIT, "crypto", "USD"),
    Offer("SVC0095", "Crypto payment quoted in CNY", DEPOSIT, "crypto", "CNY"),
)
