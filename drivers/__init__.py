"""What drives the pixels: path models on every stratum of a pixel table, from one study spec."""

__version__ = "0.1.0"
