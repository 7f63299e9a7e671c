-- Payments over chains: what is fixed, how transfers move, and the sums that follow from them (D6, D9).

-- Where an order is paid never changes; what it costs is set once, with the token it is paid in.
CREATE OR REPLACE FUNCTION records_guard_chain_payment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.payment_id, NEW.channel_id, NEW.chain_id, NEW.mode, NEW.address, NEW.derivation_index, NEW.description, NEW.redirect_url,
        NEW.watched_until)
        IS DISTINCT FROM
       (OLD.payment_id, OLD.channel_id, OLD.chain_id, OLD.mode, OLD.address, OLD.derivation_index, OLD.description, OLD.redirect_url,
        OLD.watched_until)
        OR OLD.token_id IS NOT NULL AND (NEW.token_id, NEW.expected_units) IS DISTINCT FROM (OLD.token_id, OLD.expected_units) THEN
        RAISE EXCEPTION 'the terms of chain payment % are fixed', OLD.payment_id USING ERRCODE = '23514', CONSTRAINT = 'chain_payment_terms_fixed';
    END IF;
    IF NEW.is_open AND NOT OLD.is_open THEN
        RAISE EXCEPTION 'chain payment % has ended', OLD.payment_id USING ERRCODE = '23514', CONSTRAINT = 'chain_payment_ended';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER chain_payment_guard BEFORE UPDATE ON records_chainpayment FOR EACH ROW EXECUTE FUNCTION records_guard_chain_payment();

-- An order that has ended gives its amount free for others.
CREATE OR REPLACE FUNCTION records_end_chain_payment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE records_chainpayment SET is_open = false WHERE payment_id = NEW.id AND is_open;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER payment_ends_chain_payment AFTER UPDATE ON records_payment FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NEW.payment_method = 'Blockchain') EXECUTE FUNCTION records_end_chain_payment();

-- seen → confirmed, seen ⇄ orphaned; what is confirmed stays as it is, and is booked once.
CREATE OR REPLACE FUNCTION records_guard_chain_transfer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'seen' OR NEW.effect <> '' THEN
            RAISE EXCEPTION 'a transfer is born seen' USING ERRCODE = '23514', CONSTRAINT = 'chain_transfer_born_seen';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.chain_id, NEW.tx_hash, NEW.log_index, NEW.seen_at)
        IS DISTINCT FROM (OLD.id, OLD.chain_id, OLD.tx_hash, OLD.log_index, OLD.seen_at)
        -- What a transaction moves may be another sum to another receiver once another block takes it in, as with an exchange.
        OR NEW.block_hash = OLD.block_hash AND (NEW.channel_id, NEW.token_id, NEW.from_address, NEW.to_address, NEW.units)
            IS DISTINCT FROM (OLD.channel_id, OLD.token_id, OLD.from_address, OLD.to_address, OLD.units)
        OR OLD.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id
            AND (NEW.token_id, NEW.to_address, NEW.units) = (OLD.token_id, OLD.to_address, OLD.units) THEN
        RAISE EXCEPTION 'transfer % is what it is', OLD.id USING ERRCODE = '23514', CONSTRAINT = 'chain_transfer_fixed';
    END IF;
    IF OLD.state = 'confirmed' AND (
        (NEW.state, NEW.payment_id, NEW.block_number, NEW.block_hash, NEW.block_time, NEW.confirmed_at,
         NEW.channel_id, NEW.token_id, NEW.from_address, NEW.to_address, NEW.units)
            IS DISTINCT FROM
        (OLD.state, OLD.payment_id, OLD.block_number, OLD.block_hash, OLD.block_time, OLD.confirmed_at,
         OLD.channel_id, OLD.token_id, OLD.from_address, OLD.to_address, OLD.units)
        OR OLD.effect <> '' AND NEW.effect <> OLD.effect
    ) THEN
        RAISE EXCEPTION 'transfer % is confirmed', OLD.id USING ERRCODE = '23514', CONSTRAINT = 'chain_transfer_final';
    END IF;
    IF OLD.state = 'orphaned' AND NEW.state = 'confirmed' THEN
        RAISE EXCEPTION 'transfer % is in no block', OLD.id USING ERRCODE = '23514', CONSTRAINT = 'chain_transfer_moves';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER chain_transfer_guard BEFORE INSERT OR UPDATE ON records_chaintransfer FOR EACH ROW
    EXECUTE FUNCTION records_guard_chain_transfer();

-- The sums of an order are those of its transfers in its own token. The row is locked first, so that of two transfers that
-- arrive at once the second counts both.
CREATE OR REPLACE FUNCTION records_tally_chain_payment_of(order_id bigint) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    paid_in bigint;
    seen numeric;
    confirmed numeric;
    shown records_chaintransfer;
