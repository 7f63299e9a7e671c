-- Refunds of deposits (L7): of a deposit that is Success, once, and exactly what was settled.

CREATE FUNCTION records_check_refund() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    payment record;
    given numeric;
BEGIN
    SELECT payment_id, status, settled_amount, merchant_channel_id INTO payment FROM records_payment WHERE id = NEW.payment_id;
    IF NOT FOUND OR payment.status <> 1 OR NEW.effect_key <> 'payment:' || payment.payment_id || ':refund' THEN
        RAISE EXCEPTION 'only a deposit that is Success is refunded, once' USING ERRCODE = '23514', CONSTRAINT = 'refund_of_success';
    END IF;
    -- Seen at commit, when the entries stand: what leaves the wallet and the fees together.
    SELECT -coalesce(sum(amount), 0) INTO given FROM records_balancerecord
        WHERE posting_id = NEW.id AND (account_kind = 'fees' OR account_kind = 'available' AND merchant_channel_id = payment.merchant_channel_id);
    IF given <> payment.settled_amount THEN
        RAISE EXCEPTION 'a refund of % of deposit % is not what was settled', given, payment.payment_id
            USING ERRCODE = '23514', CONSTRAINT = 'refund_is_what_was_settled';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refund_is_of_its_deposit AFTER INSERT ON records_posting DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.kind = 'deposit_refund') EXECUTE FUNCTION records_check_refund();

CREATE VIEW check_l7_refunds_mirror_their_deposit AS
    SELECT posting.id, posting.effect_key
    FROM records_posting posting
    LEFT JOIN records_payment payment ON payment.id = posting.payment_id
    LEFT JOIN LATERAL (
        SELECT -sum(amount) AS given FROM records_balancerecord
        WHERE posting_id = posting.id AND (account_kind = 'fees' OR account_kind = 'available' AND merchant_channel_id = payment.merchant_channel_id)
    ) entries ON true
    WHERE posting.kind = 'deposit_refund'
        AND (payment.status IS DISTINCT FROM 1 OR posting.effect_key <> 'payment:' || payment.payment_id || ':refund'
             OR entries.given IS NULL OR entries.given <> payment.settled_amount);
