"""Training: the one loop, and what goes into and comes out of it. `settings` is the only part free of torch."""
