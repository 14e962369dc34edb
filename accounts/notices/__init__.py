"""What somebody is told of a pool, and once only: what has happened between two looks. Pure."""
