-- The audit: each view names rows that break a promise, and must be empty. `manage.py verify_ledger` counts them all.

CREATE VIEW check_l1_postings_balance AS
    SELECT posting.id, posting.effect_key, coalesce(sum(entry.amount), 0) AS total, count(entry.id) AS entries
    FROM records_posting posting LEFT JOIN records_balancerecord entry ON entry.posting_id = posting.id
    GROUP BY posting.id
    HAVING coalesce(sum(entry.amount), 0) <> 0 OR count(entry.id) < 2
        OR bool_or(entry.currency_id <> posting.currency_id);

CREATE VIEW check_l2_currencies_sum_to_zero AS
    SELECT currency_id, sum(amount) AS total FROM records_balancerecord GROUP BY currency_id HAVING sum(amount) <> 0;

CREATE VIEW check_l3_balance_is_sum_of_entries AS
    SELECT account.id, account.balance, coalesce(sum(entry.amount), 0) AS total
    FROM records_account account LEFT JOIN records_balancerecord entry ON entry.account_id = account.id
    WHERE account.is_chained GROUP BY account.id HAVING account.balance <> coalesce(sum(entry.amount), 0);

CREATE VIEW check_l3_balance_is_last_after AS
    SELECT account.id, account.balance, account.sequence
    FROM records_account account
    LEFT JOIN LATERAL (
        SELECT sequence, balance_after FROM records_balancerecord WHERE account_id = account.id AND sequence IS NOT NULL
        ORDER BY sequence DESC LIMIT 1
    ) last ON true
    WHERE account.is_chained AND (account.balance <> coalesce(last.balance_after, 0) OR account.sequence <> coalesce(last.sequence, 0));

CREATE VIEW check_l4_chain_is_unbroken AS
    SELECT id, account_id, sequence FROM (
        SELECT id, account_id, sequence, balance_before, amount, balance_after,
            lag(balance_after, 1, 0::numeric) OVER chain AS previous_after, lag(sequence, 1, 0::bigint) OVER chain AS previous_sequence
        FROM records_balancerecord WHERE sequence IS NOT NULL
        WINDOW chain AS (PARTITION BY account_id ORDER BY sequence)
    ) linked
    WHERE balance_before <> previous_after OR sequence <> previous_sequence + 1 OR balance_after <> balance_before + amount;

CREATE VIEW check_l5_no_overdraft AS
    SELECT id, account_id, balance_after FROM records_balancerecord WHERE balance_after < 0;

CREATE VIEW check_l6_history_matches_orders AS
    WITH orders AS (
        SELECT id AS payment_id, NULL::bigint AS payout_id, status, version FROM records_payment
        UNION ALL SELECT NULL, id, status, version FROM records_payout
    ), linked AS (
        SELECT payment_id, payout_id, version, from_status, to_status,
            lag(to_status) OVER (PARTITION BY payment_id, payout_id ORDER BY version) AS previous
        FROM records_statuschange
    ), history AS (
        SELECT payment_id, payout_id, count(*) AS changes, max(version) AS last_version,
            bool_and(from_status IS NOT DISTINCT FROM previous) AS is_linked,
            (array_agg(to_status ORDER BY version DESC))[1] AS last_status
        FROM linked GROUP BY payment_id, payout_id
    )
    SELECT orders.payment_id, orders.payout_id
    FROM orders LEFT JOIN history
        ON coalesce(history.payment_id, 0) = coalesce(orders.payment_id, 0) AND coalesce(history.payout_id, 0) = coalesce(orders.payout_id, 0)
    WHERE history.changes IS DISTINCT FROM orders.version + 1 OR history.last_version <> orders.version
        OR history.last_status <> orders.status OR NOT history.is_linked;

CREATE VIEW check_l7_effects_have_their_order AS
    SELECT id, effect_key FROM records_posting
    WHERE (effect_key LIKE 'payment:%' AND payment_id IS NULL) OR (effect_key LIKE 'payout:%' AND payout_id IS NULL);

CREATE VIEW check_l8_reversals_mirror AS
    SELECT reversal.id, reversal.effect_key
    FROM records_posting reversal JOIN records_posting original ON original.id = reversal.reverses_id
    WHERE original.reverses_id IS NOT NULL
        OR EXISTS (
            SELECT account_id, -amount FROM records_balancerecord WHERE posting_id = original.id
            EXCEPT ALL SELECT account_id, amount FROM records_balancerecord WHERE posting_id = reversal.id
        );

CREATE VIEW check_l9_payment_amounts AS
    SELECT payment.id, payment.payment_id
    FROM records_payment payment
    JOIN channels_currency currency ON currency.code = payment.settlement_currency_id
    WHERE payment.status = 1
        AND (payment.credited_amount + payment.fee <> payment.settled_amount OR payment.fee < 0 OR payment.fee > payment.settled_amount
             OR payment.settled_amount <> round(payment.actual_amount / payment.unit_price, currency.exponent));

