"""What has happened to a deployment, made of changes of the journal, and sent as events."""
