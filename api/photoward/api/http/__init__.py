"""The HTTP face: photos in, protected photos out, over REST."""
