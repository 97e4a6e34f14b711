"""What has happened to a deployment, made of changes of the journal, as the account's event bus is told."""
