"""Tools of the workshop on small language models."""
