"""What changes for a bot that runs under rasa-sdk's server today: read in its files, nothing of it is run."""
