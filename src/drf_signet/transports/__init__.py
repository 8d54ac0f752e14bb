"""Read tokens from a request and write them to a response: in headers and in cookies."""
