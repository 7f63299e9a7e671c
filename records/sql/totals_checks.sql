-- The audit of the orders' totals: each view must be empty. Loaded again by the migrations that change them.

DROP VIEW IF EXISTS check_totals_of_orders, check_totals_agree_with_each_other, check_totals_of_platform, check_totals_of_amounts;

CREATE VIEW check_totals_of_orders AS
    WITH book AS (
        SELECT 1 AS kind, date_trunc('hour', created_at, 'UTC') AS hour, merchant_id AS merchant, service_id AS service, channel_id AS channel,
            currency_id AS currency, settlement_currency_id AS settlement_currency, is_test, status, count(*) AS order_count,
            sum(requested_amount) AS requested_sum, sum(coalesce(actual_amount, 0)) AS actual_sum, sum(coalesce(fee, 0)) AS fee_sum, sum(coalesce(credited_amount, 0)) AS credited_sum
        FROM records_payment GROUP BY 2, 3, 4, 5, 6, 7, 8, 9
        UNION ALL
        SELECT 2, date_trunc('hour', created_at, 'UTC'), merchant_id, service_id, channel_id, currency_id, settlement_currency_id, is_test, status, count(*),
            sum(requested_amount), sum(coalesce(actual_amount, 0)), sum(fee), sum(CASE WHEN status = 1 THEN debited_amount ELSE 0 END)
        FROM records_payout GROUP BY 2, 3, 4, 5, 6, 7, 8, 9
    ), kept AS (
        SELECT kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, sum(order_count) AS order_count,
            sum(requested_sum) AS requested_sum, sum(actual_sum) AS actual_sum, sum(fee_sum) AS fee_sum, sum(credited_sum) AS credited_sum
        FROM (
            SELECT kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum
            FROM records_orderhourtotal
            UNION ALL
            SELECT kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum
            FROM records_orderdelta
        ) parts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    )
    SELECT kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status
    FROM book FULL JOIN kept USING (kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status)
    WHERE coalesce(book.order_count, 0) <> coalesce(kept.order_count, 0) OR coalesce(book.requested_sum, 0) <> coalesce(kept.requested_sum, 0)
        OR coalesce(book.actual_sum, 0) <> coalesce(kept.actual_sum, 0) OR coalesce(book.fee_sum, 0) <> coalesce(kept.fee_sum, 0)
        OR coalesce(book.credited_sum, 0) <> coalesce(kept.credited_sum, 0);

CREATE VIEW check_totals_agree_with_each_other AS
    SELECT kind, merchant, service, channel, currency, settlement_currency, is_test, status
    FROM (
        SELECT kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum
        FROM records_ordertotal
        UNION ALL
        SELECT kind, merchant, service, channel, currency, settlement_currency, is_test, status, -order_count, -requested_sum, -actual_sum, -fee_sum, -credited_sum
        FROM records_orderdaytotal
    ) compared
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    HAVING sum(order_count) <> 0 OR sum(requested_sum) <> 0 OR sum(actual_sum) <> 0 OR sum(fee_sum) <> 0 OR sum(credited_sum) <> 0;

CREATE VIEW check_totals_of_platform AS
    SELECT grain, start, kind, service, channel, currency, settlement_currency, is_test, status
    FROM (
        SELECT grain, start, kind, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum
        FROM records_platformtotal
        UNION ALL
        SELECT 'hour', hour, kind, service, channel, currency, settlement_currency, is_test, status, -order_count, -requested_sum, -actual_sum, -fee_sum, -credited_sum
        FROM records_orderhourtotal
        UNION ALL
        SELECT 'day', day::timestamp AT TIME ZONE 'UTC', kind, service, channel, currency, settlement_currency, is_test, status,
            -order_count, -requested_sum, -actual_sum, -fee_sum, -credited_sum
        FROM records_orderdaytotal
    ) AS compared
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    HAVING sum(order_count) <> 0 OR sum(requested_sum) <> 0 OR sum(actual_sum) <> 0 OR sum(fee_sum) <> 0 OR sum(credited_sum) <> 0;

CREATE VIEW check_totals_of_amounts AS
    WITH counted AS MATERIALIZED (
        SELECT 1 AS kind, date_trunc('hour', created_at, 'UTC') AS hour, merchant_id AS merchant, service_id AS service, channel_id AS channel,
            currency_id AS currency, is_test, records_amount_bucket(requested_amount) AS bucket,
            count(*) AS order_count, count(*) FILTER (WHERE status = 1) AS success_count
        FROM records_payment GROUP BY 2, 3, 4, 5, 6, 7, 8
        UNION ALL
        SELECT 2, date_trunc('hour', created_at, 'UTC'), merchant_id, service_id, channel_id, currency_id, is_test,
            records_amount_bucket(requested_amount), count(*), count(*) FILTER (WHERE status = 1)
        FROM records_payout GROUP BY 2, 3, 4, 5, 6, 7, 8
        UNION ALL
        SELECT kind, hour, merchant, service, channel, currency, is_test, bucket, -order_count, CASE WHEN status = 1 THEN -order_count ELSE 0 END
        FROM records_orderdelta
    )
    SELECT grain, start, kind, owner AS merchant, service, channel, currency, is_test, bucket
    FROM (
        SELECT grain, start, kind, owner, kept.service, kept.channel, currency, is_test, bucket, order_count, success_count
        FROM counted
            CROSS JOIN LATERAL (SELECT date_trunc('day', hour, 'UTC') AS day, date_bin('4 hours', hour, '2000-01-01 00:00+00') AS four_hours) AS began
            CROSS JOIN LATERAL (
                VALUES ('hour', hour, '', counted.service, counted.channel), ('hour', hour, '', '', ''),
                    ('4h', four_hours, merchant, '', ''),
                    ('day', day, '', counted.service, counted.channel), ('day', day, '', '', ''),
                    ('day', day, merchant, counted.service, counted.channel), ('day', day, merchant, '', '')
            ) AS kept (grain, start, owner, service, channel)
        UNION ALL
        SELECT grain, start, kind, merchant, service, channel, currency, is_test, bucket, -order_count, -success_count
        FROM records_amounttotal
    ) AS compared
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    HAVING sum(order_count) <> 0 OR sum(success_count) <> 0;
