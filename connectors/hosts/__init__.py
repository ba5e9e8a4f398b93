"""Hosts for foreign code: each in a process of its own, shut in."""
