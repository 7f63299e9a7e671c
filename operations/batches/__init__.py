"""Payouts in batches: a file is read and checked whole, confirmed by its sum, then placed row by row.

    file ─► reading ─► checking ─► prepared ─► confirmed ─► placing (rows are the queue) ─► result file

Nothing is created unless every row is valid. Each row's order number is fixed before the first payout is
placed, so whatever is repeated cannot double.
"""
