"""A folder for the path of a child in which the real `secodadk` is not installed."""
