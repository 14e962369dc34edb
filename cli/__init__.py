"""The companion CLI: one module per command group, one renderer. A command is two functions, one that parses and one
that works on the collaborators it is given and returns a Result."""
