"""Measurements, each beside a named baseline in the same run: `make bench`, never part of the tests."""
