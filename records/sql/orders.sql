-- Deposit and payout orders: birth, moves, fixed terms, and the history of every change (D2–D5, P1–P4).
-- Loaded again by the migrations that change it, so everything here replaces what an older version left.

CREATE OR REPLACE FUNCTION records_guard_payment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 0 THEN
            RAISE EXCEPTION 'a deposit is born In Progress' USING ERRCODE = '23514', CONSTRAINT = 'payment_born_in_progress';
        END IF;
        NEW.version := 0;
        NEW.recorded_at := clock_timestamp();
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.payment_id, NEW.merchant_id, NEW.merchant_order_no, NEW.service_id, NEW.channel_id, NEW.merchant_channel_id,
        NEW.currency_id, NEW.settlement_currency_id, NEW.unit_price, NEW.requested_amount, NEW.quoted_amount, NEW.payment_method, NEW.fee_type, NEW.fee_permillage,
        NEW.fee_fixed, NEW.limit_lower_bound, NEW.limit_upper_bound, NEW.tolerance_below, NEW.tolerance_above, NEW.request_hash,
        NEW.notify_url, NEW.is_test, NEW.placed_by_id, NEW.created_at, NEW.recorded_at)
        IS DISTINCT FROM
       (OLD.id, OLD.payment_id, OLD.merchant_id, OLD.merchant_order_no, OLD.service_id, OLD.channel_id, OLD.merchant_channel_id,
        OLD.currency_id, OLD.settlement_currency_id, OLD.unit_price, OLD.requested_amount, OLD.quoted_amount, OLD.payment_method, OLD.fee_type, OLD.fee_permillage,
        OLD.fee_fixed, OLD.limit_lower_bound, OLD.limit_upper_bound, OLD.tolerance_below, OLD.tolerance_above, OLD.request_hash,
        OLD.notify_url, OLD.is_test, OLD.placed_by_id, OLD.created_at, OLD.recorded_at) THEN
        RAISE EXCEPTION 'the terms of deposit % are fixed', OLD.payment_id USING ERRCODE = '23514', CONSTRAINT = 'payment_terms_fixed';
    END IF;
    IF OLD.channel_order_no <> '' AND NEW.channel_order_no <> OLD.channel_order_no THEN
        RAISE EXCEPTION 'deposit % has its channel order number', OLD.payment_id USING ERRCODE = '23514', CONSTRAINT = 'payment_channel_order_no_fixed';
    END IF;
    IF OLD.status = 1 AND (NEW.status, NEW.actual_amount, NEW.settled_amount, NEW.fee, NEW.credited_amount, NEW.credit_posting_id,
                           NEW.completed_at, NEW.is_late)
        IS DISTINCT FROM (OLD.status, OLD.actual_amount, OLD.settled_amount, OLD.fee, OLD.credited_amount, OLD.credit_posting_id,
                          OLD.completed_at, OLD.is_late) THEN
        RAISE EXCEPTION 'deposit % is settled and final', OLD.payment_id USING ERRCODE = '23514', CONSTRAINT = 'payment_success_final';
    END IF;
    NEW.version := OLD.version;
    IF NEW.status <> OLD.status THEN
        IF NOT (NEW.status IN (1, 2, 3) AND OLD.status = 0 OR NEW.status = 1 AND OLD.status IN (2, 3) AND NEW.is_late) THEN
            RAISE EXCEPTION 'deposit % may not move from % to %', OLD.payment_id, OLD.status, NEW.status
                USING ERRCODE = '23514', CONSTRAINT = 'payment_moves';
        END IF;
        NEW.version := OLD.version + 1;
        -- Success is exactly one credit posting of this order (D2); that its entries agree is seen at commit.
        IF NEW.status = 1 AND NOT EXISTS (
            SELECT 1 FROM records_posting
            WHERE id = NEW.credit_posting_id AND payment_id = NEW.id AND effect_key = 'payment:' || NEW.payment_id || ':credit'
        ) THEN
            RAISE EXCEPTION 'deposit % has no credit of %', OLD.payment_id, NEW.credited_amount USING ERRCODE = '23514', CONSTRAINT = 'payment_credit_agrees';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER payment_guard BEFORE INSERT OR UPDATE ON records_payment FOR EACH ROW EXECUTE FUNCTION records_guard_payment();

-- At commit: the credit's entry on the order's wallet is the credited amount (D2). Looked at last, so that the entries, which
-- lock the wallet, may be the last thing a credit writes: a wallet that everyone pays into waits for little more than the commit.

