"""The mathematics and the machinery that the notebooks share; knows no notebook and no course."""
