"""What a stranger starts from: the Makefile, the compose file and its image, the pins, the sample collection."""
