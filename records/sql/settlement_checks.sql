-- What is settled in another currency than it is paid in: converted at the order's own price, rounded once (L9).

CREATE VIEW check_l9_payout_amounts AS
    SELECT payout.id, payout.payout_id
    FROM records_payout payout
    JOIN channels_currency currency ON currency.code = payout.settlement_currency_id
    WHERE payout.fee < 0 OR payout.debited_amount <= payout.fee
        OR payout.debited_amount - payout.fee <> round(payout.requested_amount / payout.unit_price, currency.exponent);

-- Every conversion that moved money stands on both sides of the exchange accounts.
CREATE VIEW check_l9_conversions_are_exchanged AS
    SELECT settled.payment_id, settled.payout_id
    FROM (
        SELECT id AS payment_id, NULL::bigint AS payout_id, 'payment:' || payment_id || ':exchange' AS effect_key
        FROM records_payment WHERE status = 1 AND currency_id <> settlement_currency_id
        UNION ALL
        SELECT NULL, id, 'payout:' || payout_id || ':exchange'
        FROM records_payout WHERE status = 1 AND currency_id <> settlement_currency_id
    ) settled
    LEFT JOIN records_posting posting ON posting.effect_key = settled.effect_key
    WHERE posting.id IS NULL;
