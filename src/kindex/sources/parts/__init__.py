"""What kinds of source share, and the longer steps of one kind; not kinds themselves."""
