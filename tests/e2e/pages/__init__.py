"""A project whose pages use the client, with what the tests need to see and to disturb."""
