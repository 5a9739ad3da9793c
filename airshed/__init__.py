"""The front door: command line, configuration, the local runtime and the Kafka runtime (composition only)."""
