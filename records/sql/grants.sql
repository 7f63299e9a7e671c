-- What the application's role may do (run after every migrate; :app_role is its quoted name). Least privilege where money
-- and history are; plain read and write elsewhere. Balances and totals are written by SECURITY DEFINER triggers alone.

GRANT USAGE ON SCHEMA public TO :app_role;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :app_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :app_role;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :app_role;

-- Read only: the schema's own history, accounts, history of statuses, totals.
REVOKE INSERT, UPDATE, DELETE ON
    django_migrations, records_account, records_statuschange, records_orderdelta, records_orderhourtotal, records_orderdaytotal,
    records_ordertotal, records_platformtotal, records_summarytotal, records_amounttotal, records_accountdelta, records_accounttotal
FROM :app_role;

-- Written once.
REVOKE UPDATE, DELETE ON
    records_posting, records_balancerecord, records_upstreamcall, records_balancetransfer, records_proof, diamondpay_auditrow,
    channels_exchangerate
FROM :app_role;

-- Written once, and removed when it is old.
REVOKE UPDATE ON merchants_apicall FROM :app_role;

-- Never removed, and only the columns that may move.
REVOKE UPDATE, DELETE ON
    records_payment, records_payout, records_payoutattempt, records_upstreamcallback, records_notification,
    records_notificationattempt, records_case, records_manualfreeze, operations_act, operations_formtoken
FROM :app_role;

GRANT UPDATE (
    status, is_late, actual_amount, settled_amount, fee, credited_amount, display_amount, channel_order_no, link, qr_text, receiver_encrypted,
    credit_posting_id, memo, error_message, updated_at, submitted_at, completed_at, next_query_at, query_count, changed_by, changed_by_user_id,
    change_reason
) ON records_payment TO :app_role;

GRANT UPDATE (
    status, actual_amount, channel_id, channel_order_no, is_held, resolve_posting_id, memo, error_message, updated_at, submitted_at, completed_at,
    next_query_at, query_count, changed_by, changed_by_user_id, change_reason
) ON records_payout TO :app_role;

GRANT UPDATE (
    state, channel_order_no, reason, sent_at, accepted_at, finished_at, next_query_at, query_count
) ON records_payoutattempt TO :app_role;

GRANT UPDATE (
    outcome, reason, reference, payment_id, attempt_id, case_id, try_count, due_at, answered_at
) ON records_upstreamcallback TO :app_role;

GRANT UPDATE (
    state, attempt_count, attempt_count_max, due_at, leased_until, finished_at, last_reason
) ON records_notification TO :app_role;

GRANT UPDATE (
    body, finished_at, is_success, http_status, answer, reason, duration_ms
) ON records_notificationattempt TO :app_role;

GRANT UPDATE (status, closed_at, closed_by_id, resolution) ON records_case TO :app_role;
GRANT UPDATE (lifted_by_id) ON records_manualfreeze TO :app_role;
GRANT UPDATE (state, decided_by_id, decided_at, decision_reason, handover_encrypted, handed_over_at) ON operations_act TO :app_role;
GRANT UPDATE (outcome) ON operations_formtoken TO :app_role;

-- When and from where people were signed in is history too; a sign-in is prolonged, proved and ended.
REVOKE UPDATE, DELETE ON diamondpay_signin FROM :app_role;
GRANT UPDATE (active_at, proved_at, second_factor_at, ended_at, ending) ON diamondpay_signin TO :app_role;

-- Who asked for which file is history; the file itself goes when its time is over.
REVOKE DELETE ON records_exportjob FROM :app_role;

-- What a batch is made of is fixed when it is uploaded; only how far it has come moves.
REVOKE UPDATE, DELETE ON operations_batchpayout, operations_batchpayoutrow FROM :app_role;
GRANT UPDATE (
    state, confirmed_by_id, confirmed_at, stopped_by_id, stopped_at, finished_at
) ON operations_batchpayout TO :app_role;
GRANT UPDATE (
    state, payout_id, reason, leased_until, try_count, finished_at
) ON operations_batchpayoutrow TO :app_role;
-- A file given back for its wrong rows is emptied when its time is over.
REVOKE UPDATE, DELETE ON operations_returnedfile FROM :app_role;
GRANT UPDATE (content_encrypted) ON operations_returnedfile TO :app_role;

-- By which rule an act was decided is history; a rule is switched off, not removed.
REVOKE DELETE ON operations_approvalrule FROM :app_role;

-- What a chain payment is and what transfers were seen is history; sums and details are written by triggers alone.
REVOKE UPDATE, DELETE ON records_chainpayment, records_chainquote, records_chaintransfer FROM :app_role;
GRANT UPDATE (token_id, expected_units, told, balance_block) ON records_chainpayment TO :app_role;
GRANT UPDATE (
    state, payment_id, channel_id, token_id, from_address, to_address, units, block_number, block_hash, block_time, confirmed_at, effect
) ON records_chaintransfer TO :app_role;
REVOKE DELETE ON records_chainkey, records_chaincursor FROM :app_role;
