"""What protection is worth: victims trained on protected files, tested on clean pictures."""
