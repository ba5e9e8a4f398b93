"""Text to trees: tokens, statements, and what stands in the way of a parser."""
