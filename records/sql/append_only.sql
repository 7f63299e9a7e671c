-- What is written stays written (L6): no UPDATE, DELETE or TRUNCATE, not even for the owner of the tables.

CREATE FUNCTION records_forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is forbidden: its rows are append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;

-- Tables whose rows never change.
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON records_posting FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON records_balancerecord FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER status_change_append_only BEFORE UPDATE OR DELETE ON records_statuschange FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER upstream_call_append_only BEFORE UPDATE OR DELETE ON records_upstreamcall FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE ON records_balancetransfer FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON diamondpay_auditrow FOR EACH ROW EXECUTE FUNCTION records_forbid();

-- Tables whose rows move along a table of states (guarded elsewhere) but are never removed.
CREATE TRIGGER payment_no_delete BEFORE DELETE ON records_payment FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER payout_no_delete BEFORE DELETE ON records_payout FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON records_payoutattempt FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER callback_no_delete BEFORE DELETE ON records_upstreamcallback FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER notification_no_delete BEFORE DELETE ON records_notification FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER notification_attempt_no_delete BEFORE DELETE ON records_notificationattempt FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER case_no_delete BEFORE DELETE ON records_case FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER freeze_no_delete BEFORE DELETE ON records_manualfreeze FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER account_no_delete BEFORE DELETE ON records_account FOR EACH ROW EXECUTE FUNCTION records_forbid();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'records_posting', 'records_balancerecord', 'records_statuschange', 'records_upstreamcall', 'records_balancetransfer',
        'diamondpay_auditrow', 'records_payment', 'records_payout', 'records_payoutattempt', 'records_upstreamcallback',
        'records_notification', 'records_notificationattempt', 'records_case', 'records_manualfreeze', 'records_account',
        'operations_act'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION records_forbid()', name
        );
    END LOOP;
END $$;
