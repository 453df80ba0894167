"""Workers that run jobs which do nothing, each as it is: ours, and procrastinate's in an environment of its own."""
