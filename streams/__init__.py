"""From a reading to an episode: schemas, stations, sources, screening, indices, windows, provinces, episodes."""
