"""In the morning: what the nights did, what the next one will do, and what it should cost. It reads, and changes nothing."""
