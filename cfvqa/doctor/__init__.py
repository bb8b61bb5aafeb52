"""A look at everything before the hours are spent: data set, machine, time and disk; one file a question."""
