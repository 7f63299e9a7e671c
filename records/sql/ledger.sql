-- Accounts, postings and entries (L1–L8, L10). Trigger functions are SECURITY DEFINER: the application's role may
-- insert postings and entries, and nothing else; balances move here and nowhere else.
-- Loaded again by the migrations that change it, so everything here replaces what an older version left.

-- Accounts are opened with their owner.

CREATE OR REPLACE FUNCTION records_open_wallet_accounts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO records_account (kind, merchant_id, merchant_channel_id, currency_id, is_chained, balance, sequence)
    VALUES ('available', NEW.merchant_id, NEW.id, NEW.currency_id, true, 0, 0),
           ('frozen', NEW.merchant_id, NEW.id, NEW.currency_id, true, 0, 0);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER wallet_opens_accounts AFTER INSERT ON merchants_merchantchannel
    FOR EACH ROW EXECUTE FUNCTION records_open_wallet_accounts();

CREATE OR REPLACE FUNCTION records_open_channel_accounts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO records_account (kind, channel_id, currency_id, is_chained, balance, sequence)
    VALUES ('clearing', NEW.code, NEW.currency_id, false, 0, 0),
           ('suspense', NEW.code, NEW.currency_id, false, 0, 0);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER channel_opens_accounts AFTER INSERT ON channels_channel
    FOR EACH ROW EXECUTE FUNCTION records_open_channel_accounts();

CREATE OR REPLACE FUNCTION records_open_currency_accounts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO records_account (kind, currency_id, is_chained, balance, sequence)
    SELECT kind, NEW.code, false, 0, 0 FROM unnest(ARRAY['fees', 'adjustment', 'exchange']) AS kind;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER currency_opens_accounts AFTER INSERT ON channels_currency
    FOR EACH ROW EXECUTE FUNCTION records_open_currency_accounts();

-- The owner and currency of a wallet are part of the book once it is open; so is a channel's currency.

CREATE OR REPLACE FUNCTION records_fix_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.merchant_id, NEW.channel_id, NEW.currency_id) IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.channel_id, OLD.currency_id) THEN
        RAISE EXCEPTION 'a wallet keeps its merchant, channel and currency' USING ERRCODE = '23514', CONSTRAINT = 'wallet_is_fixed';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER wallet_is_fixed BEFORE UPDATE ON merchants_merchantchannel FOR EACH ROW EXECUTE FUNCTION records_fix_wallet();

CREATE OR REPLACE FUNCTION records_fix_channel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.code, NEW.currency_id) IS DISTINCT FROM (OLD.code, OLD.currency_id) THEN
        RAISE EXCEPTION 'a channel keeps its code and currency' USING ERRCODE = '23514', CONSTRAINT = 'channel_is_fixed';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER channel_is_fixed BEFORE UPDATE ON channels_channel FOR EACH ROW EXECUTE FUNCTION records_fix_channel();

CREATE OR REPLACE FUNCTION records_fix_currency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.code, NEW.exponent) IS DISTINCT FROM (OLD.code, OLD.exponent) THEN
        RAISE EXCEPTION 'a currency keeps its code and decimals' USING ERRCODE = '23514', CONSTRAINT = 'currency_is_fixed';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER currency_is_fixed BEFORE UPDATE ON channels_currency FOR EACH ROW EXECUTE FUNCTION records_fix_currency();

-- An account opens at 0 and changes only inside the entry trigger (L3): a direct UPDATE fires the guard at depth 1.

CREATE OR REPLACE FUNCTION records_guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.balance <> 0 OR NEW.sequence <> 0 THEN
            RAISE EXCEPTION 'an account opens at 0' USING ERRCODE = '23514', CONSTRAINT = 'account_opens_at_zero';
        END IF;
        RETURN NEW;
    END IF;
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'a balance changes only through an entry' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER account_guard BEFORE INSERT OR UPDATE ON records_account FOR EACH ROW EXECUTE FUNCTION records_guard_account();

-- A posting remembers the transaction that made it, so that no entry can be slipped into it later.

CREATE OR REPLACE FUNCTION records_stamp_posting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.recorded_at := clock_timestamp();
    NEW.recorded_xid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER posting_stamp BEFORE INSERT ON records_posting FOR EACH ROW EXECUTE FUNCTION records_stamp_posting();

-- The one place where balances move. Locks the account row; entries arrive in ascending account id.

CREATE OR REPLACE FUNCTION records_apply_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    posting record;
    account record;
