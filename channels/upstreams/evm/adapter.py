"""The adapter of Ethereum and chains like it: addresses of our own, and a node to read blocks from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from channels.upstreams import setting_values
from channels.upstreams.base import (
    CallbackAnswer,
    CallbackMessage,
    CallbackRefused,
    Direction,
    Exchange,
    Inquiry,
    PaymentRequest,
    PayoutRequest,
    RawCallback,
    Receiver,
    SettingField,
    Submission,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.chain import NATIVE, Block, Transfer
from channels.upstreams.evm import keccak, keys, reading, rpc
from diamondpay.lib import destinations

_CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
_STEPS_MAX = 9999
_BATCH_MAX = 100
_WATCHED = "Nobody is asked: the chain is read block by block, and what arrives is counted."


class EvmAdapter:
    """Collects at addresses derived from an extended public key, at one shared address, or at both."""

    setting_fields: tuple[SettingField, ...] = (
        SettingField(name="chain", label="Chain, by its code", default="ETH"),
        SettingField(name="node_url", label="Node (JSON-RPC address)", is_secret=True),
        SettingField(
            name="xpub",
            label="Extended public key for dedicated addresses (xpub, never xprv)",
            # Write-only: it links all addresses, and what somebody typed by mistake must not be shown again.
            is_secret=True,
            is_required=False,
        ),
        SettingField(name="shared_address", label="Shared address for fixed amounts", is_required=False),
        SettingField(
            name="amount_steps",
            label="Fixed amounts that may be told apart",
            is_required=False,
            default="999",
        ),
        SettingField(
            name="private_node",
            label="The node is in our own network (yes or no)",
            is_required=False,
            default="no",
        ),
        SettingField(name="batch_size", label="Calls per request", is_required=False, default="20"),
        SettingField(name="timeout_seconds", label="Seconds to wait", is_required=False, default="15"),
    )
    is_submit_idempotent: bool = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Bind to a channel's settings.

        Raises: ValueError naming the setting that is missing or makes no sense.
        """
        self.chain_code = setting_values.required(settings, "chain")
        if not _CODE.fullmatch(self.chain_code):
            raise ValueError("The setting chain must be a chain's code such as ETH.")
        self._key = _key(settings)
        self.key_fingerprint = self._key.fingerprint if self._key else ""
        self.shared_address = _shared_address(settings)
        if not self.key_fingerprint and not self.shared_address:
            raise ValueError("One of the settings xpub and shared_address must be there.")
        self.amount_steps = _whole(settings, "amount_steps", default=999, maximum=_STEPS_MAX)
        is_private = setting_values.one_of(settings, "private_node", ("no", "yes")) == "yes"
        self._node = rpc.Node(
            url=_node_url(settings, is_private=is_private),
            timeout_seconds=setting_values.timeout_seconds(settings),
            batch_size=_whole(settings, "batch_size", default=20, maximum=_BATCH_MAX),
            is_public_only=not is_private,
        )

    def canonical(self, address: str) -> str:
        """Return the address with its check sum. Raises: ValueError."""
        return keccak.read_address(address)

    def address_at(self, index: int) -> str:
        """Return the address of a child of the extended public key. Raises: ValueError."""
        if self._key is None:
            raise ValueError("The channel has no extended public key.")
        return keys.child(self._key, index).address

    def payment_text(self, *, address: str, asset: str, units: int, network_id: int | None) -> str:
        """Return the payment request of EIP-681, for the coin or for a token's contract."""
        network = f"@{network_id}" if network_id is not None else ""
        if asset == NATIVE:
            return f"ethereum:{address}{network}?value={units}"
        return f"ethereum:{asset}{network}/transfer?address={address}&uint256={units}"

    def head(self, *, network_id: int | None) -> int:
        """Return the number of the newest block. Raises: ChainUnreadable."""
        return reading.head(self._node, network_id=network_id)

    def blocks(self, *, first: int, last: int) -> list[Block]:
        """Return blocks that follow one another. Raises: ChainUnreadable."""
        return reading.blocks(self._node, first=first, last=last)

    def transfers(
        self, *, blocks: Sequence[Block], assets: AbstractSet[str], addresses: AbstractSet[str]
    ) -> list[Transfer]:
        """Return what arrived at the addresses. Raises: ChainUnreadable."""
        return reading.transfers(self._node, blocks=blocks, assets=assets, addresses=addresses)

    def balances(self, *, block_hash: str, addresses: Sequence[str]) -> list[int]:
        """Return what each address holds of the coin. Raises: ChainUnreadable."""
        return reading.balances(self._node, block_hash=block_hash, addresses=addresses)

    def submit_payment(self, request: PaymentRequest) -> Submission:
        """Accept the order at the address that was chosen for it; nobody needs to be asked."""
        receiving = request.receiving
        if receiving is None:
            return Submission(SubmissionOutcome.UNKNOWN, _no_call(), reason="The order has no address yet.")
        return Submission(
            SubmissionOutcome.ACCEPTED,
            _no_call(),
            qr_text=receiving.qr_text,
            display_amount=receiving.amount,
            receiver=Receiver(card_number=receiving.address, bank_name=receiving.network),
        )

    def submit_payout(self, request: PayoutRequest) -> Submission:
        """Refuse: paying out needs a private key, and the server holds none."""
        reason = "This upstream takes deposits only."
        return Submission(SubmissionOutcome.REFUSED, _no_call(), reason=reason)

    def query(self, *, direction: Direction, reference: str) -> Inquiry:
        """Say that a deposit waits: what arrives is found by reading blocks, not by asking."""
        if direction is Direction.PAYOUT:
            return Inquiry(UpstreamState.NOT_FOUND, _no_call(), reason="This upstream takes deposits only.")
        return Inquiry(UpstreamState.PENDING, _no_call(), reason=_WATCHED)

    def parse_callback(self, callback: RawCallback) -> CallbackMessage:
        """Refuse every callback: a chain calls nobody.

        Raises: CallbackRefused.
        """
        raise CallbackRefused("A chain sends no callbacks.")

    def answer_callback(self, *, is_accepted: bool) -> CallbackAnswer:
        """Say no; nothing is ever accepted."""
        return CallbackAnswer(http_status=400, content_type="text/plain; charset=utf-8", body="no")


