"""How values are written for people, whatever they are values of."""
