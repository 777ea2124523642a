"""What all figures share: colours that colour-blind people tell apart too."""

# Okabe and Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
INK, GRID = "#222222", "#dddddd"

OURS, FRAMEWORK = BLUE, ORANGE
