"""What `make run` needs and the product does not: bootstrap, an embedded PostgreSQL, the supervisor."""
