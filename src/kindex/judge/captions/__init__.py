"""How good a captioner is: what it says of images, what its words know, and whether it finds an image by a description."""
