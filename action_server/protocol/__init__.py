"""What a dialogue engine says and takes: requests, trackers, answers, events, domains."""
