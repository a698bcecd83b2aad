"""What the figures share: their HTML, their script and style, and the network in the page."""
