"""The Kafka runtime: the same stages as Faust agents over an existing cluster. Composition only."""
