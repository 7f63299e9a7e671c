"""The people of the back office: signing in, their security, their rights, the audit trail."""
