"""Whether code, domain, flows, rules, stories and forms agree with each other, without running any of them."""