CREATE VIEW check_d2_success_is_one_credit AS
    SELECT payment.id, payment.payment_id, payment.credited_amount
    FROM records_payment payment
    LEFT JOIN records_posting posting ON posting.payment_id = payment.id AND posting.effect_key = 'payment:' || payment.payment_id || ':credit'
    LEFT JOIN records_balancerecord entry ON entry.posting_id = posting.id AND entry.account_kind = 'available'
        AND entry.merchant_channel_id = payment.merchant_channel_id
    GROUP BY payment.id, posting.id
    HAVING (payment.status = 1) <> (posting.id IS NOT NULL)
        OR payment.status = 1 AND (payment.credit_posting_id <> posting.id OR coalesce(sum(entry.amount), 0) <> payment.credited_amount);

CREATE VIEW check_d6_callbacks_have_their_end AS
    SELECT callback.id, callback.outcome
    FROM records_upstreamcallback callback
    LEFT JOIN records_payment payment ON payment.id = callback.payment_id
    LEFT JOIN records_payoutattempt attempt ON attempt.id = callback.attempt_id
    WHERE callback.outcome = 'suspense' AND callback.case_id IS NULL
        OR callback.outcome = 'credited' AND payment.status IS DISTINCT FROM 1
        OR callback.outcome = 'settled' AND attempt.state IS DISTINCT FROM 'succeeded';

CREATE VIEW check_p1_frozen_is_open_payouts_and_freezes AS
    SELECT account.id, account.merchant_channel_id, account.balance, coalesce(payouts.total, 0) + coalesce(freezes.total, 0) AS expected
    FROM records_account account
    LEFT JOIN (
        SELECT merchant_channel_id, sum(debited_amount) AS total FROM records_payout WHERE status IN (0, 3) GROUP BY 1
    ) payouts ON payouts.merchant_channel_id = account.merchant_channel_id
    LEFT JOIN (
        SELECT merchant_channel_id, sum(amount) AS total FROM records_manualfreeze WHERE lifted_by_id IS NULL GROUP BY 1
    ) freezes ON freezes.merchant_channel_id = account.merchant_channel_id
    WHERE account.kind = 'frozen' AND account.balance <> coalesce(payouts.total, 0) + coalesce(freezes.total, 0);

CREATE VIEW check_p2_freeze_is_resolved_once AS
    SELECT payout.id, payout.payout_id
    FROM records_payout payout
    LEFT JOIN records_posting posting ON posting.effect_key = 'payout:' || payout.payout_id || ':resolve'
    WHERE (payout.status IN (1, 2, 4)) <> (posting.id IS NOT NULL)
        OR posting.id IS NOT NULL AND posting.kind <> CASE WHEN payout.status = 1 THEN 'payout_debit' ELSE 'balance_unfreeze' END;

CREATE VIEW check_p4_one_live_attempt AS
    SELECT payout_id, count(*) AS live FROM records_payoutattempt WHERE state <> 'failed' GROUP BY payout_id HAVING count(*) > 1;

CREATE VIEW check_p4_success_has_its_attempt AS
    SELECT payout.id, payout.payout_id FROM records_payout payout
    WHERE payout.status = 1 AND NOT EXISTS (SELECT 1 FROM records_payoutattempt WHERE payout_id = payout.id AND state = 'succeeded')
        OR payout.status IN (2, 4) AND EXISTS (SELECT 1 FROM records_payoutattempt WHERE payout_id = payout.id AND state <> 'failed');

CREATE VIEW check_p6_four_eyes AS
    SELECT id FROM operations_act WHERE decided_by_id = requested_by_id;

CREATE VIEW check_p7_transfers_have_both_legs AS
    SELECT transfer.id FROM records_balancetransfer transfer
    LEFT JOIN records_balancerecord leg ON leg.posting_id = transfer.posting_id AND leg.account_kind = 'available'
        AND (leg.merchant_channel_id = transfer.source_id AND leg.amount = -transfer.amount
             OR leg.merchant_channel_id = transfer.destination_id AND leg.amount = transfer.amount)
    GROUP BY transfer.id HAVING count(leg.id) <> 2;

CREATE VIEW check_n1_final_changes_are_told AS
    SELECT change.id, change.payment_id, change.payout_id
    FROM records_statuschange change
    LEFT JOIN records_payment payment ON payment.id = change.payment_id
    LEFT JOIN records_payout payout ON payout.id = change.payout_id
    WHERE change.version > 0
        AND coalesce(payment.notify_url, payout.notify_url) <> ''
        AND NOT (change.payout_id IS NOT NULL AND change.to_status = 0)
        AND NOT EXISTS (
            SELECT 1 FROM records_notification told
            WHERE told.order_version = change.version
                AND (told.payment_id = change.payment_id OR told.payout_id = change.payout_id)
        );

CREATE VIEW check_n2_attempts_are_counted AS
    SELECT notification.id, notification.attempt_count, count(attempt.id) AS attempts
    FROM records_notification notification LEFT JOIN records_notificationattempt attempt ON attempt.notification_id = notification.id
    GROUP BY notification.id HAVING notification.attempt_count <> count(attempt.id);

CREATE VIEW check_totals_of_accounts AS
    SELECT account.id
    FROM records_account account
    LEFT JOIN records_accounttotal total ON total.account_id = account.id
    LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM records_accountdelta GROUP BY 1) delta ON delta.account_id = account.id
    LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM records_balancerecord WHERE sequence IS NULL GROUP BY 1) entry
        ON entry.account_id = account.id
    WHERE NOT account.is_chained
        AND coalesce(total.balance, 0) + coalesce(delta.amount, 0) <> coalesce(entry.amount, 0);
