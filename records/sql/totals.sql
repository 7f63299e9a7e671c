-- Totals that are exact at every moment: deltas appended by triggers, folded in one statement, read together.

CREATE FUNCTION records_payment_delta() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.status, OLD.actual_amount, OLD.fee, OLD.credited_amount) IS NOT DISTINCT FROM (NEW.status, NEW.actual_amount, NEW.fee, NEW.credited_amount) THEN
            RETURN NULL;
        END IF;
        INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        VALUES (1, date_trunc('hour', OLD.created_at, 'UTC'), OLD.merchant_id, OLD.service_id, OLD.channel_id, OLD.currency_id, OLD.is_test, OLD.status,
                -1, -OLD.requested_amount, -coalesce(OLD.actual_amount, 0), -coalesce(OLD.fee, 0), -coalesce(OLD.credited_amount, 0));
    END IF;
    INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    VALUES (1, date_trunc('hour', NEW.created_at, 'UTC'), NEW.merchant_id, NEW.service_id, NEW.channel_id, NEW.currency_id, NEW.is_test, NEW.status,
            1, NEW.requested_amount, coalesce(NEW.actual_amount, 0), coalesce(NEW.fee, 0), coalesce(NEW.credited_amount, 0));
    RETURN NULL;
END $$;
CREATE TRIGGER payment_delta AFTER INSERT OR UPDATE ON records_payment FOR EACH ROW EXECUTE FUNCTION records_payment_delta();

-- A payout may go out on another channel than it was created on, so the channel counts as a change too.
-- credited_sum of a payout is what was debited from the wallet when it succeeded.

CREATE FUNCTION records_payout_delta() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.status, OLD.actual_amount, OLD.fee, OLD.channel_id) IS NOT DISTINCT FROM (NEW.status, NEW.actual_amount, NEW.fee, NEW.channel_id) THEN
            RETURN NULL;
        END IF;
        INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        VALUES (2, date_trunc('hour', OLD.created_at, 'UTC'), OLD.merchant_id, OLD.service_id, OLD.channel_id, OLD.currency_id, OLD.is_test, OLD.status,
                -1, -OLD.requested_amount, -coalesce(OLD.actual_amount, 0), -OLD.fee, CASE WHEN OLD.status = 1 THEN -OLD.debited_amount ELSE 0 END);
    END IF;
    INSERT INTO records_orderdelta (kind, hour, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    VALUES (2, date_trunc('hour', NEW.created_at, 'UTC'), NEW.merchant_id, NEW.service_id, NEW.channel_id, NEW.currency_id, NEW.is_test, NEW.status,
            1, NEW.requested_amount, coalesce(NEW.actual_amount, 0), NEW.fee, CASE WHEN NEW.status = 1 THEN NEW.debited_amount ELSE 0 END);
    RETURN NULL;
END $$;
CREATE TRIGGER payout_delta AFTER INSERT OR UPDATE ON records_payout FOR EACH ROW EXECUTE FUNCTION records_payout_delta();

-- Moves up to a number of deltas into the totals, in one statement: a reader sees them before or after, never twice.
-- One folder at a time: a second one finds the lock taken and returns 0.

CREATE FUNCTION records_fold_order_totals(row_count_max integer) RETURNS integer
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
            (hour, kind, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT hour, kind, merchant, service, channel, currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken GROUP BY hour, kind, merchant, service, channel, currency, is_test, status
        ON CONFLICT (hour, kind, merchant, service, channel, currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), daily AS (
        INSERT INTO records_orderdaytotal AS t
            (day, kind, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT (hour AT TIME ZONE 'UTC')::date, kind, merchant, service, channel, currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken GROUP BY 1, kind, merchant, service, channel, currency, is_test, status
        ON CONFLICT (day, kind, merchant, service, channel, currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    ), ever AS (
        INSERT INTO records_ordertotal AS t
            (kind, merchant, service, channel, currency, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
        SELECT kind, merchant, service, channel, currency, is_test, status,
               sum(order_count), sum(requested_sum), sum(actual_sum), sum(fee_sum), sum(credited_sum)
        FROM taken GROUP BY kind, merchant, service, channel, currency, is_test, status
        ON CONFLICT (merchant, kind, service, channel, currency, is_test, status) DO UPDATE SET
            order_count = t.order_count + excluded.order_count, requested_sum = t.requested_sum + excluded.requested_sum,
            actual_sum = t.actual_sum + excluded.actual_sum, fee_sum = t.fee_sum + excluded.fee_sum,
            credited_sum = t.credited_sum + excluded.credited_sum
    )
    SELECT count(*) INTO folded FROM taken;
    RETURN folded;
END $$;

CREATE FUNCTION records_fold_account_totals(row_count_max integer) RETURNS integer
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
