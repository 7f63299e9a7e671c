-- A proof that was uploaded stays, and stays what it is (L6).

CREATE TRIGGER proof_append_only BEFORE UPDATE OR DELETE ON records_proof FOR EACH ROW EXECUTE FUNCTION records_forbid();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON records_proof FOR EACH STATEMENT EXECUTE FUNCTION records_forbid();
