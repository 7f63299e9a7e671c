-- Attempts are written before they are sent, move along their table of states, and keep their results (L6, P4, N2).

CREATE FUNCTION records_guard_payout_attempt() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'prepared' OR NOT EXISTS (SELECT 1 FROM records_payout WHERE id = NEW.payout_id AND status = 0) THEN
            RAISE EXCEPTION 'an attempt is prepared for a payout in progress' USING ERRCODE = '23514', CONSTRAINT = 'attempt_born_prepared';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.payout_id, NEW.number, NEW.reference, NEW.channel_id, NEW.prepared_at)
        IS DISTINCT FROM (OLD.id, OLD.payout_id, OLD.number, OLD.reference, OLD.channel_id, OLD.prepared_at) THEN
        RAISE EXCEPTION 'attempt % keeps its reference', OLD.reference USING ERRCODE = '23514', CONSTRAINT = 'attempt_terms_fixed';
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        OLD.state = 'prepared' AND NEW.state IN ('sent', 'failed')
        OR OLD.state = 'sent' AND NEW.state IN ('succeeded', 'failed', 'unknown')
        OR OLD.state = 'unknown' AND NEW.state IN ('succeeded', 'failed')
    ) THEN
        RAISE EXCEPTION 'attempt % may not move from % to %', OLD.reference, OLD.state, NEW.state USING ERRCODE = '23514', CONSTRAINT = 'attempt_moves';
    END IF;
    IF OLD.sent_at IS NOT NULL AND NEW.sent_at IS DISTINCT FROM OLD.sent_at
        OR OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS DISTINCT FROM OLD.accepted_at
        OR OLD.finished_at IS NOT NULL AND NEW.finished_at IS DISTINCT FROM OLD.finished_at
        OR OLD.channel_order_no <> '' AND NEW.channel_order_no <> OLD.channel_order_no THEN
        RAISE EXCEPTION 'the results of attempt % are set once', OLD.reference USING ERRCODE = '23514', CONSTRAINT = 'attempt_results_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_attempt_guard BEFORE INSERT OR UPDATE ON records_payoutattempt
    FOR EACH ROW EXECUTE FUNCTION records_guard_payout_attempt();

CREATE FUNCTION records_guard_notification_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL
        OR (NEW.id, NEW.notification_id, NEW.number, NEW.started_at, NEW.url)
            IS DISTINCT FROM (OLD.id, OLD.notification_id, OLD.number, OLD.started_at, OLD.url) THEN
        RAISE EXCEPTION 'the result of a notification attempt is set once' USING ERRCODE = '23514', CONSTRAINT = 'notification_attempt_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notification_attempt_guard BEFORE UPDATE ON records_notificationattempt
    FOR EACH ROW EXECUTE FUNCTION records_guard_notification_attempt();

-- What a notification says never changes; what was sent is never uncounted (N2).

CREATE FUNCTION records_guard_notification() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.webhook_id, NEW.merchant_id, NEW.payment_id, NEW.payout_id, NEW.order_version, NEW.order_status, NEW.dialect,
        NEW.sign_type, NEW.url, NEW.facts, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.webhook_id, OLD.merchant_id, OLD.payment_id, OLD.payout_id, OLD.order_version, OLD.order_status,
        OLD.dialect, OLD.sign_type, OLD.url, OLD.facts, OLD.created_at) OR NEW.attempt_count < OLD.attempt_count THEN
        RAISE EXCEPTION 'the content of a notification is fixed' USING ERRCODE = '23514', CONSTRAINT = 'notification_content_fixed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notification_guard BEFORE UPDATE ON records_notification FOR EACH ROW EXECUTE FUNCTION records_guard_notification();

-- A raw callback is kept as it came and gets one outcome, which stays (D6).

CREATE FUNCTION records_guard_callback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome <> 'waiting'
        OR (NEW.id, NEW.channel_id, NEW.received_at, NEW.source_address, NEW.headers, NEW.body, NEW.body_bytes)
            IS DISTINCT FROM (OLD.id, OLD.channel_id, OLD.received_at, OLD.source_address, OLD.headers, OLD.body, OLD.body_bytes) THEN
        RAISE EXCEPTION 'a callback is kept as it came, with its one outcome' USING ERRCODE = '23514', CONSTRAINT = 'callback_outcome_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER callback_guard BEFORE UPDATE ON records_upstreamcallback FOR EACH ROW EXECUTE FUNCTION records_guard_callback();

-- An act is decided once, by another person than asked for it; its evidence is frozen (P6; the check is on the table).

CREATE FUNCTION records_guard_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'requested'
        OR (NEW.id, NEW.request_id, NEW.kind, NEW.object_kind, NEW.object_id, NEW.evidence, NEW.reason, NEW.requested_by_id, NEW.requested_at)
            IS DISTINCT FROM (OLD.id, OLD.request_id, OLD.kind, OLD.object_kind, OLD.object_id, OLD.evidence, OLD.reason, OLD.requested_by_id, OLD.requested_at) THEN
        RAISE EXCEPTION 'an act is decided once; its evidence is frozen' USING ERRCODE = '23514', CONSTRAINT = 'act_decided_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER act_guard BEFORE UPDATE OR DELETE ON operations_act FOR EACH ROW EXECUTE FUNCTION records_guard_act();
