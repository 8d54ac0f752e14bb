"""Sessions: changes to their rows, rotation, the revocation feed, and signals."""
