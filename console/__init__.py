"""The pages people open: acknowledgements and webhooks now, the operations centre later."""
