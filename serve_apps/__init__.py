"""The doors over HTTP: ingestion, status, live progress and the web page."""