def _no_call() -> Exchange:
    return Exchange(request="", response="", http_status=None, duration_ms=0)


def _key(settings: Mapping[str, str]) -> keys.ExtendedKey | None:
    text = settings.get("xpub", "").strip()
    if not text:
        return None
    try:
        return keys.read(text)
    except ValueError as fault:
        # The value itself is never repeated: it may be a private key.
        raise ValueError(f"The setting xpub: {fault}") from None


def _shared_address(settings: Mapping[str, str]) -> str:
    text = settings.get("shared_address", "").strip()
    if not text:
        return ""
    try:
        return keccak.read_address(text)
    except ValueError as fault:
        raise ValueError(f"The setting shared_address: {fault}.") from None


def _whole(settings: Mapping[str, str], name: str, *, default: int, maximum: int) -> int:
    text = settings.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= maximum):
        raise ValueError(f"The setting {name} must be a whole number from 1 to {maximum}.")
    return int(text)


def _node_url(settings: Mapping[str, str], *, is_private: bool) -> str:
    url = setting_values.required(settings, "node_url")
    try:
        target = destinations.parse_url(url)
        literal = destinations.literal_address(target.host)
        if not is_private and literal is not None:
            destinations.check_addresses(target.host, [literal], ())
    except destinations.AddressRefused as fault:
        raise ValueError(f"The setting node_url: {fault.reason}.") from None
    # What the node says is not signed, so what is not in our own network must come over TLS.
    if target.scheme != "https" and not is_private:
        raise ValueError("The setting node_url must begin with https://, or private_node must be yes.")
    return f"{target.scheme}://{target.authority}{target.path}"
