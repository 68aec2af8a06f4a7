"""Questions put to a release."""
