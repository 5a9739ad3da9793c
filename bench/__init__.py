"""Measurements against peers and limits: ``make bench``, or ``python -m bench``."""
