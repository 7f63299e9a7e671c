-- Numbers behind the ids that people read (PM…, POT…, PF…, PFC…). Sequences widen past their zero padding.
CREATE SEQUENCE payment_number;
CREATE SEQUENCE payout_number;
CREATE SEQUENCE merchant_number;
CREATE SEQUENCE merchant_channel_number;
CREATE SEQUENCE organisation_number START 1001;
CREATE SEQUENCE attempt_number;
