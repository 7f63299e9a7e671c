-- Acts with four eyes (P6, P8): born waiting, decided once by another person before their time is over, and nothing of what was
-- asked for ever changes. That the two are two people, a CHECK on the table holds (act_four_eyes). Loaded again by the migrations that change it.

DROP TRIGGER IF EXISTS act_guard ON operations_act;
DROP FUNCTION IF EXISTS records_guard_act();

CREATE OR REPLACE FUNCTION operations_guard_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an act is never removed' USING ERRCODE = '42501';
    END IF;
    IF TG_OP = 'INSERT' THEN
        -- Who could write a decided act would need no second person.
        IF NEW.state <> 'requested' OR NEW.handover_encrypted IS NOT NULL OR NEW.handed_over_at IS NOT NULL THEN
            RAISE EXCEPTION 'an act begins as a request' USING ERRCODE = '23514', CONSTRAINT = 'act_born_requested';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.request_id, NEW.kind, NEW.object_kind, NEW.object_id, NEW.object_name, NEW.evidence, NEW.reason, NEW.requested_by_id, NEW.requested_at,
        NEW.amount, NEW.currency_id, NEW.decider_role_id, NEW.expires_at)
        IS DISTINCT FROM (OLD.id, OLD.request_id, OLD.kind, OLD.object_kind, OLD.object_id, OLD.object_name, OLD.evidence, OLD.reason, OLD.requested_by_id,
        OLD.requested_at, OLD.amount, OLD.currency_id, OLD.decider_role_id, OLD.expires_at) THEN
        RAISE EXCEPTION 'what was asked for is frozen' USING ERRCODE = '23514', CONSTRAINT = 'act_decided_once';
    END IF;
    IF OLD.state <> 'requested' THEN
        IF (NEW.state, NEW.decided_by_id, NEW.decided_at, NEW.decision_reason)
            IS DISTINCT FROM (OLD.state, OLD.decided_by_id, OLD.decided_at, OLD.decision_reason) THEN
            RAISE EXCEPTION 'an act is decided once; its evidence is frozen' USING ERRCODE = '23514', CONSTRAINT = 'act_decided_once';
        END IF;
        -- A key that waits for its person may only go, not come back.
        IF OLD.handover_encrypted IS NULL OR NEW.handover_encrypted IS NOT NULL OR OLD.handed_over_at IS NOT NULL THEN
            RAISE EXCEPTION 'an act is decided once; its evidence is frozen' USING ERRCODE = '23514', CONSTRAINT = 'act_decided_once';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.handed_over_at IS NOT NULL OR (NEW.state <> 'executed' AND NEW.handover_encrypted IS NOT NULL) THEN
        RAISE EXCEPTION 'only an executed act has a key to hand over' USING ERRCODE = '23514', CONSTRAINT = 'act_key_after_execution';
    END IF;
    IF NEW.state IN ('executed', 'rejected') THEN
        IF NEW.decided_at >= OLD.expires_at THEN
            RAISE EXCEPTION 'the time of the act is over' USING ERRCODE = '23514', CONSTRAINT = 'act_not_expired';
        END IF;
    ELSIF NEW.state = 'expired' AND (OLD.expires_at IS NULL OR NEW.decided_at < OLD.expires_at) THEN
        RAISE EXCEPTION 'the time of the act is not over' USING ERRCODE = '23514', CONSTRAINT = 'act_not_expired';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER act_guard BEFORE INSERT OR UPDATE OR DELETE ON operations_act FOR EACH ROW EXECUTE FUNCTION operations_guard_act();
