"""The name server: it remembers which broker holds which topic, and tells whoever asks.

Brokers register every 30 seconds (handlers/registration.py); clients ask for routes
(handlers/routes.py). `members.py` remembers who is there, `route_table.py` where topics are, and
`kv_table.py` the settings that operators keep here. `routes.py` is the table of contents.
"""
