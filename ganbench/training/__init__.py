"""Training: the one loop, what goes into it and comes out. Free of torch are `settings` and `checkpoint.facts`."""
