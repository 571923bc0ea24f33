"""What a game is like at a point: its vector field, the eigenvalues of its Jacobian; and games small enough to know."""
