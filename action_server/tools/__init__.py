"""Actions as tools: what each is called, takes and answers, read from its code, and how one is called."""
