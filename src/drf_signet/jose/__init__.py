"""Signed tokens: keys, claims, strict JSON and JWS (RFC 7515 to 7519). Does not import Django."""
