"""What families share: the loop, losses, sampling."""
