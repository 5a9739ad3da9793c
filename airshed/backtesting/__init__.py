"""Back-tests: what a rule pack would have done with recorded readings, through the identical stages."""
