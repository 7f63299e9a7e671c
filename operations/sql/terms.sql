-- Terms (fees, limits, bounds, tolerances, what follows a failure, a channel's settings) are two people's (P6): a row that has them begins not in force, is put in force by an executed act of
-- activation, and changed by an executed act of change, exactly as that act says. Before it is in force one person may edit it, since
-- nothing runs on it: a CHECK keeps it switched off (..._off_before_in_force), and a boundary bounds nothing.
-- The schema's owner is bound by none of this: reference data, the demonstration and the first merchants come by that road.

CREATE OR REPLACE FUNCTION operations_owns_schema() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'public.operations_act'::regclass), 'USAGE')
$$;

-- Refused at once. The arguments are the columns that name the row, which it keeps once it is in force.
CREATE OR REPLACE FUNCTION operations_guard_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    place int;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.terms_since IS NOT NULL THEN
            RAISE EXCEPTION 'terms begin not in force' USING ERRCODE = '23514', CONSTRAINT = 'terms_begin_not_in_force';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.terms_since IS NOT NULL THEN
        IF TG_OP = 'DELETE' THEN
            RAISE EXCEPTION 'terms in force are never removed' USING ERRCODE = '23514', CONSTRAINT = 'terms_stay';
        END IF;
        IF NEW.terms_since IS NULL OR NEW.terms_since < OLD.terms_since THEN
            RAISE EXCEPTION 'what is in force since when never goes back' USING ERRCODE = '23514', CONSTRAINT = 'terms_stay';
        END IF;
        FOR place IN 0 .. TG_NARGS - 1 LOOP
            IF to_jsonb(NEW)->TG_ARGV[place] IS DISTINCT FROM to_jsonb(OLD)->TG_ARGV[place] THEN
                RAISE EXCEPTION 'terms in force stay those of %', TG_ARGV[place] USING ERRCODE = '23514', CONSTRAINT = 'terms_stay';
            END IF;
        END LOOP;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;

-- Looked at when the transaction commits, since an act is decided after its deed. The arguments are the kind of object, the column of
-- its id, and its terms. The act must be that of this very decision: `terms_since` is its moment, and only goes forward.
CREATE OR REPLACE FUNCTION operations_check_terms() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET bytea_output = 'hex' AS $$
DECLARE
    was jsonb := to_jsonb(OLD);
    is_now jsonb := to_jsonb(NEW);
    found jsonb;
    term text;
    place int;
    is_changed boolean := OLD.terms_since IS DISTINCT FROM NEW.terms_since;
BEGIN
    FOR place IN 2 .. TG_NARGS - 1 LOOP
        is_changed := is_changed OR was->>TG_ARGV[place] IS DISTINCT FROM is_now->>TG_ARGV[place];
    END LOOP;
    IF NOT is_changed THEN
        RETURN NULL;
    END IF;
    SELECT evidence INTO found FROM operations_act
    WHERE object_kind = TG_ARGV[0] AND object_id = is_now->>TG_ARGV[1] AND state = 'executed' AND decided_at = NEW.terms_since
        AND kind = CASE WHEN OLD.terms_since IS NULL THEN 'activate_terms' ELSE 'change_terms' END;
    IF found IS NULL THEN
        RAISE EXCEPTION 'fees, limits and bounds are two people''s' USING ERRCODE = '23514', CONSTRAINT = 'terms_have_act';
    END IF;
    FOR place IN 2 .. TG_NARGS - 1 LOOP
        term := TG_ARGV[place];
        IF NOT (operations_same_term(found->>('before.' || term), was->>term) OR OLD.terms_since IS NULL)
            OR NOT operations_same_term(coalesce(found->>('after.' || term), found->>('before.' || term)), is_now->>term) THEN
            RAISE EXCEPTION 'the terms are not those of the act: %', term USING ERRCODE = '23514', CONSTRAINT = 'terms_have_act';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Evidence is plain text, a column has all its zeros; of sealed settings evidence has the hash.
CREATE OR REPLACE FUNCTION operations_same_term(told text, stored text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(told = stored OR (told ~ '^[0-9]+(\.[0-9]+)?$' AND stored ~ '^[0-9]+(\.[0-9]+)?$' AND told::numeric = stored::numeric)
        OR (stored ~ '^\\x([0-9a-f]{2})*$' AND told = encode(sha256(decode(substr(stored, 3), 'hex')), 'hex')), false)
$$;

DO $$
DECLARE
    kept record;
BEGIN
    FOR kept IN SELECT * FROM (VALUES
        ('channels_channel', '''code'', ''currency_id'', ''upstream''',
            '''channel'', ''code'', ''payment_lower_bound'', ''payment_upper_bound'', ''payout_lower_bound'', ''payout_upper_bound'', ''settings_encrypted'''),
        ('channels_channelservice', '''channel_id'', ''service_id''',
            '''channelservice'', ''id'', ''fee_type'', ''fee_permillage'', ''fee_fixed'', ''lower_bound'', ''upper_bound'', ''tolerance_below'',
                ''tolerance_above'''),
        ('merchants_merchantservice', '''merchant_id'', ''service_id''',
            '''merchantservice'', ''id'', ''fee_type'', ''fee_permillage'', ''fee_fixed'', ''single_limit_lower_bound'', ''single_limit_upper_bound'',
                ''after_failure'''),
        ('merchants_servicebound', '''merchant_channel_id'', ''service_id''',
            '''servicebound'', ''id'', ''lower_bound'', ''upper_bound''')
    ) AS listed (table_name, names, terms) LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS terms_guard ON %I', kept.table_name);
        EXECUTE format('DROP TRIGGER IF EXISTS terms_have_act ON %I', kept.table_name);
        EXECUTE format('CREATE TRIGGER terms_guard BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW'
            ' WHEN (NOT operations_owns_schema()) EXECUTE FUNCTION operations_guard_terms(%s)', kept.table_name, kept.names);
        -- The condition is looked at when the row is written, not when the transaction commits.
        EXECUTE format('CREATE CONSTRAINT TRIGGER terms_have_act AFTER UPDATE ON %I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW'
            ' WHEN (NEW.terms_since IS NOT NULL AND NOT operations_owns_schema()) EXECUTE FUNCTION operations_check_terms(%s)',
            kept.table_name, kept.terms);
    END LOOP;
END $$;
