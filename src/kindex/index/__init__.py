"""Nearest-neighbour indexes over one space, and the exact search that judges them."""
