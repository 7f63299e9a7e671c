-- Totals that are exact at every moment: deltas appended by triggers, folded in one statement, read together.
-- Requested and actual sums are in the order's currency, fee and credited sums in the currency in which it settles: both are
-- dimensions, so that no two currencies are ever added up.
-- Loaded again by the migrations that change it, so everything here replaces what an older version left.

-- The edges of the amount buckets, 1 2 5 10 20 50 …, in major units. A bucket holds amounts from its edge up to, but
-- without, the next; bucket 0 is below the first edge. `records/totals.py` holds the same list.

CREATE OR REPLACE FUNCTION records_amount_edges() RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000,
        5000000, 10000000, 20000000, 50000000, 100000000, 200000000, 500000000, 1000000000, 2000000000, 5000000000, 10000000000]::numeric[]
$$;

CREATE OR REPLACE FUNCTION records_amount_bucket(amount numeric) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT width_bucket(amount, records_amount_edges())::smallint
$$;

CREATE OR REPLACE FUNCTION records_payment_delta() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.status, OLD.actual_amount, OLD.fee, OLD.credited_amount) IS NOT DISTINCT FROM (NEW.status, NEW.actual_amount, NEW.fee, NEW.credited_amount) THEN
            RETURN NULL;
        END IF;
        INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, bucket, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        VALUES (1, date_trunc('hour', OLD.created_at, 'UTC'), OLD.merchant_id, OLD.service_id, OLD.channel_id, OLD.currency_id, OLD.settlement_currency_id, OLD.is_test, OLD.status,
                records_amount_bucket(OLD.requested_amount), -1, -OLD.requested_amount, -coalesce(OLD.actual_amount, 0), -coalesce(OLD.fee, 0), -coalesce(OLD.credited_amount, 0));
    END IF;
    INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, bucket, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    VALUES (1, date_trunc('hour', NEW.created_at, 'UTC'), NEW.merchant_id, NEW.service_id, NEW.channel_id, NEW.currency_id, NEW.settlement_currency_id, NEW.is_test, NEW.status,
            records_amount_bucket(NEW.requested_amount), 1, NEW.requested_amount, coalesce(NEW.actual_amount, 0), coalesce(NEW.fee, 0), coalesce(NEW.credited_amount, 0));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER payment_delta AFTER INSERT OR UPDATE ON records_payment FOR EACH ROW EXECUTE FUNCTION records_payment_delta();

-- A payout may go out on another channel than it was created on, so the channel counts as a change too.
-- credited_sum of a payout is what was debited from the wallet when it succeeded.

CREATE OR REPLACE FUNCTION records_payout_delta() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.status, OLD.actual_amount, OLD.fee, OLD.channel_id) IS NOT DISTINCT FROM (NEW.status, NEW.actual_amount, NEW.fee, NEW.channel_id) THEN
            RETURN NULL;
        END IF;
        INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, bucket, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        VALUES (2, date_trunc('hour', OLD.created_at, 'UTC'), OLD.merchant_id, OLD.service_id, OLD.channel_id, OLD.currency_id, OLD.settlement_currency_id, OLD.is_test, OLD.status,
                records_amount_bucket(OLD.requested_amount), -1, -OLD.requested_amount, -coalesce(OLD.actual_amount, 0), -OLD.fee, CASE WHEN OLD.status = 1 THEN -OLD.debited_amount ELSE 0 END);
    END IF;
    INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, settlement_currency, is_test, status, bucket, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    VALUES (2, date_trunc('hour', NEW.created_at, 'UTC'), NEW.merchant_id, NEW.service_id, NEW.channel_id, NEW.currency_id, NEW.settlement_currency_id, NEW.is_test, NEW.status,
            records_amount_bucket(NEW.requested_amount), 1, NEW.requested_amount, coalesce(NEW.actual_amount, 0), NEW.fee, CASE WHEN NEW.status = 1 THEN NEW.debited_amount ELSE 0 END);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER payout_delta AFTER INSERT OR UPDATE ON records_payout FOR EACH ROW EXECUTE FUNCTION records_payout_delta();

-- Moves up to a number of deltas into the totals, in one statement: a reader sees them before or after, never twice.
-- One folder at a time: a second one finds the lock taken and returns 0.

