"""Commands of the command line that need the flow or its engines."""
