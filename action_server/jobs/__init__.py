"""Work that outlives its call: jobs that an action asks for, and that run later, in any worker, until they are done."""
