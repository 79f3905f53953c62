"""The command line. Other packages add their commands through the entry-point group `dubflow.commands`."""
