"""Files that staff hand in: read within limits, tried as a whole, shown row by row, applied whole or not."""
