"""Faster ways to compute what gpt and training ask for: in torch alone, and without them."""
