"""Reports to key information: the published rules, and better ones."""
