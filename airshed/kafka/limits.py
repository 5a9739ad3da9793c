"""The limits of rejection, by the name under which the Kafka runtime has them (see ``streams.rejection_limits``)."""

from __future__ import annotations

from streams.rejection_limits import RejectionLimits, TooManyRejectedError, Verdict

__all__ = ["RejectionLimits", "TooManyRejectedError", "Verdict"]
