"""Runs tests in Rasa's end-to-end format against the real actions."""
