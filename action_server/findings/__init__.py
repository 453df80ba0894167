"""What ``doctor`` and ``check`` find: one kind of rule, one of finding, one output for people, scripts and editors."""
