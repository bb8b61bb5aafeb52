"""What a command does: config in, folder out, with ids, `_SUCCESS` and resume."""
