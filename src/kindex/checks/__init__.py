"""The Great Expectations suites, one for each kind of table, and the row quarantine."""
