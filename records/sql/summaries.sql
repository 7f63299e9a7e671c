-- Totals of all channels together: which there are, and how they are added up anew. `totals.sql` folds into them.

-- In which summaries an hour of a merchant and a service is counted: an empty owner stands for all merchants, an empty service for all
-- services. Summaries of a service are kept as far as a table by service reads them; what is shorter comes from the totals by channel.

CREATE OR REPLACE FUNCTION records_summaries_of(hour timestamptz, merchant text, service text)
    RETURNS TABLE (grain text, start timestamptz, owner text, served text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT kept.grain, kept.start, kept.owner, kept.served
    FROM (SELECT date_bin('4 hours', $1, '2000-01-01 00:00+00') AS four_hours, date_trunc('day', $1, 'UTC') AS day) AS began
        CROSS JOIN LATERAL (
            VALUES ('hour', $1, $2, ''), ('hour', $1, '', ''),
                ('4h', four_hours, $2, ''), ('4h', four_hours, '', ''), ('4h', four_hours, '', $3),
                ('day', day, $2, ''), ('day', day, '', ''), ('day', day, $2, $3), ('day', day, '', $3)
        ) AS kept (grain, start, owner, served)
$$;

-- Adds the summaries up anew from the merchants' hours. Nobody folds meanwhile; orders may be written, for their changes wait as deltas.
-- What is grouped has to fit into memory: on disk it would take three times as long.
-- What is read together is written together.

CREATE OR REPLACE FUNCTION records_refill_summaries() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp SET work_mem = '256MB' AS $$
BEGIN
    DELETE FROM records_summarytotal;
    INSERT INTO records_summarytotal
        (grain, start, kind, merchant, service, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    SELECT grain, start, kind, owner, served, currency, settlement_currency, is_test, status,
           sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
    FROM records_orderhourtotal CROSS JOIN LATERAL records_summaries_of(hour, merchant, service)
    GROUP BY grain, start, kind, owner, served, currency, settlement_currency, is_test, status
    ORDER BY grain, kind, owner, served, start;
END $$;
