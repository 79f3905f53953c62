"""Finished files on their way out: by links that expire, in ranges, without ever being held in memory."""
