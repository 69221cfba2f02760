"""Real models on real data that may be shipped: flights and football, checked at once or watched as they come.

`flights` and `football` train the models; `story` is what all stories consist of; `server`, `api` and `play` start a
service and stream a story into it, and `found` says what became of the troubles.
"""
