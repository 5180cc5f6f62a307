"""What providers answered, as results; files and tables of them."""