CREATE OR REPLACE FUNCTION records_fold_order_totals(row_count_max integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    folded integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7421001) THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM records_orderdelta WHERE id IN (SELECT id FROM records_orderdelta ORDER BY id LIMIT row_count_max) RETURNING *
    ), hourly AS (
        INSERT INTO records_orderhourtotal AS t
            (hour, kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT hour, kind, merchant, service, channel, currency, settlement_currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken GROUP BY hour, kind, merchant, service, channel, currency, settlement_currency, is_test, status
        ON CONFLICT (hour, kind, merchant, service, channel, currency, settlement_currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), daily AS (
        INSERT INTO records_orderdaytotal AS t
            (day, kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT (hour AT TIME ZONE 'UTC')::date, kind, merchant, service, channel, currency, settlement_currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken GROUP BY 1, kind, merchant, service, channel, currency, settlement_currency, is_test, status
        ON CONFLICT (day, kind, merchant, service, channel, currency, settlement_currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), ever AS (
        INSERT INTO records_ordertotal AS t
            (kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT kind, merchant, service, channel, currency, settlement_currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken GROUP BY kind, merchant, service, channel, currency, settlement_currency, is_test, status
        ON CONFLICT (merchant, kind, service, channel, currency, settlement_currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), of_hours AS (
        SELECT hour, kind, service, channel, currency, settlement_currency, is_test, status, sum(order_count) AS order_count,
               sum(requested_sum) AS requested_sum, sum(actual_sum) AS actual_sum, sum(fee_sum) AS fee_sum, sum(credited_sum) AS credited_sum
        FROM taken GROUP BY hour, kind, service, channel, currency, settlement_currency, is_test, status
    ), platform AS (
        INSERT INTO records_platformtotal AS t
            (grain, start, kind, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT 'hour', hour, kind, service, channel, currency, settlement_currency, is_test, status,
               order_count, requested_sum, actual_sum, fee_sum, credited_sum FROM of_hours
        UNION ALL
        SELECT 'day', date_trunc('day', hour, 'UTC'), kind, service, channel, currency, settlement_currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM of_hours GROUP BY 2, kind, service, channel, currency, settlement_currency, is_test, status
        ON CONFLICT (grain, kind, start, service, channel, currency, settlement_currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), summaries AS (
        INSERT INTO records_summarytotal AS t
            (grain, start, kind, merchant, service, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT grain, start, kind, owner, served, currency, settlement_currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken CROSS JOIN LATERAL records_summaries_of(hour, merchant, service)
        GROUP BY grain, start, kind, owner, served, currency, settlement_currency, is_test, status
        ON CONFLICT (grain, kind, merchant, service, start, currency, settlement_currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), of_amounts AS (
        SELECT hour, kind, merchant, service, channel, currency, is_test, bucket, sum(order_count) AS order_count,
               coalesce(sum(order_count) FILTER (WHERE status = 1), 0) AS success_count
        FROM taken GROUP BY hour, kind, merchant, service, channel, currency, is_test, bucket
        -- Most changes of an order move no count, such as a deposit that is closed.
        HAVING sum(order_count) <> 0 OR coalesce(sum(order_count) FILTER (WHERE status = 1), 0) <> 0
    ), amounts AS (
        INSERT INTO records_amounttotal AS t
            (grain, start, kind, merchant, service, channel, currency, is_test, bucket, order_count, success_count)
        SELECT grain, start, kind, owner, kept.service, kept.channel, currency, is_test, bucket, sum(order_count), sum(success_count)
        FROM of_amounts
            CROSS JOIN LATERAL (SELECT date_trunc('day', hour, 'UTC') AS day, date_bin('4 hours', hour, '2000-01-01 00:00+00') AS four_hours) AS began
            CROSS JOIN LATERAL (
                VALUES ('hour', hour, '', of_amounts.service, of_amounts.channel), ('hour', hour, '', '', ''),
                    ('4h', four_hours, merchant, '', ''),
                    ('day', day, '', of_amounts.service, of_amounts.channel), ('day', day, '', '', ''),
                    ('day', day, merchant, of_amounts.service, of_amounts.channel), ('day', day, merchant, '', '')
            ) AS kept (grain, start, owner, service, channel)
        GROUP BY grain, start, kind, owner, kept.service, kept.channel, currency, is_test, bucket
        ON CONFLICT (grain, kind, merchant, start, service, channel, currency, is_test, bucket) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, success_count = t.success_count + excluded.success_count
    )
    SELECT count(*) INTO folded FROM taken;
    RETURN folded;
END $$;

-- Fills what stands above the merchants' totals anew: the platform's and the summaries from theirs, the amounts from the book. For the
-- migration that brings the tables, and for whoever loads a book past the triggers. Deltas must have been folded.

CREATE OR REPLACE FUNCTION records_refill_totals() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM records_platformtotal;
    DELETE FROM records_amounttotal;
    PERFORM records_refill_summaries();
    INSERT INTO records_platformtotal
        (grain, start, kind, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    SELECT grain, start, kind, service, channel, currency, settlement_currency, is_test, status,
           sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
    FROM (
        SELECT 'hour' AS grain, hour AS start, kind, service, channel, currency, settlement_currency, is_test, status,
               order_count, requested_sum, actual_sum, fee_sum, credited_sum FROM records_orderhourtotal
        UNION ALL
        SELECT 'day', day::timestamp AT TIME ZONE 'UTC', kind, service, channel, currency, settlement_currency, is_test, status,
               order_count, requested_sum, actual_sum, fee_sum, credited_sum FROM records_orderdaytotal
    ) AS grained GROUP BY grain, start, kind, service, channel, currency, settlement_currency, is_test, status
    ORDER BY grain, kind, start;
    WITH counted AS MATERIALIZED (
        SELECT 1 AS kind, date_trunc('hour', created_at, 'UTC') AS hour, merchant_id, service_id, channel_id, currency_id, is_test,
            records_amount_bucket(requested_amount) AS bucket, count(*) AS order_count, count(*) FILTER (WHERE status = 1) AS success_count
        FROM records_payment GROUP BY 2, 3, 4, 5, 6, 7, 8
        UNION ALL
        SELECT 2, date_trunc('hour', created_at, 'UTC'), merchant_id, service_id, channel_id, currency_id, is_test,
            records_amount_bucket(requested_amount), count(*), count(*) FILTER (WHERE status = 1)
        FROM records_payout GROUP BY 2, 3, 4, 5, 6, 7, 8
    )
    INSERT INTO records_amounttotal
        (grain, start, kind, merchant, service, channel, currency, is_test, bucket, order_count, success_count)
    SELECT grain, start, kind, owner, service, channel, currency_id, is_test, bucket, sum(order_count), sum(success_count)
    FROM counted
        CROSS JOIN LATERAL (SELECT date_trunc('day', hour, 'UTC') AS day, date_bin('4 hours', hour, '2000-01-01 00:00+00') AS four_hours) AS began
        CROSS JOIN LATERAL (
            VALUES ('hour', hour, '', service_id, channel_id), ('hour', hour, '', '', ''),
                ('4h', four_hours, merchant_id, '', ''),
                ('day', day, '', service_id, channel_id), ('day', day, '', '', ''),
                ('day', day, merchant_id, service_id, channel_id), ('day', day, merchant_id, '', '')
        ) AS kept (grain, start, owner, service, channel)
    GROUP BY grain, start, kind, owner, service, channel, currency_id, is_test, bucket
    ORDER BY grain, kind, owner, start;
END $$;

-- Counts every order anew, for the migration that brings a dimension and for whoever loads a book past the triggers. The caller
-- keeps orders from being written and the folder from running, or nobody else is there.

CREATE OR REPLACE FUNCTION records_recount_totals() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM records_orderdelta;
    DELETE FROM records_orderhourtotal;
    DELETE FROM records_orderdaytotal;
    DELETE FROM records_ordertotal;
    INSERT INTO records_orderhourtotal
        (hour, kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    SELECT date_trunc('hour', created_at, 'UTC'), 1, merchant_id, service_id, channel_id, currency_id, settlement_currency_id, is_test, status, count(*),
        sum(requested_amount), sum(coalesce(actual_amount, 0)), sum(coalesce(fee, 0)), sum(coalesce(credited_amount, 0))
    FROM records_payment GROUP BY 1, 3, 4, 5, 6, 7, 8, 9
    UNION ALL
    SELECT date_trunc('hour', created_at, 'UTC'), 2, merchant_id, service_id, channel_id, currency_id, settlement_currency_id, is_test, status, count(*),
        sum(requested_amount), sum(coalesce(actual_amount, 0)), sum(fee), sum(CASE WHEN status = 1 THEN debited_amount ELSE 0 END)
    FROM records_payout GROUP BY 1, 3, 4, 5, 6, 7, 8, 9
    ORDER BY 1;
    INSERT INTO records_orderdaytotal
        (day, kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    SELECT (hour AT TIME ZONE 'UTC')::date, kind, merchant, service, channel, currency, settlement_currency, is_test, status,
        sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
    FROM records_orderhourtotal GROUP BY 1, kind, merchant, service, channel, currency, settlement_currency, is_test, status;
    INSERT INTO records_ordertotal
        (kind, merchant, service, channel, currency, settlement_currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    SELECT kind, merchant, service, channel, currency, settlement_currency, is_test, status,
        sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
    FROM records_orderdaytotal GROUP BY kind, merchant, service, channel, currency, settlement_currency, is_test, status;
    PERFORM records_refill_totals();
END $$;

CREATE OR REPLACE FUNCTION records_fold_account_totals(row_count_max integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    folded integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7421002) THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM records_accountdelta WHERE id IN (SELECT id FROM records_accountdelta ORDER BY id LIMIT row_count_max) RETURNING *
    ), moved AS (
        INSERT INTO records_accounttotal AS t (account_id, balance, entry_count)
        SELECT account_id, sum(amount), sum(entry_count) FROM taken GROUP BY account_id
        ON CONFLICT (account_id) DO UPDATE SET balance = t.balance + excluded.balance, entry_count = t.entry_count + excluded.entry_count
    )
    SELECT count(*) INTO folded FROM taken;
    RETURN folded;
END $$;
