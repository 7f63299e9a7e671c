"""Files of records: asked for (`jobs`), built in one snapshot (`building`), kept (`files`), made daily
(`schedules`). What a file may hold is in `sources`.
"""
