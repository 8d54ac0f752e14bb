"""What lets code that was written for other packages run on this one. Nothing below imports it."""
