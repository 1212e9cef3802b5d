"""What a trainer may do about protected pictures, one file a kind; ``base`` says what one is."""
