"""How credentials travel: read from a request, written to an answer. One module per transport."""
