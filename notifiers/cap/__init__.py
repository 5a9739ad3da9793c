"""CAP 1.2 (OASIS Standard, 2010): public alerts for machines, from the notices to residents.

An episode is one chain: its first notice is an Alert, each later one an Update that references everything still live
and says again what still holds, the end an Update with ``AllClear``; a wrong one is taken back by a Cancel. The chain
follows from the notices alone, so every process says the same, byte for byte, and nothing about it has to be stored.
"""
