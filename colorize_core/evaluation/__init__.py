"""How good are the colors: metrics, scores over a data set, pictures to look at."""
