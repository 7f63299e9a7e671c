-- A rate of a person is made by an act alone (P6): asked for by one, approved by another, and exactly as it was approved. Looked at
-- when the transaction commits, since the act is decided after its deed. Rates that no person made (demonstration, tests) bear no user.

CREATE OR REPLACE FUNCTION operations_guard_rate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM operations_act
        WHERE request_id = NEW.request_id AND kind = 'add_rate' AND state = 'executed' AND decided_by_id = NEW.created_by_id
            AND evidence->>'base' = NEW.base_id AND evidence->>'quote' = NEW.quote_id AND (evidence->>'rate')::numeric = NEW.rate
            AND NEW.valid_from = coalesce(nullif(evidence->>'valid_from', '')::timestamptz, decided_at)
    ) THEN
        RAISE EXCEPTION 'an exchange rate is made by two people' USING ERRCODE = '23514', CONSTRAINT = 'exchange_rate_has_act';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS exchange_rate_has_act ON channels_exchangerate;
CREATE CONSTRAINT TRIGGER exchange_rate_has_act AFTER INSERT ON channels_exchangerate DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.created_by_id IS NOT NULL) EXECUTE FUNCTION operations_guard_rate();
