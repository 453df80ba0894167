"""Who decides what the user meant: scripted by a test, offline by rules, or a language model."""
