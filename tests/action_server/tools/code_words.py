"""Words of actions, in a module of their own."""

OF_A_MODULE = "of_a_module"