CREATE OR REPLACE FUNCTION records_check_credit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    credited numeric;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO credited FROM records_balancerecord
        WHERE posting_id = NEW.credit_posting_id AND account_kind = 'available' AND merchant_channel_id = NEW.merchant_channel_id;
    IF credited <> NEW.credited_amount THEN
        RAISE EXCEPTION 'deposit % has no credit of %', NEW.payment_id, NEW.credited_amount USING ERRCODE = '23514', CONSTRAINT = 'payment_credit_agrees';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS payment_credit_agrees ON records_payment;
CREATE CONSTRAINT TRIGGER payment_credit_agrees AFTER UPDATE ON records_payment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 1 AND OLD.status <> 1) EXECUTE FUNCTION records_check_credit();

CREATE OR REPLACE FUNCTION records_guard_payout() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN (0, 3) THEN
            RAISE EXCEPTION 'a payout is born In Progress or Under Review' USING ERRCODE = '23514', CONSTRAINT = 'payout_born_open';
        END IF;
        -- No payout without its freeze, of exactly amount + fee, on its own wallet (P1).
        IF NOT EXISTS (
            SELECT 1 FROM records_posting posting
            JOIN records_balancerecord entry ON entry.posting_id = posting.id AND entry.account_kind = 'frozen'
                AND entry.merchant_channel_id = NEW.merchant_channel_id AND entry.amount = NEW.debited_amount
            WHERE posting.id = NEW.freeze_posting_id AND posting.payout_id = NEW.id
                AND posting.effect_key = 'payout:' || NEW.payout_id || ':freeze'
        ) THEN
            RAISE EXCEPTION 'payout % has not frozen %', NEW.payout_id, NEW.debited_amount USING ERRCODE = '23514', CONSTRAINT = 'payout_freezes_at_birth';
        END IF;
        NEW.version := 0;
        NEW.recorded_at := clock_timestamp();
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.payout_id, NEW.merchant_id, NEW.merchant_order_no, NEW.service_id, NEW.merchant_channel_id, NEW.currency_id,
        NEW.settlement_currency_id, NEW.unit_price, NEW.requested_amount, NEW.quoted_amount, NEW.payment_method, NEW.fee, NEW.debited_amount, NEW.fee_type, NEW.fee_permillage,
        NEW.fee_fixed, NEW.limit_lower_bound, NEW.limit_upper_bound, NEW.request_hash, NEW.notify_url, NEW.is_test, NEW.placed_by_id, NEW.created_at,
        NEW.recorded_at, NEW.freeze_posting_id)
        IS DISTINCT FROM
       (OLD.id, OLD.payout_id, OLD.merchant_id, OLD.merchant_order_no, OLD.service_id, OLD.merchant_channel_id, OLD.currency_id,
        OLD.settlement_currency_id, OLD.unit_price, OLD.requested_amount, OLD.quoted_amount, OLD.payment_method, OLD.fee, OLD.debited_amount, OLD.fee_type, OLD.fee_permillage,
        OLD.fee_fixed, OLD.limit_lower_bound, OLD.limit_upper_bound, OLD.request_hash, OLD.notify_url, OLD.is_test, OLD.placed_by_id, OLD.created_at,
        OLD.recorded_at, OLD.freeze_posting_id) THEN
        RAISE EXCEPTION 'the terms of payout % are fixed', OLD.payout_id USING ERRCODE = '23514', CONSTRAINT = 'payout_terms_fixed';
    END IF;
    IF OLD.status IN (1, 2, 4) AND (NEW.status, NEW.actual_amount, NEW.resolve_posting_id, NEW.completed_at)
        IS DISTINCT FROM (OLD.status, OLD.actual_amount, OLD.resolve_posting_id, OLD.completed_at) THEN
        RAISE EXCEPTION 'payout % is final', OLD.payout_id USING ERRCODE = '23514', CONSTRAINT = 'payout_final';
    END IF;
    NEW.version := OLD.version;
    IF NEW.status <> OLD.status THEN
        IF NOT (OLD.status = 3 AND NEW.status IN (0, 4) OR OLD.status = 0 AND NEW.status IN (1, 2)) THEN
            RAISE EXCEPTION 'payout % may not move from % to %', OLD.payout_id, OLD.status, NEW.status
                USING ERRCODE = '23514', CONSTRAINT = 'payout_moves';
        END IF;
        IF OLD.status = 3 AND NEW.changed_by_user_id = OLD.placed_by_id THEN
            RAISE EXCEPTION 'payout % is reviewed by another person than placed it', OLD.payout_id
                USING ERRCODE = '23514', CONSTRAINT = 'payout_review_four_eyes';
        END IF;
        NEW.version := OLD.version + 1;
        -- Success settles the freeze, every other end releases it; one key for both, so only one can be (P2).
        IF NEW.status <> 0 AND NOT EXISTS (
            SELECT 1 FROM records_posting posting
            JOIN records_balancerecord entry ON entry.posting_id = posting.id AND entry.account_kind = 'frozen'
                AND entry.merchant_channel_id = NEW.merchant_channel_id AND entry.amount = -NEW.debited_amount
            WHERE posting.id = NEW.resolve_posting_id AND posting.payout_id = NEW.id
                AND posting.effect_key = 'payout:' || NEW.payout_id || ':resolve'
                AND posting.kind = CASE WHEN NEW.status = 1 THEN 'payout_debit' ELSE 'balance_unfreeze' END
        ) THEN
            RAISE EXCEPTION 'payout % has not resolved its freeze', OLD.payout_id USING ERRCODE = '23514', CONSTRAINT = 'payout_resolve_agrees';
        END IF;
        IF NEW.status = 1 AND NOT EXISTS (SELECT 1 FROM records_payoutattempt WHERE payout_id = NEW.id AND state = 'succeeded') THEN
            RAISE EXCEPTION 'payout % has no attempt that succeeded', OLD.payout_id USING ERRCODE = '23514', CONSTRAINT = 'payout_success_has_attempt';
        END IF;
        IF NEW.status IN (2, 4) AND EXISTS (
            SELECT 1 FROM records_payoutattempt WHERE payout_id = NEW.id AND state <> 'failed'
        ) THEN
            RAISE EXCEPTION 'payout % has an attempt that may still pay', OLD.payout_id USING ERRCODE = '23514', CONSTRAINT = 'payout_no_live_attempt';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER payout_guard BEFORE INSERT OR UPDATE ON records_payout FOR EACH ROW EXECUTE FUNCTION records_guard_payout();

