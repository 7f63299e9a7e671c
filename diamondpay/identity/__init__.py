"""That people are who they say: tries and locks, second factors, sign-ins, and what was refused."""
