"""What is told of calls: log lines, metrics, traces, and what is masked in them."""
