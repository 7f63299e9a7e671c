-- The audit of the summaries: the view must be empty.

DROP VIEW IF EXISTS check_totals_of_summaries;

CREATE VIEW check_totals_of_summaries AS
    SELECT grain, start, kind, merchant, service, currency, settlement_currency, is_test, status
    FROM (
        SELECT grain, start, kind, merchant, service, currency, settlement_currency, is_test, status,
            order_count, requested_sum, actual_sum, fee_sum, credited_sum
        FROM records_summarytotal
        UNION ALL
        SELECT grain, start, kind, owner, served, currency, settlement_currency, is_test, status,
            -order_count, -requested_sum, -actual_sum, -fee_sum, -credited_sum
        FROM records_orderhourtotal CROSS JOIN LATERAL records_summaries_of(hour, merchant, service)
    ) AS compared
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    HAVING sum(order_count) <> 0 OR sum(requested_sum) <> 0 OR sum(actual_sum) <> 0 OR sum(fee_sum) <> 0 OR sum(credited_sum) <> 0;
