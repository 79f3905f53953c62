"""Probing, decoding and muxing of user media, each in a child process of its own."""
