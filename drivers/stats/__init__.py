"""Floor 1: pure numbers; arrays in, frozen dataclass out."""
