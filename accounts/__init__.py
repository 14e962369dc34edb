"""The pool: a pure core that decides (model, outcomes, selection) and, beside it, what stores and refreshes."""
