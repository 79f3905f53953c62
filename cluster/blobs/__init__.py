"""Artefacts under deterministic keys, in a folder or in S3: whole or absent, never half."""
