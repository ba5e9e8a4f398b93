"""Where declarations go, and how requests are made."""
