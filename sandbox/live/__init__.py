"""The live view: what is up, as a page on 127.0.0.1 that changes as it happens, with buttons to act on it."""