BEGIN
    -- Two look-ups for each entry, planned once per connection: this runs while the order is locked.
    SELECT kind, currency_id, order_no, created_at, recorded_xid INTO posting FROM records_posting WHERE id = NEW.posting_id;
    IF NOT FOUND OR posting.recorded_xid <> pg_current_xact_id()::text::bigint THEN
        RAISE EXCEPTION 'an entry is written with its posting, in one transaction' USING ERRCODE = '23514', CONSTRAINT = 'entry_with_its_posting';
    END IF;
    SELECT found.id, found.kind, found.currency_id, found.is_chained, found.merchant_id, found.merchant_channel_id,
        coalesce(wallet.channel_id, found.channel_id) AS channel_id
        INTO account
        FROM records_account found LEFT JOIN merchants_merchantchannel wallet ON wallet.id = found.merchant_channel_id
        WHERE found.id = NEW.account_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no account %', NEW.account_id USING ERRCODE = '23503';
    END IF;
    IF account.currency_id <> posting.currency_id THEN
        RAISE EXCEPTION 'account % is in %, the posting in %', account.id, account.currency_id, posting.currency_id
            USING ERRCODE = '23514', CONSTRAINT = 'entry_one_currency';
    END IF;
    IF account.is_chained THEN
        UPDATE records_account SET balance = balance + NEW.amount, sequence = sequence + 1
            WHERE id = NEW.account_id RETURNING balance, sequence INTO NEW.balance_after, NEW.sequence;
        NEW.balance_before := NEW.balance_after - NEW.amount;
    ELSE
        -- System accounts are shared by everyone: a delta row instead of a lock on one hot row.
        INSERT INTO records_accountdelta (account_id, amount, entry_count) VALUES (account.id, NEW.amount, 1);
        NEW.sequence := NULL;
        NEW.balance_after := NULL;
        NEW.balance_before := NULL;
    END IF;
    NEW.account_kind := account.kind;
    NEW.currency_id := account.currency_id;
    NEW.merchant_id := account.merchant_id;
    NEW.merchant_channel_id := account.merchant_channel_id;
    NEW.channel_id := account.channel_id;
    NEW.change_type := CASE
        WHEN posting.kind = 'transfer' AND NEW.amount < 0 THEN 'transfer_out'
        WHEN posting.kind = 'transfer' THEN 'transfer_in'
        ELSE posting.kind
    END;
    NEW.order_no := posting.order_no;
    NEW.created_at := posting.created_at;
    NEW.recorded_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER entry_apply BEFORE INSERT ON records_balancerecord FOR EACH ROW EXECUTE FUNCTION records_apply_entry();

-- At commit: at least two entries, sum zero (L1); a reversal is the exact mirror of what it reverses (L8).

CREATE OR REPLACE FUNCTION records_check_posting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    total numeric;
    entries integer;
BEGIN
    SELECT coalesce(sum(amount), 0), count(*) INTO total, entries FROM records_balancerecord WHERE posting_id = NEW.id;
    IF total <> 0 OR entries < 2 THEN
        RAISE EXCEPTION 'posting % does not balance: % entries, sum %', NEW.effect_key, entries, total
            USING ERRCODE = '23514', CONSTRAINT = 'posting_balances';
    END IF;
    IF NEW.reverses_id IS NOT NULL AND (
        EXISTS (SELECT 1 FROM records_posting WHERE id = NEW.reverses_id AND reverses_id IS NOT NULL)
        OR EXISTS (
            (SELECT account_id, -amount FROM records_balancerecord WHERE posting_id = NEW.reverses_id
             EXCEPT ALL SELECT account_id, amount FROM records_balancerecord WHERE posting_id = NEW.id)
            UNION ALL
            (SELECT account_id, amount FROM records_balancerecord WHERE posting_id = NEW.id
             EXCEPT ALL SELECT account_id, -amount FROM records_balancerecord WHERE posting_id = NEW.reverses_id)
        )
    ) THEN
        RAISE EXCEPTION 'posting % is not the mirror of what it reverses', NEW.effect_key USING ERRCODE = '23514', CONSTRAINT = 'reversal_mirrors';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS posting_balances ON records_posting;
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON records_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION records_check_posting();

-- A manual freeze is lifted at most once and keeps everything else (P2).

CREATE OR REPLACE FUNCTION records_guard_freeze() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.lifted_by_id IS NOT NULL OR (to_jsonb(NEW) - 'lifted_by_id') IS DISTINCT FROM (to_jsonb(OLD) - 'lifted_by_id') THEN
        RAISE EXCEPTION 'a freeze is lifted once and never edited' USING ERRCODE = '23514', CONSTRAINT = 'freeze_is_lifted_once';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER freeze_guard BEFORE UPDATE ON records_manualfreeze FOR EACH ROW EXECUTE FUNCTION records_guard_freeze();
