"""The type, size and length of images and of sound, by their bytes. Pure."""