-- Every birth and every change of status writes its history row in the same statement (D5). No one else can write one.

CREATE OR REPLACE FUNCTION records_write_status_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO records_statuschange
        (payment_id, payout_id, version, from_status, to_status, changed_by, changed_by_user_id, reason, created_at, recorded_at)
    VALUES (
        CASE WHEN TG_TABLE_NAME = 'records_payment' THEN NEW.id END,
        CASE WHEN TG_TABLE_NAME = 'records_payout' THEN NEW.id END,
        NEW.version, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status, NEW.changed_by, NEW.changed_by_user_id,
        NEW.change_reason, NEW.updated_at, clock_timestamp()
    );
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER payment_birth_history AFTER INSERT ON records_payment FOR EACH ROW EXECUTE FUNCTION records_write_status_change();
CREATE OR REPLACE TRIGGER payment_history AFTER UPDATE ON records_payment FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION records_write_status_change();
CREATE OR REPLACE TRIGGER payout_birth_history AFTER INSERT ON records_payout FOR EACH ROW EXECUTE FUNCTION records_write_status_change();
CREATE OR REPLACE TRIGGER payout_history AFTER UPDATE ON records_payout FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION records_write_status_change();

-- At commit: a final status leaves the notification that is due, in the same transaction (D5, N1).

CREATE OR REPLACE FUNCTION records_check_notified() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    is_told boolean;
BEGIN
    -- One query for each kind of order: a condition that covers both uses neither index and reads the whole table.
    IF TG_TABLE_NAME = 'records_payment' THEN
        is_told := EXISTS (SELECT 1 FROM records_notification WHERE payment_id = NEW.id AND order_version = NEW.version);
    ELSE
        is_told := EXISTS (SELECT 1 FROM records_notification WHERE payout_id = NEW.id AND order_version = NEW.version);
    END IF;
    IF NOT is_told THEN
        RAISE EXCEPTION 'order % of % moved to status % and nobody is told', NEW.id, TG_TABLE_NAME, NEW.status
            USING ERRCODE = '23514', CONSTRAINT = 'status_change_is_notified';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS payment_is_notified ON records_payment;
CREATE CONSTRAINT TRIGGER payment_is_notified AFTER UPDATE ON records_payment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NEW.notify_url <> '') EXECUTE FUNCTION records_check_notified();
DROP TRIGGER IF EXISTS payout_is_notified ON records_payout;
CREATE CONSTRAINT TRIGGER payout_is_notified AFTER UPDATE ON records_payout DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NEW.status <> 0 AND NEW.notify_url <> '') EXECUTE FUNCTION records_check_notified();
