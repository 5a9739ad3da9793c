"""From an episode to a notice: the rule model, the engine and the rule packs."""