BEGIN
    SELECT token_id INTO paid_in FROM records_chainpayment WHERE payment_id = order_id FOR UPDATE;
    SELECT coalesce(sum(units), 0), coalesce(sum(units) FILTER (WHERE state = 'confirmed'), 0) INTO seen, confirmed
        FROM records_chaintransfer WHERE payment_id = order_id AND token_id = paid_in AND state <> 'orphaned';
    SELECT * INTO shown FROM records_chaintransfer
        WHERE payment_id = order_id AND token_id = paid_in AND state <> 'orphaned' ORDER BY block_number DESC, id DESC LIMIT 1;
    UPDATE records_chainpayment SET
        seen_units = seen,
        confirmed_units = confirmed,
        detail = CASE WHEN seen > confirmed THEN 'confirming' WHEN confirmed > 0 THEN 'partial' ELSE 'pending' END,
        transfer_hash = coalesce(shown.tx_hash, ''),
        from_address = coalesce(shown.from_address, ''),
        block_time = shown.block_time,
        block_number = shown.block_number
    WHERE payment_id = order_id;
END $$;

CREATE OR REPLACE FUNCTION records_tally_chain_payment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.payment_id IS DISTINCT FROM NEW.payment_id THEN
        PERFORM records_tally_chain_payment_of(OLD.payment_id);
    END IF;
    PERFORM records_tally_chain_payment_of(NEW.payment_id);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chain_transfer_tally AFTER INSERT OR UPDATE ON records_chaintransfer FOR EACH ROW
    EXECUTE FUNCTION records_tally_chain_payment();

CREATE OR REPLACE FUNCTION records_refuse_chain_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never removed', TG_TABLE_NAME USING ERRCODE = '23514', CONSTRAINT = 'chain_rows_are_kept';
END $$;
CREATE OR REPLACE TRIGGER chain_payment_kept BEFORE DELETE ON records_chainpayment FOR EACH ROW EXECUTE FUNCTION records_refuse_chain_removal();
CREATE OR REPLACE TRIGGER chain_transfer_kept BEFORE DELETE ON records_chaintransfer FOR EACH ROW EXECUTE FUNCTION records_refuse_chain_removal();
CREATE OR REPLACE TRIGGER chain_quote_kept BEFORE DELETE OR UPDATE ON records_chainquote FOR EACH ROW EXECUTE FUNCTION records_refuse_chain_removal();

-- An index that was given is never given again.
CREATE OR REPLACE FUNCTION records_guard_chain_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.next_index < OLD.next_index OR NEW.fingerprint <> OLD.fingerprint THEN
        RAISE EXCEPTION 'indexes of key % only grow', OLD.fingerprint USING ERRCODE = '23514', CONSTRAINT = 'chain_key_grows';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER chain_key_guard BEFORE UPDATE OR DELETE ON records_chainkey FOR EACH ROW EXECUTE FUNCTION records_guard_chain_key();

-- Checks: the sums are those of the transfers, and what was credited is what they were worth.
CREATE VIEW check_d9_chain_sums AS
    SELECT expected.payment_id
    FROM records_chainpayment expected
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(units), 0) AS seen, coalesce(sum(units) FILTER (WHERE state = 'confirmed'), 0) AS confirmed
        FROM records_chaintransfer
        WHERE payment_id = expected.payment_id AND token_id = expected.token_id AND state <> 'orphaned'
    ) found ON true
    WHERE (expected.seen_units, expected.confirmed_units) IS DISTINCT FROM (found.seen, found.confirmed);

CREATE VIEW check_d9_chain_credits AS
    SELECT payment.id, payment.payment_id
    FROM records_payment payment
    JOIN records_chainpayment expected ON expected.payment_id = payment.id
    JOIN records_chainquote quote ON quote.chain_payment_id = payment.id AND quote.token_id = expected.token_id
    JOIN channels_token token ON token.id = expected.token_id
    JOIN channels_currency currency ON currency.code = payment.currency_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(units), 0) AS units FROM records_chaintransfer
        WHERE payment_id = payment.id AND token_id = expected.token_id AND state = 'confirmed'
            AND effect = payment.channel_order_no AND effect <> ''
    ) found
    -- A person who credits an order by hand names another reason than transfers.
    WHERE payment.status = 1 AND (found.units > 0 OR payment.changed_by = 'system') AND payment.actual_amount <> round(
        found.units * quote.unit_price * 10::numeric ^ (-token.decimals),
        CASE WHEN payment.settlement_currency_id = payment.currency_id THEN currency.exponent ELSE 18 END
    );
