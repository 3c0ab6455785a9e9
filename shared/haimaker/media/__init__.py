"""What the bytes of images and of sound say of themselves. Pure."""
