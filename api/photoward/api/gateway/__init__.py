"""The public media host of sites that cannot be extended: protected files, never an original."""
