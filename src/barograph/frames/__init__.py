"""Reading frames and files: rows, columns and the values in them."""
