"""What every stage's process is made of, whichever stage it runs."""
