"""Tables as files, written in one pass and in constant memory: XLSX and CSV behind one interface.

A caller opens a writer with `columns.Column`s, writes rows of plain values as they come, and closes it with
a summary. What a cell may hold and how is decided here once, for both formats (see `texts` and `columns`).
"""
