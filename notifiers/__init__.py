"""From a notice to a delivery: audience, ledger, dispatcher, channels, templates, curtailment."""
