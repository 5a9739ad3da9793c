"""How Faust is made to hand over one event per fetched batch, and state that is recovered by partition."""
