"""The people of series, over HTTP."""
