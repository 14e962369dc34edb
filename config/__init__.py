"""Settings, paths and the clock: what every other package may ask for and none may decide alone."""
