# pragma version 0.4.3
# A token of our own for tests: what ERC-20 asks of a transfer, and nothing else.
# coin.hex is what `vyper -f bytecode --evm-version london coin.vy` (vyper 0.4.3) made of it.

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

decimals: public(uint8)
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__(decimals_: uint8, supply: uint256):
    self.decimals = decimals_
    self.balanceOf[msg.sender] = supply
    log Transfer(sender=empty(address), receiver=msg.sender, amount=supply)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    # Underflow reverts: whoever has too little moves nothing.
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True


@external
def split(first: address, second: address, amount: uint256) -> bool:
    # Two transfers in one transaction.
    self.balanceOf[msg.sender] -= 2 * amount
    self.balanceOf[first] += amount
    self.balanceOf[second] += amount
    log Transfer(sender=msg.sender, receiver=first, amount=amount)
    log Transfer(sender=msg.sender, receiver=second, amount=amount)
    return True
