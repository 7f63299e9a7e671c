"""The practice chain: what it is called, what is paid with on it, and how long its blocks take.

A pretend chain inside the sandbox, read by the real `evm` adapter. There are no keys and nothing of value:
whoever opens the practice wallet sends what they like to whom they like. Its network id is nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass

# The node's path and the wallet's, on the sandbox's own address.
NODE_PATH = "/chain"
WALLET_PATH = "/chain/wallet"

NETWORK = 8_100_810_081_008_100
BLOCK_SECONDS = 3
CONFIRMATIONS = 10
NATIVE = ""


@dataclass(frozen=True, slots=True)
class Coin:
    """What is paid with: the native coin (no contract) or a token. Units: decimals of its smallest."""

    symbol: str
    name: str
    contract: str
    decimals: int


# Contracts are made-up addresses in small letters, as nodes tell them.
COINS = (
    Coin("ETH", "Practice ether", NATIVE, 18),
    Coin("USDT", "Practice dollar", "0x7072616374696365000000000000000000000001", 6),
    Coin("USDC", "Practice coin", "0x7072616374696365000000000000000000000002", 6),
)
COIN_BY_CONTRACT = {coin.contract: coin for coin in COINS}
# Who sends everything. Nobody has a key of it: the chain asks for none.
PAYER = "0x7072616374696365207061796572000000000000"
