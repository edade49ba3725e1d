"""What a person can ask for, one file each; the terminal, the pages and the doors call these."""
