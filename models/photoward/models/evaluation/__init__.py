"""What protection is worth: trainers on protected files, tested on clean pictures.

``trainers`` (victims and their recipes), ``countermeasures`` (what they do about protection),
``attacks_on_pairs`` (what leaked pairs are worth), ``metrics``, ``reports``; ``registry`` names
every row and ``matrix`` trains what is missing of it.
"""
