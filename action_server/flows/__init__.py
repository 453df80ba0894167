"""CALM flows, without a bot: read them, play them against the real actions, test and check them."""
