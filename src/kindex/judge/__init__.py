"""Is it good? Metrics, baselines, the gate, the report."""
