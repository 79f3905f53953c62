"""Files too large for one request: in chunks through the doors, or in parts straight to an object store."""
