"""What conversations are played on, and how a turn is shown."""
