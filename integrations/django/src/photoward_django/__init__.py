"""Django storages that publish only photos which Photoward has protected."""
